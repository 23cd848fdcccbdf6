"""Trains, synthesises and measures, one job after another; a job that fails is noted and the others are done."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from palsykit.errors import PalsykitError
from palsykit.faces.views import to_pictures
from palsykit.files.atomic import write_text
from palsykit.files.hashes import sha256
from palsykit.interfaces import Images, Synthesiser
from palsykit.measure.statistics import Statistic
from palsykit.progress import say
from palsykit.report.contents import Picture
from palsykit.run.folder import RunFolder
from palsykit.run.parts import Parts
from palsykit.run.runner import be_deterministic, reopened, train_recipe
from palsykit.run.train import trained_model
from palsykit_benchmark.examine import Examination, examination, synthesis_seconds, synthesised
from palsykit_benchmark.plan import Job, Plan, slug
from palsykit_benchmark.protocols import PROTOCOLS

Place = tuple[str, str]
"""(Data set, protocol): one table."""


@dataclass(frozen=True)
class Cost:
    """The cost of a system with one seed.

    Attributes:
        images: number of training images, repeats counted; 0 without training.
        training: seconds of fitting networks and of training; after a resume, of the last part only.
        synthesis: table -> seconds per picture of the first pass; None if unknown.
        parameters: number of trained parameters.
        recipe_hash: of the recipe that was run.
    """

    images: int
    training: float
    parameters: int
    recipe_hash: str
    synthesis: dict[Place, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Failure:
    """A job that failed.

    Attributes:
        what: the job; and the protocol, if only that failed.
        error: kind and message.
        trace: a file with the traceback.
    """

    system: str
    data: str
    seed: int | None
    what: str
    error: str
    trace: Path


@dataclass
class Results:
    """Everything measured.

    Attributes:
        found: table -> system -> seed -> figure.
        ceiling: table -> the truth's figures, and the subject of each of its rows.
        subjects: table -> the subject of each row.
        exams: table -> its rows and judges.
        shown: table -> system -> pictures of the first rows, with the first seed.
        cost: (system, data set) -> seed -> cost.
    """

    found: dict[Place, dict[str, dict[int, dict[str, Statistic]]]] = field(default_factory=dict)
    ceiling: dict[Place, tuple[dict[str, Statistic], list[str]]] = field(default_factory=dict)
    subjects: dict[Place, list[str]] = field(default_factory=dict)
    exams: dict[Place, Examination] = field(default_factory=dict)
    shown: dict[Place, dict[str, list[Picture]]] = field(default_factory=dict)
    cost: dict[tuple[str, str], dict[int, Cost]] = field(default_factory=dict)
    failed: list[Failure] = field(default_factory=list)


def work_through(plan: Plan, folder: Path, kept: Path, measure_only: bool = False) -> Results:
    """Do every job that is not done yet, and measure all.

    Args:
        plan: the jobs.
        folder: tracebacks of failures go below it.
        kept: folder of runs and pictures; existing ones are reused or resumed.
        measure_only: train nothing; jobs that are not trained yet fail.
    """
    be_deterministic()
    results = Results()
    worker = _Worker(plan, folder, kept, results)
    for data in plan.judges:
        worker.attempt(f"judges on {data}", "", data, None, partial(worker.prepare, data))
    check_figures(plan, results)
    for number, job in enumerate(plan.jobs, 1):
        say(f"[{number}/{len(plan.jobs)}] {job.name}")
        worker.attempt(job.name, job.system, job.data, job.seed, partial(worker.run, job, measure_only))
    return results


def check_figures(plan: Plan, results: Results) -> None:
    """Refuse figures that no judge has, before hours of training.

    Raises:
        PalsykitError: the message names these figures and those of the judges.
    """
    there = dict.fromkeys(name for statistics, _ in results.ceiling.values() for name in statistics)
    if there and (unknown := [name for name in plan.settings.figures if name not in there]):
        raise PalsykitError(
            f"{plan.path}: figures: found {', '.join(unknown)}, expected figures of the judges: {', '.join(there)}"
        )


class _Worker:
    """Does the jobs of a plan and collects their results."""

    def __init__(self, plan: Plan, folder: Path, kept: Path, results: Results):
        self.plan, self.folder, self.kept, self.results = plan, folder, kept, results

    def attempt(self, what: str, system: str, data: str, seed: int | None, do: Callable[[], None]) -> None:
        """Call ``do``; if it raises, write the traceback and note the failure."""
        try:
            do()
        except Exception as error:  # a plugin may raise anything; the other jobs do not depend on this one
            trace = self.folder / "errors" / f"{slug(what)}.txt"
            write_text(trace, traceback.format_exc())
            words = str(error) if isinstance(error, PalsykitError) else f"{type(error).__name__}: {error}"
            self.results.failed.append(Failure(system, data, seed, what, words, trace))
            say(f"FAILED {what}: {words} (traceback: {trace})")

    def prepare(self, data: str) -> None:
        """Choose the people of a data set, and measure the truth."""
        judges = Parts(self.plan.judges[data])
        for name in self.plan.protocols[data]:
            self.attempt(f"{name} on {data}", "", data, None, partial(self._prepare, judges, data, name))

    def _prepare(self, judges: Parts, data: str, protocol: str) -> None:
        exam = examination(judges, PROTOCOLS[protocol])
        if (again := self.plan.settings.again) is not None and protocol not in again:
            exam = replace(exam, needs=frozenset())
        truth, images = exam.ceiling()
        self.results.ceiling[data, protocol] = (truth.measured(images), truth.subjects)
        self.results.subjects[data, protocol] = exam.subjects
        self.results.exams[data, protocol] = exam

    def run(self, job: Job, measure_only: bool) -> None:
        """Train a system; synthesise and measure under every protocol."""
        run, parts, maker = self._train(job, measure_only)
        synthesiser = parts.synthesiser(trained_model(run, parts))
        cost = _cost(run, parts, maker)
        for protocol in self.plan.protocols[job.data]:
            if (place := (job.data, protocol)) in self.results.exams:
                what = f"{job.name}, {protocol}"
                do = partial(self._examine, job, place, synthesiser, maker, cost)
                self.attempt(what, job.system, job.data, job.seed, do)
        self.results.cost.setdefault((job.system, job.data), {})[job.seed] = cost

    def _train(self, job: Job, measure_only: bool) -> tuple[RunFolder, Parts, str]:
        """The trained run, its parts, and the hash of everything that its pictures depend on."""
        if job.run is not None:
            run = RunFolder(job.run)
            if "train" not in RunFolder(job.run).state()["stages"]:
                raise PalsykitError(
                    f"{job.run}: its training is not finished: palsykit run {run.recipe} --output {job.run}"
                )
            return run, reopened(run), str(run.state()["recipe_hash"]) + digest(run)
        assert job.recipe is not None  # a job has either a run or a recipe
        path = self.kept / "runs" / job.folder
        if measure_only and not (path / "state.json").exists():
            raise PalsykitError("not run yet; leave --measure-only out")
        if measure_only and "train" not in RunFolder(path).state()["stages"]:
            raise PalsykitError("its training is not finished; leave --measure-only out")
        return *train_recipe(job.recipe, path), job.recipe.hash

    def _examine(self, job: Job, place: Place, synthesiser: Synthesiser, maker: str, cost: Cost) -> None:
        exam = self.results.exams[place]
        size = exam.judges.settings.image_size
        folder = self.kept / "pictures" / job.folder / slug(place[0]) / exam.rows_name
        images = synthesised(exam, synthesiser, folder, maker, job.seed)
        if images.generated.shape[-2:] != (size, size):
            width, height = reversed(images.generated.shape[-2:])
            raise PalsykitError(f"its pictures are {width} x {height} px; expected the judges' {size} x {size} px")
        found = self.results.found.setdefault(place, {}).setdefault(job.system, {})
        found[job.seed] = exam.measured(images)
        cost.synthesis[place] = synthesis_seconds(folder)
        shown = self.results.shown.setdefault(place, {})
        shown.setdefault(job.system, self._first(exam, images))

    def _first(self, exam: Examination, images: Images) -> list[Picture]:
        """The pictures of the people whose pictures are shown."""
        people = list(dict.fromkeys(exam.subjects))[: self.plan.settings.pictures]
        count = sum(subject in people for subject in exam.subjects)
        return list(to_pictures(images.generated[:count]))


def digest(run: RunFolder) -> str:
    """SHA-256 of a run's model."""
    return sha256(*sorted(run.model.rglob("*.safetensors")))


def _cost(run: RunFolder, parts: Parts, maker: str) -> Cost:
    train, trained = parts.settings.train, run.facts("train")
    images = trained.get("steps", 0) * train.batch_size * train.accumulate
    fitted = run.facts("fit")
    seconds = (trained["seconds"] if images else 0.0) + (fitted["seconds"] if parts.fits else 0.0)
    return Cost(images, seconds, int(trained.get("parameters", 0)), maker[:12])
