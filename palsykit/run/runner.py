"""Run a recipe stage by stage: prepare, fit, train, generate, evaluate, report."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from palsykit.errors import PalsykitError
from palsykit.files.provenance import provenance, record
from palsykit.measure.passes import check_needs
from palsykit.recipe import Recipe, load_recipe
from palsykit.run.evaluate import build_metrics, evaluate
from palsykit.run.exported import require_parts
from palsykit.run.folder import RunFolder, held, open_run
from palsykit.run.generate import generate, generated, synthesised
from palsykit.run.manifest import require_made, require_model
from palsykit.run.parts import Parts, check_guidance
from palsykit.run.prepare import prepare, require_people
from palsykit.run.same_data import require_same
from palsykit.run.tracking import tracked
from palsykit.run.train import check_all_flips, check_model, fit, restore_fits, train_model, trained_model
from palsykit.run.watch import require_watched
from palsykit.training.processes import accelerator

NOT_FOR_SYNTHESIS = ("data", "fits", "train", "trainer", "metrics", "poser", "watch")
"""Sections that synthesis does not need. They are not checked when a run is opened; a part is checked when built."""


@dataclass(frozen=True)
class RunSummary:
    """The result of a run.

    Attributes:
        report: path of the report.
        already_done: whether the run was finished before.
    """

    report: Path
    already_done: bool


def run_recipe(recipe: Recipe, output: Path, fresh: bool = False) -> RunSummary:
    """Run a recipe into a folder; resumes a stopped run.

    Args:
        recipe: from ``load_recipe``.
        output: the run folder.
        fresh: start again; an existing run is renamed and kept beside the new one.

    Raises:
        PalsykitError: a problem that the user can correct.
    """
    with _opened(recipe, output, fresh) as run:
        if run.finished():
            return RunSummary(run.report, already_done=True)
        parts = _trained(run, recipe)
        if run.writes:
            _show(run, parts)
        return RunSummary(run.report, already_done=False)


def train_recipe(recipe: Recipe, output: Path) -> tuple[RunFolder, Parts]:
    """Run the stages prepare, fit and train into a folder; resumes a stopped run.

    ``run_recipe`` with the same folder runs the other stages.

    Returns:
        The run, and its parts with their fitted networks; ``trained_model`` loads its model.

    Raises:
        PalsykitError: a problem that the user can correct.
    """
    with _opened(recipe, output) as run:
        if "train" in run.state()["stages"]:
            return run, reopened(run)
        parts = _trained(run, recipe, shows=False)
        parts.forget()  # synthesis needs the memory and reads no training data
        return run, parts


@contextmanager
def _opened(recipe: Recipe, output: Path, fresh: bool = False) -> Iterator[RunFolder]:
    """The run's folder, held by the main process of this run."""
    check_guidance(recipe.settings.generate.guidance, recipe.settings)
    main = accelerator().is_main_process
    with held(output, fresh) if main else nullcontext():
        with accelerator().main_process_first():  # only the main process creates the folder
            run = replace(open_run(recipe, output), writes=main)
            if main:
                run.repair()
        yield run


def _trained(run: RunFolder, recipe: Recipe, shows: bool = True) -> Parts:
    """Run the first three stages; returns the parts with their fitted networks.

    ``shows``: the other stages follow, so what they need is checked before anything is trained.
    """
    be_deterministic()
    parts = Parts(recipe)
    with _stage(run, parts, "prepare") as facts:
        if facts is not None:
            check_model(parts)
            prepare(run, parts, facts)
            check_all_flips(parts)
            require_watched(parts)
            if shows:
                require_people(parts)
                check_needs(build_metrics(parts))
    parts.check = partial(require_same, run)
    with tracked(run, recipe.settings.tracking, {"recipe": recipe.hash, "seed": recipe.settings.seed}) as trackers:
        with _stage(run, parts, "fit") as facts:
            restore_fits(run, parts)
            if facts is not None:
                fit(run, parts, facts, trackers)
        parts.predicts_landmarks = True
        with _stage(run, parts, "train") as facts:
            if facts is not None:
                train_model(run, parts, facts, trackers)
    return parts


