"""The best weights of a training by a stated figure, in checkpoints/train/best/step-NNNNNN beside the last ones.

A folder says by which figure it was kept and its value. Besides the best one, those stay that were the best when a
checkpoint was written: a run that resumes from that checkpoint takes back what came later.
"""

import math
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from palsykit.errors import PalsykitError
from palsykit.files.weights import load_exact
from palsykit.progress import say
from palsykit.training import checkpoint

WEIGHTS = "ema"


def offer(folder: Path, step: int, figure: str, value: float, weights: dict[str, Tensor]) -> bool:
    """Keep the weights if they are the best so far: finite, with a lower value. Returns whether they are."""
    if not math.isfinite(value) or any(value >= _value(path) for path in checkpoint.existing(folder)):
        return False
    if checkpoint.not_finite(weights):
        return False
    checkpoint.save(folder, step, {WEIGHTS: weights}, {"figure": figure, "value": value}, removes=False)
    return True


def best(folder: Path) -> Path | None:
    """The best weights' folder, or None."""
    return min(checkpoint.existing(folder), key=_value, default=None)


def remove_worse(folder: Path, steps: list[int]) -> None:
    """Remove all but the best one and those that were the best at ``steps``."""
    folders = checkpoint.existing(folder)
    needed = {
        min((p for p in folders if checkpoint.step_of(p) <= step), key=_value, default=None)
        for step in [*steps, _last(folders)]
    }
    for path in folders:
        if path not in needed:
            checkpoint.remove(path)


def rewind(folder: Path, step: int, figure: str | None) -> None:
    """Remove what was kept after ``step`` or by another figure, and what was changed, which is said."""
    for path in checkpoint.existing(folder):
        if (reason := checkpoint.damage(path)) is not None:
            say(f"{path}: damaged ({reason}) and removed; the best of the other steps is kept")
            checkpoint.remove(path)
        elif checkpoint.step_of(path) > step or step == 0 or checkpoint.facts(path).get("figure") != figure:
            checkpoint.remove(path)


def load_best(module: nn.Module, folder: Path) -> dict[str, Any]:
    """Load the best weights into ``module``; returns their step, figure and value.

    Raises:
        PalsykitError: there are none, or they are not those of this model.
    """
    path = best(folder)
    if path is None:
        raise PalsykitError(
            f"{folder}: found no best weights, which generate.checkpoint: best needs; no look had a finite figure, or "
            "they were removed: set generate.checkpoint to last, with --fresh or another --output"
        )
    try:
        load_exact(module, path / f"{WEIGHTS}.safetensors")
    except (OSError, ValueError) as error:
        raise PalsykitError(str(error)) from error
    facts = checkpoint.facts(path)
    return {name: facts[name] for name in ("step", "figure", "value")}


def _value(path: Path) -> float:
    try:
        return float(checkpoint.facts(path)["value"])
    except (OSError, ValueError, KeyError, TypeError):
        return math.inf  # damaged: any other is better


def _last(folders: list[Path]) -> int:
    return checkpoint.step_of(folders[-1]) if folders else 0
