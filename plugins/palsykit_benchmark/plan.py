"""From a benchmark's recipe to jobs; every recipe is read and checked before anything is trained."""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from palsykit.errors import PalsykitError
from palsykit.files.resources import locate
from palsykit.recipe.load import Recipe
from palsykit.recipe.merge import read_extended
from palsykit.recipe.overrides import apply
from palsykit.recipe.parts import Reader
from palsykit.recipe.problems import KeyPath, Problem, RecipeError, describe, dotted, nearest
from palsykit.recipe.read import Tree, displayed
from palsykit.registry import registry
from palsykit_benchmark.compose import layered, resolved, subtree, with_data, with_values
from palsykit_benchmark.schema import Benchmark, SplitData

T = TypeVar("T")
TRUTH = "truth"
"""The name of a row in every table; reserved, so no system may have it."""


@dataclass(frozen=True)
class Job:
    """One system with one seed, trained for one data set.

    Attributes:
        recipe: to train; None for a run that exists already.
        run: the folder of an existing run.
    """

    system: str
    data: str
    seed: int
    recipe: Recipe | None
    run: Path | None

    @property
    def name(self) -> str:
        return f"{self.system} on {self.data}, seed {self.seed}"

    @property
    def folder(self) -> str:
        """Name of the job's folder; depends on the recipe, so data sets with the same training people share it."""
        origin = self.recipe.hash[:10] if self.recipe is not None else "run"
        return f"{slug(self.system)}-seed{self.seed}-{origin}"


@dataclass(frozen=True)
class Plan:
    """Everything that a benchmark does.

    Attributes:
        judges: data set -> the recipe that chooses the people and measures.
        protocols: data set -> names of its protocols.
        reference: the system that the others are tested against.
        text: the benchmark's recipe, with everything that it extends merged in.
    """

    name: str
    path: Path
    settings: Benchmark
    systems: tuple[str, ...]
    about: dict[str, str]
    judges: dict[str, Recipe]
    protocols: dict[str, tuple[str, ...]]
    jobs: tuple[Job, ...]
    reference: str | None
    text: dict[str, Any]


def is_split(block: Any) -> bool:
    """Whether a data set describes training and test people separately."""
    return isinstance(block, dict) and "use" not in block


def slug(text: str) -> str:
    """``text`` as a file name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-")


def load_benchmark(path: Path, overrides: Sequence[str] = (), systems: Sequence[str] = (),
                   data: Sequence[str] = ()) -> Plan:  # fmt: skip
    """Read a benchmark's recipe and every recipe in it.

    Args:
        path: a YAML file.
        overrides: ``a.b.c=VALUE``, each applied on top.
        systems, data: names to select; empty takes all.

    Raises:
        RecipeError: with every problem of every recipe.
    """
    shown = displayed(path)
    tree = apply(read_extended(path), overrides, shown)
    _drop_removed(tree)
    reader = Reader(tree)
    settings = reader.read(Benchmark, tree.value)
    if settings is not None:
        _check_names(reader, settings, systems, data)
    if settings is None or reader.problems:
        raise RecipeError(shown, reader.problems)
    return _Reader(tree, path, settings).plan(systems or tuple(settings.systems), data or tuple(settings.data))


def _drop_removed(tree: Tree) -> None:
    """A null removes a parent's system, data set or figure."""
    for section in ("systems", "data", "figures"):
        block = tree.value.get(section)
        if isinstance(block, dict):
            tree.value[section] = {k: v for k, v in block.items() if v is not None or (section, k) not in tree.removed}


def _check_names(reader: Reader, settings: Benchmark, systems: Sequence[str], data: Sequence[str]) -> None:
    """Check that all names in references and options exist, and that no system has the reserved name TRUTH."""
    known = settings.systems
    for section, option, there, wanted in (
        ("systems", "--system", settings.systems, systems),
        ("data", "--data", settings.data, data),
    ):
        if not there:
            reader.complain((section,), "nothing", f"one or more {section}")
        for name in wanted:
            if name not in there:
                expected = f"one of {', '.join(there)}"
                reader.problems.append(Problem(f"{option} {name}", "", f'"{name}"', expected, nearest(name, there)))
        for name, block in there.items():
            if block is None:
                reader.complain((section, name), "null", "a recipe or data set; there is none of this name to remove")
    for name, block in settings.data.items():
        if is_split(block):
            reader.read(SplitData, block, ("data", name))
    if TRUTH in known:
        reader.complain(("systems", TRUTH), "a system of this name", "another name: truth is a row of every table")
    if settings.reference is not None and settings.reference not in known:
        reader.complain(("reference",), f'"{settings.reference}"', f"one of the systems {', '.join(known)}")
    for name, row in settings.figures.items():
        if row.above is not None and row.above not in known:
            reader.complain(("figures", name, "above"), f'"{row.above}"', f"one of the systems {', '.join(known)}")


