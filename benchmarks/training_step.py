"""Measure the cost of a recipe's training step, in seconds and as ratios measured side by side.

    python benchmarks/training_step.py --recipe recipes/cfcpalsy-112.yaml
    torchrun --standalone --nproc-per-node 2 benchmarks/training_step.py     # --batch is that of each process

palsykit's training loop runs complete steps (forward, backward, clipping, AdamW, EMA) with the recipe's trainer, then
with plain diffusion on the same model, in the recipe's precision and in full precision. Networks and model have random
weights, even if the recipe names weight files, and pictures are noise: this does not change the cost of a step.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from palsykit.cli.table import table
from palsykit.errors import PalsykitError
from palsykit.faces.pairing import pair
from palsykit.faces.records import FaceRecord, Rejected
from palsykit.faces.vocabulary import EXPRESSIONS, FaceLabels
from palsykit.recipe import Recipe, load_recipe
from palsykit.recipe.merge import read_extended
from palsykit.recipe.schema import PartBlock
from palsykit.run.parts import Data, Parts
from palsykit.run.runner import be_deterministic
from palsykit.training.batches import PairedFaces
from palsykit.training.loop import Job, Training
from palsykit.training.precision import autocast_dtype
from palsykit.training.processes import accelerator

ROOT = Path(__file__).parents[1]


class Noise:
    """One person's photographs, as many as a batch has rows, so that all features are cached in the second step."""

    attribution = "drawn by a benchmark"
    rejected: Sequence[Rejected] = ()

    def __init__(self, image_size: int, rows: int):
        self.image_size = image_size
        rng = np.random.default_rng(0)
        self._pictures = rng.integers(0, 256, (rows, image_size, image_size, 3), dtype=np.uint8)
        points = rng.uniform(0, image_size, (68, 2)).astype(np.float32)
        words = list(EXPRESSIONS)
        self.records = [
            FaceRecord(str(row), FaceLabels("person", words[row % len(words)]), points, "given", "train")
            for row in range(rows)
        ]

    def image(self, record: FaceRecord) -> NDArray[np.uint8]:
        """A picture of noise, [image_size, image_size, 3]."""
        return self._pictures[int(record.key)]


def at_random(path: Path, changes: Sequence[str]) -> Recipe:
    """The recipe with random weights instead of weight files and fits."""
    written = read_extended(path).value.get("networks") or {}
    networks = {name: block for name, block in written.items() if block is not None}  # null removes one
    named = [name for name, block in networks.items() if isinstance(block, dict) and "weights" in block]
    fits = ", ".join(f"{{network: {name}, trainer: {{use: diffusion}}, steps: 0}}" for name in networks)
    files = [f"networks.{name}.weights=null" for name in named]
    return load_recipe(path, [*changes, *files, f"fits=[{fits}]", "train.start=null"])


def stepper(
    parts: Parts, trainer: PartBlock, precision: str, batch: int, changes: Mapping[str, Any] | None = None
) -> Callable[[int], None]:
    """A training on ``batch`` pictures of noise: called with a number, it takes so many steps, as a run takes them.

    ``changes``: of the recipe's section ``train``.
    """
    data = Data(Noise(parts.settings.image_size, batch), 0)
    keys: dict[str, Any] = {"steps": 1 << 30, "batch_size": batch, "precision": precision, "accumulate": 1}
    settings = parts.settings.train.model_copy(update=keys | dict(changes or {}))
    faces = PairedFaces(data.dataset, pair(data.splits["train"], 0))
    be_deterministic()
    model, part = parts.model(), parts.trainer(trainer, data)
    training, done = Training(Job("step", model, part, faces, settings, 0, Path("unused"), lambda line: None)), 0
    batches = training.batches(0)

    def take(steps: int) -> None:
        nonlocal done
        for _ in range(steps):
            training.step(done, [next(batches).to(training.device, non_blocking=True)])
            done += 1
            if done % settings.log_every == 0:
                training.log(done)

    return take


def step_seconds(
    parts: Parts, trainer: PartBlock, precision: str, batch: int, steps: int, now: Callable[[], float] | None = None
) -> tuple[float, float]:
    """(first step, median of the later steps) in seconds; the first one runs the frozen networks on every picture.

    ``now``: the clock; None: the wall's.
    """
    now = now or _now
    take, spans = stepper(parts, trainer, precision, batch), []
    for _ in range(1 + steps):
        began = now()
        take(1)
        spans.append(now() - began)
    return spans[0], statistics.median(spans[1:])


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def measure(recipe: Recipe, batch: int, steps: int) -> dict[str, Any]:
    """Compute all figures of one recipe.

    Raises:
        PalsykitError: the recipe does not train a diffusion model.
    """
    if recipe.settings.trainer is None:
        raise PalsykitError(f"{recipe.path}: trains no diffusion model; expected a recipe with trainer and denoiser")
    parts = Parts(recipe)
    own, plain = recipe.settings.trainer, PartBlock(use="diffusion")
    precision = "fp32" if autocast_dtype(recipe.settings.train.precision, parts.device) is None else "bf16"
    first, whole = step_seconds(parts, own, precision, batch, steps)
    _, diffusion = step_seconds(parts, plain, precision, batch, steps)
    seconds = {"first": first, "step": whole, "plain diffusion": diffusion}
    ratios = {f"{own.use} / plain diffusion": whole / diffusion}
    if precision != "fp32":
        _, seconds["fp32"] = step_seconds(parts, own, "fp32", batch, steps)
        ratios[f"{precision} / fp32"] = whole / seconds["fp32"]
    return {
        "benchmark": "training_step",
        "recipe": recipe.name,
        "image_size": recipe.settings.image_size,
        "batch_size": batch,
        "processes": accelerator().num_processes,
        "parameters": sum(p.numel() for p in parts.model().parameters()),
        "device": f"{parts.device.type}, threads: {torch.get_num_threads()}",
        "trainer": own.use,
        "precision": precision,
        "seconds": seconds,
        "ratios": ratios,
    }


def summary(found: dict[str, Any]) -> str:
    """A title and a table of the seconds."""
    own, kind, seconds = found["trainer"], found["precision"], found["seconds"]
    batch = found["batch_size"] * found["processes"]
    steps = {
        f"{own}, {kind}, first step": seconds["first"],
        f"{own}, {kind}": seconds["step"],
        f"plain diffusion, {kind}": seconds["plain diffusion"],
    }
    if "fp32" in seconds:
        steps[f"{own}, fp32"] = seconds["fp32"]
    rows = [(name, f"{s:.3f}", f"{batch / s:.2f}", f"{s / seconds['step']:.2f}") for name, s in steps.items()]
    title = f"{found['recipe']}: {found['image_size']} px, {found['parameters'] / 1e6:.1f} M trained parameters"
    return f"{title}, batch {batch}, {found['device']}\n{table(('step', 'seconds', 'images/s', 'ratio'), rows)}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table and a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--recipe", type=Path, default=ROOT / "recipes" / "cfcpalsy-112.yaml")
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="change the recipe")
    parser.add_argument("--batch", type=int, default=2, help="rows per step")
    parser.add_argument("--steps", type=int, default=1, help="steps measured after the first; their median is reported")
    options = parser.parse_args(arguments)
    found = measure(at_random(options.recipe, options.set), options.batch, options.steps)
    if accelerator().is_main_process:  # only this one has seconds
        print(summary(found))
        print(json.dumps(found))


if __name__ == "__main__":
    main()
