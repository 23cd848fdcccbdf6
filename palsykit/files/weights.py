"""Weights on disk: safetensors, written atomically, and read with no key missing, left over or of another shape."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from palsykit.files.atomic import write_with


def save(
    state: Mapping[str, Tensor],
    path: Path,
    metadata: Mapping[str, str] | None = None,
    dtype: torch.dtype | None = None,
) -> None:
    """Write a state dict; a reader never sees half a file.

    Args:
        state: tensors by name; copied to the CPU, each on its own.
        path: the file; its folder is made.
        metadata: kept in the file's header.
        dtype: what floating-point tensors are rounded to; None keeps theirs. Integers are never changed.
    """
    tensors = {
        name: value.detach()
        .cpu()
        .to(dtype if dtype and value.is_floating_point() else value.dtype, copy=True)
        .contiguous()
        for name, value in state.items()
    }
    write_with(path, lambda unfinished: save_file(tensors, unfinished, dict(metadata or {})))


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors by name, floating-point ones as float32, and the file's metadata.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no safetensors file, or it was cut short.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; expected weights in safetensors format")
    try:
        with safe_open(path, "pt") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
            metadata = dict(file.metadata() or {})
    except SafetensorError as error:
        raise ValueError(
            f"{path}: not a whole safetensors file ({error}); pickled checkpoints (.pt, .pth, .ckpt) are not read: "
            f"convert them first: palsykit convert weights {path} {path.with_suffix('.safetensors').name} --layout NAME"
        ) from error
    return {name: v.float() if v.is_floating_point() else v for name, v in state.items()}, metadata


def load_exact(module: nn.Module, path: Path) -> dict[str, str]:
    """Fill every parameter and buffer of ``module`` from a file, and return the file's metadata.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no safetensors file, or its keys or shapes are not the module's; nothing is loaded then.
    """
    state, metadata = load(path)
    if problems := misfits(module.state_dict(), state):
        raise ValueError(
            f"{path}: not the weights of this {type(module).__name__}: {'; '.join(problems)}. "
            "Give the settings that the weights were made with, or other weights"
        )
    module.load_state_dict(state, strict=True)
    return metadata


def state_digest(modules: Mapping[str, nn.Module | None]) -> str:
    """SHA-256 of every parameter and buffer of some modules, by name."""
    digest = hashlib.sha256()
    for prefix, module in modules.items():
        for name, value in ({} if module is None else module.state_dict()).items():
            digest.update(f"{prefix}.{name} {tuple(value.shape)} {value.dtype}".encode())
            digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def misfits(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> list[str]:
    """What keeps ``found`` from being loaded where ``expected`` is: missing and unexpected keys, other shapes."""
    return [
        *_listed("missing", [name for name in expected if name not in found]),
        *_listed("unexpected", [name for name in found if name not in expected]),
        *_listed(
            "of another shape",
            [
                f"{name} {list(found[name].shape)}, expected {list(value.shape)}"
                for name, value in expected.items()
                if name in found and found[name].shape != value.shape
            ],
        ),
    ]


def _listed(what: str, names: list[str], shown: int = 5) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return [f"{what}: {', '.join(names[:shown])}{more}"]