@contextmanager
def _stage(run: RunFolder, parts: Parts, name: str) -> Iterator[dict[str, Any] | None]:
    """``RunFolder.stage``; also records a finished stage in provenance.json."""
    with run.stage(name) as facts:
        yield facts
        if facts is not None and run.writes:
            record(run.provenance, name, provenance(parts.recipe.resolved, parts.device))


def evaluate_run(folder: Path) -> dict[str, float | None]:
    """Measure a trained run's pictures again; writes metrics.json and the report, and returns the figures.

    Raises:
        PalsykitError: the folder is not a run, its training is not finished, its pictures have changed since, or its
            data are not those it began with.
    """
    run = RunFolder(folder)
    run.refuse_exported("compute its metrics")
    be_deterministic()
    parts = reopened(run)
    require_made(run.path, "prepare", "generate")
    with held(folder):
        run.forget("evaluate", "report")
        _show(run, parts)
    figures: dict[str, float | None] = json.loads(run.metrics.read_text(encoding="utf-8"))["metrics"]
    return figures


def pictures_again(folder: Path, count: int) -> list[int]:
    """Synthesise a run's first ``count`` pictures again; the largest difference of each in levels of 255.

    Raises:
        PalsykitError: the folder is not a run with pictures, or its weights are not as they were trained.
    """
    run = RunFolder(folder)
    run.refuse_exported("make its pictures again")
    be_deterministic()
    parts = reopened(run)
    if "generate" not in run.state()["stages"] or not run.facts("generate").get("images"):
        raise PalsykitError(f"{folder}: it has no pictures to make again; resume it: palsykit run {run.recipe}")
    synthesiser = parts.synthesiser(trained_model(run, parts))
    before = generated(run, parts.chosen_pairs)[:count]
    again = synthesised(parts, synthesiser, range(len(before)))
    return [int(np.abs(a.astype(int) - b).max()) for a, b in zip(before, again, strict=True)]


def reopened(run: RunFolder) -> Parts:
    """Open a trained run: its parts with the fitted networks. Reads no data set and no file that only training needs.

    Raises:
        PalsykitError: the folder is not a run, its training is not finished, its weights have changed since, or it is
            a stranger's and names a file outside it.
    """
    within = run.bound()  # before anything else of it is read: it may be a stranger's
    if "train" not in run.state()["stages"]:
        raise PalsykitError(
            f"{run.path}: its training is not finished; resume it: palsykit run {run.recipe} --output {run.path}"
        )
    require_model(run.path)
    recipe = (
        _recipe_of_exported(run, within) if run.exported else load_recipe(run.recipe, (), NOT_FOR_SYNTHESIS, within)
    )
    parts = Parts(recipe)
    parts.check = partial(require_same, run)
    parts.refuse = partial(run.refuse_exported, "read them") if run.exported else None
    restore_fits(run, parts)
    parts.predicts_landmarks = True
    return parts


def _recipe_of_exported(run: RunFolder, within: Path | None) -> Recipe:
    """Its recipe has other paths than the run's, and a poser whose files are in the folder, but is the same recipe."""
    require_parts(run.path, run.state().get("parts"))
    unchecked = [name for name in NOT_FOR_SYNTHESIS if name != "poser"]
    return replace(load_recipe(run.recipe, (), unchecked, within), hash=str(run.state()["recipe_hash"]))


def _show(run: RunFolder, parts: Parts) -> None:
    """Run the last three stages."""
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
            from palsykit.run.report import write_report  # imports matplotlib, which takes half a second

            write_report(run, parts, facts)


def be_deterministic() -> None:
    """Use deterministic algorithms where torch has them: repeated runs on one machine then give the same result.

    torch would also fill new memory, so that code which reads it before it writes is repeatable; nothing here does, and
    it takes 5 to 15 % of a training step on a CPU (docs/lab-notes.md).
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it a GPU's products do not repeat
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
