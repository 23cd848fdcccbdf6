"""A recipe's run, stage by stage: prepare, fit, train, generate, evaluate, report."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from palsykit.errors import PalsykitError
from palsykit.files.provenance import provenance, record
from palsykit.recipe import Recipe, load_recipe
from palsykit.run.evaluate import evaluate
from palsykit.run.folder import RunFolder, open_run
from palsykit.run.generate import generate
from palsykit.run.parts import Parts, check_guidance
from palsykit.run.prepare import prepare
from palsykit.run.train import (
    check_all_flips,
    fit,
    restore_fits,
    train_model,
    trained_model,
)
from palsykit.training.loop import accelerator

NOT_FOR_SYNTHESIS = ("data", "fits", "train", "trainer", "metrics", "poser")
"""Sections that synthesis alone does not use; what is built of them all the same is checked then."""


@dataclass(frozen=True)
class RunSummary:
    """Where a run ended.

    Attributes:
        report: its report.
        already_done: nothing was left to do.
    """

    report: Path
    already_done: bool


def run_recipe(recipe: Recipe, output: Path, fresh: bool = False) -> RunSummary:
    """Runs a recipe into a folder, going on where a stopped run left off.

    Args:
        recipe: as ``load_recipe`` gives it.
        output: the run folder.
        fresh: begin anew; an old run is kept beside it.

    Raises:
        PalsykitError: for anything the user can mend.
    """
    run = _opened(recipe, output, fresh)
    if run.finished():
        return RunSummary(run.report, already_done=True)
    parts = _trained(run, recipe)
    if run.writes:
        _show(run, parts)
    return RunSummary(run.report, already_done=False)


def train_recipe(recipe: Recipe, output: Path) -> tuple[RunFolder, Parts]:
    """Prepares, fits and trains into a folder, going on where a stopped run left off; pictures are left to the caller.

    ``run_recipe`` into the same folder does the rest.

    Returns:
        The run, and its parts with their fitted networks; ``trained_model`` gives its model.

    Raises:
        PalsykitError: for anything the user can mend.
    """
    run = _opened(recipe, output, fresh=False)
    if "train" in run.state()["stages"]:
        return run, reopened(run)
    parts = _trained(run, recipe)
    parts.forget()  # synthesis needs the memory and reads no training data
    return run, parts


def _opened(recipe: Recipe, output: Path, fresh: bool) -> RunFolder:
    check_guidance(recipe.settings.generate.guidance, recipe.settings)
    main = accelerator().is_main_process
    with accelerator().main_process_first():  # the others find the folder made
        return replace(open_run(recipe, output, fresh and main), writes=main)


def _trained(run: RunFolder, recipe: Recipe) -> Parts:
    """The first three stages, and the parts with what they made."""
    be_deterministic()
    parts = Parts(recipe)
    with _stage(run, parts, "prepare") as facts:
        if facts is not None:
            prepare(run, parts, facts)
            check_all_flips(parts)
    with _stage(run, parts, "fit") as facts:
        restore_fits(run, parts)
        if facts is not None:
            fit(run, parts, facts)
    parts.predicts_landmarks = True
    with _stage(run, parts, "train") as facts:
        if facts is not None:
            train_model(run, parts, facts)
    return parts


@contextmanager
def _stage(run: RunFolder, parts: Parts, name: str) -> Iterator[dict[str, Any] | None]:
    """``RunFolder.stage``; a stage that is done is noted in provenance.json."""
    with run.stage(name) as facts:
        yield facts
        if facts is not None and run.writes:
            record(run.provenance, name, provenance(parts.recipe.resolved, parts.device))


def evaluate_run(folder: Path) -> dict[str, float | None]:
    """Measures a trained run's pictures again, writes metrics.json and the report, and gives the figures.

    Raises:
        PalsykitError: where the folder is no run or its training is not finished.
    """
    run = RunFolder(folder)
    be_deterministic()
    parts = reopened(run)
    run.forget("evaluate", "report")
    _show(run, parts)
    figures: dict[str, float | None] = json.loads(run.metrics.read_text(encoding="utf-8"))["metrics"]
    return figures


def reopened(run: RunFolder) -> Parts:
    """A finished training's parts with its fitted networks; reads no data set, and no file that only training needs.

    Raises:
        PalsykitError: where the folder is no run, or its training is not finished.
    """
    if "train" not in run.state()["stages"]:
        raise PalsykitError(
            f"{run.path}: its training is not finished; go on with it: palsykit run {run.recipe} --output {run.path}"
        )
    parts = Parts(load_recipe(run.recipe, unchecked=NOT_FOR_SYNTHESIS))
    restore_fits(run, parts)
    parts.predicts_landmarks = True
    return parts


def _show(run: RunFolder, parts: Parts) -> None:
    settings = parts.settings
    synthesises = settings.synthesiser is not None or settings.sampler is not None
    synthesiser = parts.synthesiser(trained_model(run, parts)) if synthesises else None
    with _stage(run, parts, "generate") as facts:
        if facts is not None and synthesiser is not None:
            generate(run, parts, synthesiser, facts)
    with _stage(run, parts, "evaluate") as facts:
        if facts is not None and synthesiser is not None and settings.metrics:
            evaluate(run, parts, synthesiser, facts)
    with _stage(run, parts, "report") as facts:
        if facts is not None:
            from palsykit.run.report import write_report  # matplotlib: half a second that synthesis does without

            write_report(run, parts, facts)


def be_deterministic() -> None:
    """Makes torch compute the same again on the same machine, where it can."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
