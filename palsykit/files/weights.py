"""Weights on disk: safetensors files, written atomically. Loading checks that all keys and shapes match."""

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from palsykit.files.atomic import write_with

_STEP = ":step"
"""What follows a tensor's name in the name of its channels' steps; no module's parameter has a colon in its name."""


def save(
    state: Mapping[str, Tensor],
    path: Path,
    metadata: Mapping[str, str] | None = None,
    dtype: torch.dtype | None = None,
) -> None:
    """Write a state dict atomically.

    Args:
        state: tensors by name; each is copied to the CPU, so none share memory.
        path: the file; its folder is created.
        metadata: stored in the file's header.
        dtype: convert floating-point tensors to this type; None keeps their types. Integers are not changed. With
            ``torch.int8`` matrices and kernels are rounded to 255 levels per output channel, a quarter of the size, and
            the rest is written as float16; ``load`` gives them back as float32.
    """
    tensors: dict[str, Tensor] = {}
    for name, value in state.items():
        given = value.detach().cpu()
        if not (dtype and given.is_floating_point()):
            tensors[name] = given.clone().contiguous()
        elif dtype is not torch.int8:
            tensors[name] = given.to(dtype, copy=True).contiguous()
        elif given.ndim < 2:
            tensors[name] = given.to(torch.float16).contiguous()
        else:
            tensors[name], tensors[name + _STEP] = _rounded(given.float())
    write_with(path, lambda unfinished: write_tensors(tensors, unfinished, metadata))


def write_tensors(tensors: dict[str, Tensor], path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors to a file, not atomically.

    Raises:
        OSError: it cannot be written, for example because the disk is full; safetensors has an error of its own for it.
    """
    try:
        save_file(tensors, path, dict(metadata or {}))
    except SafetensorError as error:
        if (code := re.search(r"os error (\d+)", str(error))) is None:
            raise
        raise OSError(int(code[1]), os.strerror(int(code[1])), str(path)) from error


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read a file: its tensors by name, floating-point ones as float32, and its metadata.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a safetensors file, or it is incomplete.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; expected weights in safetensors format")
    try:
        with safe_open(path, "pt") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (file is not a dict)
            metadata = dict(file.metadata() or {})
    except SafetensorError as error:
        raise ValueError(
            f"{path}: not a complete safetensors file ({error}); pickled checkpoints (.pt, .pth, .ckpt) are not read; "
            f"convert them first: palsykit convert weights {path} {path.with_suffix('.safetensors').name} --layout NAME"
        ) from error
    steps = {name.removesuffix(_STEP): state.pop(name) for name in [*state] if name.endswith(_STEP)}
    state |= {name: state[name].float() * step for name, step in steps.items()}
    return {name: v.float() if v.is_floating_point() else v for name, v in state.items()}, metadata


def _rounded(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """int8 levels of a matrix or kernel [N, ...], and the step between two levels [N, 1, ...] of each channel."""
    step = matrix.abs().flatten(1).amax(1).clamp(min=1e-12) / 127
    step = step.view(-1, *[1] * (matrix.ndim - 1))
    return (matrix / step).round().to(torch.int8).contiguous(), step


def load_exact(module: nn.Module, path: Path) -> dict[str, str]:
    """Load every parameter and buffer of ``module`` from a file; returns the file's metadata.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a safetensors file, or its keys or shapes do not match the module; nothing is loaded.
    """
    state, metadata = load(path)
    if problems := misfits(module.state_dict(), state):
        raise ValueError(
            f"{path}: not the weights of this {type(module).__name__}: {'; '.join(problems)}. "
            "Use the settings that the weights were trained with, or other weights"
        )
    module.load_state_dict(state, strict=True)
    return metadata


def state_digest(modules: Mapping[str, nn.Module | None]) -> str:
    """SHA-256 of all parameters and buffers of several modules, with their names."""
    states = {prefix: {} if module is None else module.state_dict() for prefix, module in modules.items()}
    return tensors_digest({f"{prefix}.{name}": v for prefix, state in states.items() for name, v in state.items()})


def tensors_digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of tensors with their names, shapes and types, in their order."""
    digest = hashlib.sha256()
    for name, value in tensors.items():
        digest.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def misfits(expected: Mapping[str, Tensor], actual: Mapping[str, Tensor]) -> list[str]:
    """List why ``actual`` cannot be loaded in place of ``expected``: missing or unexpected keys, other shapes."""
    return [
        *_listed("missing", [name for name in expected if name not in actual]),
        *_listed("unexpected", [name for name in actual if name not in expected]),
        *_listed(
            "of another shape",
            [
                f"{name} {list(actual[name].shape)}, expected {list(value.shape)}"
                for name, value in expected.items()
                if name in actual and actual[name].shape != value.shape
            ],
        ),
    ]


def _listed(what: str, names: list[str], shown: int = 5) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return [f"{what}: {', '.join(names[:shown])}{more}"]
