"""Checkpoints: safetensors and JSON, written completely or not at all. A resumed run is identical to the last bit."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from palsykit.errors import PalsykitError
from palsykit.files.atomic import flush
from palsykit.training.groups import Groups

KEEP = 2
"""How many checkpoints to keep: the newest, and one older as a fallback if it is damaged."""


def optimiser_state(groups: Groups, optimisers: dict[str, torch.optim.AdamW]) -> dict[str, Tensor]:
    """AdamW's moments and step counts, keyed "group/parameter/moment"."""
    state = {}
    for group, parameters in groups.items():
        for name, parameter in parameters.items():
            for moment, value in optimisers[group].state.get(parameter, {}).items():
                state[f"{group}/{name}/{moment}"] = torch.as_tensor(value)
    return state


def restore_optimisers(state: dict[str, Tensor], groups: Groups, optimisers: dict[str, torch.optim.AdamW]) -> None:
    """Restore the output of ``optimiser_state`` into the optimisers."""
    parameters = {f"{group}/{name}": (group, p) for group, named in groups.items() for name, p in named.items()}
    for key, value in state.items():
        where, moment = key.rsplit("/", 1)
        group, parameter = parameters[where]
        device = "cpu" if moment == "step" else parameter.device
        optimisers[group].state[parameter][moment] = value.to(device)


def module_state(module: Any) -> dict[str, Tensor]:
    """State dict ready for safetensors: contiguous CPU copies. Empty for a trainer that is not a module."""
    if not isinstance(module, nn.Module):
        return {}
    return {key: value.detach().cpu().contiguous().clone() for key, value in module.state_dict().items()}


def save(folder: Path, step: int, tensors: dict[str, dict[str, Tensor]], facts: dict[str, Any]) -> Path:
    """Write checkpoints/.../step-NNNNNN with one safetensors file per key of ``tensors``, then remove older ones."""
    # Write everything into a partial folder.
    final = folder / f"step-{step:06d}"
    partial = folder / f".partial-{step:06d}"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for name, values in tensors.items():
        if values:
            save_file(values, partial / f"{name}.safetensors")
    (partial / "state.json").write_text(json.dumps({"step": step, **facts}, indent=1))
    # Flush the files to the disk before the rename: the final name means "complete".
    for file in partial.iterdir():
        flush(file)
    shutil.rmtree(final, ignore_errors=True)
    partial.rename(final)
    # Remove old checkpoints.
    for old in existing(folder)[:-KEEP]:
        shutil.rmtree(old)
    return final


def existing(folder: Path) -> list[Path]:
    """Complete checkpoints, oldest first."""
    candidates = folder.glob("step-*") if folder.is_dir() else []
    return sorted(path for path in candidates if re.fullmatch(r"step-\d{6,}", path.name))


def load(path: Path, name: str) -> dict[str, Tensor]:
    """Read one file of a checkpoint; empty if the part had nothing to save.

    Raises:
        PalsykitError: the file is damaged.
    """
    file = path / f"{name}.safetensors"
    if not file.exists():
        return {}
    try:
        return load_file(file)
    except Exception as error:
        raise PalsykitError(
            f"{file}: not a readable safetensors file ({error}); remove the folder {path} and run again: training "
            "resumes from the checkpoint before it"
        ) from error


def facts(path: Path) -> dict[str, Any]:
    """Read the JSON file of a checkpoint."""
    result: dict[str, Any] = json.loads((path / "state.json").read_text())
    return result
