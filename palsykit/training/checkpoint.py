"""Checkpoints: safetensors and JSON, written completely or not at all. A resumed run is identical to the last bit."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from palsykit.errors import PalsykitError
from palsykit.files.atomic import PARTIAL, flush
from palsykit.files.hashes import sha256
from palsykit.files.weights import write_tensors
from palsykit.progress import say
from palsykit.training.groups import Groups
from palsykit.training.sharded import like, whole

KEEP = 2
"""How many checkpoints to keep: the newest, and one older as a fallback if it is damaged."""
STATE, MANIFEST = "state.json", "manifest.json"


def optimiser_state(groups: Groups, optimisers: dict[str, torch.optim.Optimizer]) -> dict[str, Tensor]:
    """AdamW's moments and step counts, keyed "group/parameter/moment".

    All parameters of bitsandbytes share one table of the numbers that 8 bits stand for; a file holds a copy for each.
    """
    state, seen = {}, set()
    for group, parameters in groups.items():
        for name, parameter in parameters.items():
            for moment, value in optimisers[group].state.get(parameter, {}).items():
                tensor = whole(torch.as_tensor(value))
                state[f"{group}/{name}/{moment}"] = tensor.clone() if tensor.data_ptr() in seen else tensor
                seen.add(tensor.data_ptr())
    return state


def restore_optimisers(state: dict[str, Tensor], groups: Groups, optimisers: dict[str, torch.optim.Optimizer]) -> None:
    """Restore the output of ``optimiser_state`` into the optimisers.

    torch counts steps in a tensor, fused on the device and else on the CPU; bitsandbytes in a number.
    """
    parameters = {f"{group}/{name}": (group, p) for group, named in groups.items() for name, p in named.items()}
    for key, value in state.items():
        where, moment = key.rsplit("/", 1)
        group, parameter = parameters[where]
        optimiser = optimisers[group]
        if moment == "step" and not isinstance(optimiser, torch.optim.AdamW):
            optimiser.state[parameter][moment] = int(value)
            continue
        if moment == "step":
            value = value.to(parameter.device) if optimiser.defaults.get("fused") else value
        else:
            value = like(value, parameter) if value.shape == parameter.shape else value.to(parameter.device)
        optimiser.state[parameter][moment] = value


def module_state(module: Any) -> dict[str, Tensor]:
    """State dict ready for safetensors: contiguous CPU copies. Empty for a trainer that is not a module."""
    if not isinstance(module, nn.Module):
        return {}
    return {key: whole(value.detach()).cpu().contiguous().clone() for key, value in module.state_dict().items()}


def not_finite(tensors: dict[str, Tensor]) -> list[str]:
    """The names of the tensors that hold a number that is not finite."""
    return [name for name, value in tensors.items() if value.is_floating_point() and not torch.isfinite(value).all()]


def save(
    folder: Path, step: int, tensors: dict[str, dict[str, Tensor]], facts: dict[str, Any], removes: bool = True
) -> Path:
    """Write checkpoints/.../step-NNNNNN, then remove older ones if it ``removes``.

    It holds one safetensors file per key of ``tensors``, ``facts`` as JSON, and a manifest with the SHA-256 of each.

    Raises:
        OSError: it cannot be written, for example because the disk is full. The checkpoints before it are as they were.
    """
    # Write everything into a partial folder.
    final = folder / f"step-{step:06d}"
    partial = folder / f"{PARTIAL}{step:06d}"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        for name, values in tensors.items():
            if values:
                write_tensors(values, partial / f"{name}.safetensors")
        (partial / STATE).write_text(json.dumps({"step": step, **facts}, indent=1))
        hashes = {file.name: sha256(file) for file in sorted(partial.iterdir())}
        (partial / MANIFEST).write_text(json.dumps({"sha256": hashes}, indent=1))
        # Flush the files to the disk before the rename: the final name means "complete".
        for file in partial.iterdir():
            flush(file)
        shutil.rmtree(final, ignore_errors=True)
        partial.rename(final)
    except OSError:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    if removes:
        remove_old(folder)
    return final


def remove_old(folder: Path) -> None:
    """Remove the oldest checkpoints, all but ``KEEP``."""
    for old in existing(folder)[:-KEEP]:
        remove(old)


def remove(path: Path) -> None:
    """Remove a checkpoint. A kill meanwhile leaves a partial folder, not a damaged one."""
    partial = path.with_name(f"{PARTIAL}{path.name}")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.rmtree(path.rename(partial))


def existing(folder: Path) -> list[Path]:
    """Checkpoints, oldest first; they may be damaged."""
    candidates = folder.glob("step-*") if folder.is_dir() else []
    return sorted(path for path in candidates if re.fullmatch(r"step-\d{6,}", path.name))


def step_of(path: Path) -> int:
    """The step in a checkpoint's name."""
    return int(path.name.removeprefix("step-"))


def newest(folder: Path) -> Path | None:
    """The newest checkpoint that is as it was written; None without any checkpoint.

    Damaged ones that are newer are renamed to damaged-..., and a line says so.

    Raises:
        PalsykitError: there are checkpoints, and all are damaged.
    """
    damaged: dict[Path, str] = {}
    for path in reversed(existing(folder)):
        reason = damage(path)
        if reason is None:
            for bad, why in damaged.items():
                say(f"{bad}: damaged ({why}); kept as {_set_aside(bad).name}; resuming from {path.name}")
            return path
        damaged[path] = reason
    if damaged:
        raise PalsykitError(
            f"{folder}: found no checkpoint that is as it was written; copy one back and run again, or start again "
            "with --fresh, which keeps this run under another name",
            [f"{path.name}: {reason}" for path, reason in damaged.items()],
        )
    return None


def damage(path: Path) -> str | None:
    """What is wrong with a checkpoint, by its manifest; None if nothing is."""
    try:
        hashes: dict[str, str] = json.loads((path / MANIFEST).read_text(encoding="utf-8"))["sha256"]
        for name, digest in hashes.items():
            if sha256(path / name) != digest:
                return f"{name} was changed"
        step = json.loads((path / STATE).read_text(encoding="utf-8"))["step"]
    except FileNotFoundError as error:
        return f"{Path(str(error.filename)).name} is missing"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"its {MANIFEST} cannot be read: {error}"
    if path.name != f"step-{step:06d}":
        return f"its {STATE} says step {step}"
    return None


def load(path: Path, name: str) -> dict[str, Tensor]:
    """Read one file of a checkpoint that ``newest`` gave; empty if the part had nothing to save."""
    file = path / f"{name}.safetensors"
    return load_file(file) if file.exists() else {}


def facts(path: Path) -> dict[str, Any]:
    """Read the JSON file of a checkpoint."""
    result: dict[str, Any] = json.loads((path / STATE).read_text(encoding="utf-8"))
    return result


def _set_aside(path: Path) -> Path:
    number = 0
    while (aside := path.with_name(f"damaged-{path.name}{f'.{number}' if number else ''}")).exists():
        number += 1
    return path.rename(aside)
