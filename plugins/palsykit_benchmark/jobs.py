"""Train, synthesise and measure, one job after another. A job that fails is recorded, and the others still run."""

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
from palsykit_benchmark.examine import Examination, examination, synthesis_seconds, synthesise
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
        figures: table -> system -> seed -> figure.
        ceiling: table -> the truth's figures, and the subject of each of its rows.
        subjects: table -> the subject of each row.
        exams: table -> its rows and judges.
        shown: table -> system -> pictures of the first rows, with the first seed.
        cost: (system, data set) -> seed -> cost.
    """

    figures: dict[Place, dict[str, dict[int, dict[str, Statistic]]]] = field(default_factory=dict)
    ceiling: dict[Place, tuple[dict[str, Statistic], list[str]]] = field(default_factory=dict)
    subjects: dict[Place, list[str]] = field(default_factory=dict)
    exams: dict[Place, Examination] = field(default_factory=dict)
    shown: dict[Place, dict[str, list[Picture]]] = field(default_factory=dict)
    cost: dict[tuple[str, str], dict[int, Cost]] = field(default_factory=dict)
    failed: list[Failure] = field(default_factory=list)


def work_through(plan: Plan, folder: Path, runs: Path, measure_only: bool = False) -> Results:
    """Do all unfinished jobs, and measure all jobs.

    Args:
        plan: the jobs.
        folder: tracebacks of failures are written below it.
        runs: folder of runs and pictures; existing ones are reused or resumed.
        measure_only: train nothing; jobs without a finished training fail.

    Raises:
        PalsykitError: the recipe names a figure that no judge has.
    """
    be_deterministic()
    results = Results()
    worker = _Worker(plan, folder, runs, results)
    # The judges: people and truth of each data set.
    for data in plan.judges:
        worker.attempt(f"judges on {data}", "", data, None, partial(worker.prepare, data))
    check_figures(plan, results)
    # The systems.
    for number, job in enumerate(plan.jobs, 1):
        say(f"[{number}/{len(plan.jobs)}] {job.name}")
        worker.attempt(job.name, job.system, job.data, job.seed, partial(worker.run, job, measure_only))
    return results


def check_figures(plan: Plan, results: Results) -> None:
    """Refuse figures that no judge has, before hours of training.

    Raises:
        PalsykitError: the message names these figures and those of the judges.
    """
    known = dict.fromkeys(name for statistics, _ in results.ceiling.values() for name in statistics)
    if known and (unknown := [name for name in plan.settings.figures if name not in known]):
        raise PalsykitError(
            f"{plan.path}: figures: found {', '.join(unknown)}, expected figures of the judges: {', '.join(known)}"
        )


class _Worker:
    """Does the jobs of a plan and collects their results."""

    def __init__(self, plan: Plan, folder: Path, runs: Path, results: Results):
        self.plan, self.folder, self.runs, self.results = plan, folder, runs, results

    def attempt(self, what: str, system: str, data: str, seed: int | None, do: Callable[[], None]) -> None:
        """Call ``do``; if it raises, write the traceback and record the failure."""
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
        """Choose the rows of one protocol, and measure the truth."""
        exam = examination(judges, PROTOCOLS[protocol])
        if (again := self.plan.settings.again) is not None and protocol not in again:
            exam = replace(exam, needs=frozenset())
        truth, images = exam.ceiling()
        self.results.ceiling[data, protocol] = (truth.measure(images), truth.subjects)
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
        path = self.runs / "runs" / job.folder
        if measure_only and not (path / "state.json").exists():
            raise PalsykitError("it has not run yet; repeat the command without --measure-only")
        if measure_only and "train" not in RunFolder(path).state()["stages"]:
            raise PalsykitError("its training is not finished; repeat the command without --measure-only")
        return *train_recipe(job.recipe, path), job.recipe.hash

    def _examine(self, job: Job, place: Place, synthesiser: Synthesiser, maker: str, cost: Cost) -> None:
        """Synthesise and measure under one protocol."""
        exam = self.results.exams[place]
        size = exam.judges.settings.image_size
        folder = self.runs / "pictures" / job.folder / slug(place[0]) / exam.rows_name
        images = synthesise(exam, synthesiser, folder, maker, job.seed)
        if images.generated.shape[-2:] != (size, size):
            width, height = reversed(images.generated.shape[-2:])
            raise PalsykitError(f"its pictures are {width} x {height} px; expected the judges' {size} x {size} px")
        by_seed = self.results.figures.setdefault(place, {}).setdefault(job.system, {})
        by_seed[job.seed] = exam.measure(images)
        cost.synthesis[place] = synthesis_seconds(folder)
        shown = self.results.shown.setdefault(place, {})
        shown.setdefault(job.system, self._first(exam, images))

    def _first(self, exam: Examination, images: Images) -> list[Picture]:
        """The pictures to show: those of the first people."""
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