class _Reader:
    """Composes recipes; collects the problems of all of them in ``problems``."""

    def __init__(self, tree: Tree, path: Path, settings: Benchmark):
        self.tree, self.path, self.settings = tree, path, settings
        self.shown, self.problems = displayed(path), list[Problem]()
        self.every = subtree(tree, ("every",)) if "every" in tree.value else Tree({}, {(): tree.spot(())})

    def plan(self, systems: Sequence[str], data: Sequence[str]) -> Plan:
        judges = {name: recipe for name in data if (recipe := self._try(partial(self._judges, name))) is not None}
        size = next(iter(judges.values())).settings.image_size if judges else None
        jobs = [job for name in data for system in systems for job in self._jobs(system, name, size)]
        if self.problems:
            raise RecipeError(self.shown, self.problems)
        jobs.sort(key=lambda job: self.settings.seeds.index(job.seed))  # all systems of one seed first
        about = {job.system: _about(job) for job in reversed(jobs)}
        wanted = self.settings.reference or systems[0]
        protocols = {name: self._protocols(name) for name in data}
        return Plan(
            self.settings.name or self.path.stem, self.path, self.settings, tuple(systems), about, judges, protocols,
            tuple(jobs), wanted if wanted in systems else None, self.tree.value,
        )  # fmt: skip

    def _judges(self, data: str) -> Recipe:
        tree = with_data(layered(subtree(self.tree, ("judges",)), Tree({}, {}), self.path), self._data(data, "test"))
        if self.settings.people is not None:
            at = subtree(self.tree, ())
            tree = with_values(tree, {"generate": {"identities": self.settings.people}}, at)
        recipe = resolved(tree, self.path, f"{self.shown}, judges", "judges")
        self._check_judges(recipe)
        return recipe

    def _check_judges(self, recipe: Recipe) -> None:
        """Check that a metric has the other metrics that its class requires, with the same network."""
        metrics = recipe.settings.metrics
        if not metrics:
            self._complain(("judges",), "no metrics", "one or more, such as psnr: {use: psnr}")
        there = {(block.use, str(block.parameters.get("network"))) for block in metrics.values()}
        for name, block in metrics.items():
            network = str(block.parameters.get("network"))
            beside: dict[str, str] = getattr(registry().get("metrics", block.use).load(), "beside", {})
            for other, reason in beside.items():
                if (other, network) not in there:
                    shown = other.upper()
                    expected = f"{shown} beside it, {other}: {{use: {other}, network: {network}}}: {reason}"
                    self._complain(("judges",), f"the metric {name} without {shown}", expected)

    def _jobs(self, system: str, data: str, size: int | None) -> Iterable[Job]:
        here = ("systems", system)
        own = subtree(self.tree, here)
        if "run" in own.value:
            if (folder := self._try(partial(self._run, own, here))) is not None:
                yield Job(system, data, self.settings.seeds[0], None, folder)
            return
        for seed in self.settings.seeds:
            recipe = self._try(partial(self._system, own, system, data, seed, size))
            if recipe is None:
                return
            if size is not None and recipe.settings.image_size != size:
                self._complain(here, f"image_size {recipe.settings.image_size}", f"the judges' {size}")
            yield Job(system, data, seed, recipe, None)
            if recipe.settings.trainer is None and not recipe.settings.fits:
                return  # nothing is trained: another seed would give the same

    def _run(self, own: Tree, here: KeyPath) -> Path:
        folder, spot = own.value["run"], own.spot(("run",))
        if len(own.value) > 1:
            self._complain(here, describe(own.value), "run: FOLDER alone: a run has its recipe")
        if not isinstance(folder, str):
            raise RecipeError(self.shown, [Problem(spot.value, dotted((*here, "run")), describe(folder), "a folder")])
        try:
            return locate(folder, spot.folder)
        except FileNotFoundError as error:
            expected = f"the folder of a finished run ({error})"
            raise RecipeError(
                self.shown, [Problem(spot.value, dotted((*here, "run")), f'"{folder}"', expected)]
            ) from None

    def _system(self, own: Tree, system: str, data: str, seed: int, size: int | None) -> Recipe:
        tree = with_data(layered(own, self.every, self.path), self._data(data, "train"))
        values: dict[str, Any] = {"seed": seed}
        if size is not None and "extends" not in own.value and "image_size" not in tree.value:
            values["image_size"] = size  # a recipe without a parent takes the benchmark's size
        tree, shown = with_values(tree, values, own), f"{self.shown}, system {system}"
        recipe = resolved(tree, self.path, shown, system)
        settings, images = recipe.settings, self.settings.train_images
        if images is None or settings.trainer is None:
            return recipe
        steps = math.ceil(images / (settings.train.batch_size * settings.train.accumulate))
        return resolved(with_values(tree, {"train": {"steps": steps}}, own), self.path, shown, system)

    def _data(self, name: str, kind: str) -> Tree:
        """The block of a data set for ``kind``, "train" or "test"."""
        apart = is_split(self.tree.value["data"][name])
        return subtree(self.tree, ("data", name, kind) if apart else ("data", name), "use")

    def _protocols(self, name: str) -> tuple[str, ...]:
        block = self.tree.value["data"][name]
        own = block.get("protocols") if is_split(block) else None
        return tuple(self.settings.protocols if own is None else own)

    def _try(self, make: Callable[[], T]) -> T | None:
        """The result of ``make``; if a recipe is wrong, None, and its problems are collected."""
        try:
            return make()
        except RecipeError as error:
            self.problems += error.problems
        except PalsykitError as error:
            self.problems.append(Problem(self.shown, "", str(error), "a recipe that can be read"))
        return None

    def _complain(self, path: KeyPath, found: str, expected: str) -> None:
        self.problems.append(Problem(self.tree.spot(path).value, dotted(path), found, expected))


def _about(job: Job) -> str:
    """A system's description; of an existing run only its name, so that no path is published."""
    if job.recipe is not None:
        return job.recipe.settings.about
    assert job.run is not None  # a job without a recipe examines a run
    return f"the run {job.run.name}"
