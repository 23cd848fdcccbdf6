"""Train on synthetic, test on real (TSTR); real plus synthetic against real alone; few-shot curves.

The protocol is that of Esteban et al. (arXiv:1706.02633): a classifier of expression, side and severity is trained on
synthetic pictures and tested on real people. The same classifier is also trained on a few real people, and on both.
Every training takes the same number of steps from the same initial weights, so that more pictures do not mean more
training.
"""

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from palsykit.data.imagefolder import IMAGEFOLDER, TABLES
from palsykit.errors import PalsykitError
from palsykit.faces.joined import Joined
from palsykit.faces.pairing import pair
from palsykit.faces.records import FaceDataset
from palsykit.faces.views import batch
from palsykit.files.atomic import write_text
from palsykit.files.claims import Claim
from palsykit.files.hashes import sha256
from palsykit.interfaces import Images
from palsykit.measure.statistics import Figure, Statistic, average, difference, measure, summarise
from palsykit.progress import say
from palsykit.recipe import Recipe
from palsykit.recipe.schema import FitBlock, PartBlock
from palsykit.run.evaluate import build_metrics
from palsykit.run.model_folder import load_into, save_network
from palsykit.run.parts import Data, Parts
from palsykit.run.runner import be_deterministic
from palsykit.run.train import fit_network
from palsykit.training.batches import PairedFaces
from palsykit.training.loop import Job
from palsykit_usefulness.sets import balance, draw_people, refuse_known

REAL, SYNTHETIC, BOTH = "real", "synthetic", "real + synthetic"
CLASSIFIER = "classifier"

Measurements = dict[tuple[str, int], dict[int, dict[str, Statistic]]]
"""(System, number of real people) -> seed -> name of a figure -> its values."""


@dataclass(frozen=True)
class Training:
    """One classifier: what it is trained on, how many real people (0 for synthetic alone) and its seed."""

    system: str
    people: int
    seed: int

    @property
    def name(self) -> str:
        return f"{self.system.replace(' + ', '-')}-{self.people}-seed{self.seed}"


def trainings(subjects: Sequence[int], seeds: Sequence[int]) -> list[Training]:
    """Every classifier of a study; all of one seed come before those of the next."""
    return [
        one
        for seed in seeds
        for one in [
            Training(SYNTHETIC, 0, seed),
            *(Training(system, people, seed) for people in subjects for system in (REAL, BOTH)),
        ]
    ]


@dataclass(frozen=True)
class Point:
    """One system with one number of real people, averaged over the seeds that succeeded.

    Attributes:
        pictures: number of training pictures of each kind, for the first seed.
        figures: by name.
        gain: figure minus that of the same number of real people alone, paired over people; empty unless the system
            is BOTH.
    """

    system: str
    people: int
    seeds: list[int]
    pictures: dict[str, int]
    figures: dict[str, Figure]
    gain: dict[str, Figure]


@dataclass
class Study:
    """Everything that was measured.

    Attributes:
        constant: figure -> what the best constant answer reaches on the test photographs.
        failed: training -> why it failed.
        test: number of test photographs and of test people.
    """

    points: list[Point]
    constant: dict[str, float]
    test: tuple[int, int]
    failed: dict[str, str] = field(default_factory=dict)


class Bench:
    """Trains and tests classifiers: one recipe, one synthetic folder, one folder of results.

    Args:
        recipe_of: seed -> the recipe. Its ``fits`` train the network ``classifier``; its metrics read that network.
        synthetic: an imagefolder, such as DEST/images of ``palsykit synthesize``.
        folder: of checkpoints and trained weights.

    Raises:
        PalsykitError: the recipe has no classifier to train, the folder cannot be read, or it shows test people.
    """

    def __init__(self, recipe_of: Callable[[int], Recipe], synthetic: Path, folder: Path):
        self.recipe_of, self.folder = recipe_of, folder
        parts = Parts(recipe_of(0))
        self.about = parts.settings.about
        self.block = _fit_of(parts)
        size = parts.networks[CLASSIFIER].own_size
        self.real = parts.data(parts.settings.data, size)
        block = PartBlock(use=IMAGEFOLDER, parameters={"root": str(synthetic.resolve())})
        try:
            self.synthetic = parts.data(block, size).dataset
        except ValueError as error:
            raise PalsykitError(f"{synthetic}: {error}") from error
        self._synthetic = _digest(synthetic)
        refuse_known(self.real.splits["test"], self.synthetic.records)
        test = pair(self.real.splits["test"], parts.settings.seed)
        if not test:
            raise PalsykitError(f"{parts.recipe.name}: no people in the split 'test'; expected some to test on")
        self.faces = batch(self.real.dataset, test)
        self.subjects = [str(one.record.labels.subject) for one in test]

    def training_set(self, one: Training) -> Joined:
        """Collect the records that a classifier is trained on."""
        sets: dict[str, tuple[FaceDataset, Sequence[Any]]] = {}
        if one.people:
            sets["real"] = (self.real.dataset, draw_people(self.real.splits["train"], one.people, one.seed))
        if one.system != REAL:
            sets["synthetic"] = (self.synthetic, self.synthetic.records)
        return Joined(
            {name: (dataset, [replace(r, split="train") for r in rs]) for name, (dataset, rs) in sets.items()}
        )

    def trained(self, one: Training) -> Parts:
        """The recipe's parts with a trained classifier; weights of an earlier run are reused."""
        # Mark the folder as this training's, or check that it is.
        recipe = self.recipe_of(one.seed)
        parts, folder = Parts(recipe), self.folder / one.name
        file, network = folder / f"{CLASSIFIER}.safetensors", parts.networks[CLASSIFIER]
        _claim(folder, recipe.hash, self._synthetic)
        # Train.
        if not file.exists():
            joined = self.training_set(one)
            faces = PairedFaces(joined, balance(joined, one.seed))

            def job() -> Job:
                trainer = parts.trainer(self.block.trainer, Data(joined, one.seed))
                checkpoints = folder / "checkpoints"
                return Job(one.name, network.module, trainer, faces, self.block, one.seed, checkpoints, _discard)

            fit_network(network, job, self.block.start)
            save_network(network, folder)
        # Load the weights.
        load_into(network.module, file)
        network.freeze()
        return parts

    def test(self, one: Training) -> dict[str, Statistic]:
        """A classifier's figures on the test people; it is trained first if it is not yet."""
        parts = self.trained(one)
        faces = self.faces.to(parts.device)
        assert faces.target is not None  # a photograph is its own truth
        metrics = build_metrics(parts)
        return measure(metrics, faces, Images(faces.target.image), parts.settings.generate.batch_size)


def study(bench: Bench, subjects: Sequence[int], seeds: Sequence[int]) -> Study:
    """Train and test every classifier. One that fails is recorded in ``failed``; the others are still trained."""
    be_deterministic()
    draw_people(bench.real.splits["train"], max(subjects), 0)  # raises now, not after hours, if there are too few
    measurements: Measurements = {}
    failed: dict[str, str] = {}
    jobs = trainings(subjects, seeds)
    for number, one in enumerate(jobs, 1):
        say(f"[{number}/{len(jobs)}] {one.name}")
        try:
            measurements.setdefault((one.system, one.people), {})[one.seed] = bench.test(one)
        except (PalsykitError, ValueError, RuntimeError, OSError) as error:
            failed[one.name] = f"{type(error).__name__}: {error}"
            write_text(bench.folder / "errors" / f"{one.name}.txt", traceback.format_exc())
    points = [_point(bench, *key, measurements) for key in measurements if measurements[key]]
    return Study(points, constant(bench), (len(bench.subjects), len(set(bench.subjects))), failed)


def _point(bench: Bench, system: str, people: int, measurements: Measurements) -> Point:
    # Figures: the mean over seeds.
    by_seed = measurements[system, people]
    seeds = sorted(by_seed)
    own = {name: average([by_seed[seed][name] for seed in seeds]) for name in by_seed[seeds[0]]}
    figures = {name: summarise(statistic, bench.subjects, 0) for name, statistic in own.items()}
    # Gain: what synthetic faces add, over the seeds that both systems have.
    alone = measurements.get((REAL, people), {})
    shared = [seed for seed in seeds if seed in alone] if system == BOTH else []
    gain = {}
    for name in own if shared else ():
        with_synthetic, without = (average([by[s][name] for s in shared]) for by in (by_seed, alone))
        gain[name] = summarise(difference(with_synthetic, without), bench.subjects, 0)
    # The number of training pictures of each kind.
    kinds = [record.key.split(":")[0] for record in bench.training_set(Training(system, people, seeds[0])).records]
    return Point(system, people, seeds, {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}, figures, gain)


def constant(bench: Bench) -> dict[str, float]:
    """The figures of always giving one answer, the one that is best on the test photographs."""
    assert bench.faces.target is not None  # a photograph is its own truth
    labels = bench.faces.target.labels
    expressions = [row.expression for row in labels if row.expression is not None]
    grades = np.array([row.severity for row in labels if row.severity is not None])
    sides = [row.side for row in labels if row.side in ("left", "right") and (row.severity or 0) >= 3]
    figures = {}
    if expressions:
        figures["expression_accuracy"] = max(expressions.count(e) for e in set(expressions)) / len(expressions)
    if sides:
        figures["side_accuracy"] = max(sides.count(s) for s in set(sides)) / len(sides)
    if len(grades):
        figures["severity_error"] = float(np.abs(grades - np.median(grades)).mean())
    return figures


def _fit_of(parts: Parts) -> FitBlock:
    """The entry of ``fits`` that trains the classifier."""
    blocks = [block for block in parts.fits if block.network == CLASSIFIER]
    if not blocks:
        raise PalsykitError(
            f"{parts.recipe.name}: no network {CLASSIFIER!r} that is fitted; expected one in networks, without "
            "weights, and an entry for it in fits, as in recipes/usefulness.yaml"
        )
    return blocks[0]


def _digest(folder: Path) -> str:
    """SHA-256 of an imagefolder's metadata, which records what each synthetic picture was made from."""
    files = [folder / name for name in TABLES if (folder / name).is_file()]
    return sha256(*files)


def _claim(folder: Path, recipe: str, pictures: str) -> None:
    """Mark a classifier's folder with its recipe and pictures; refuse a folder with other marks."""
    claim = Claim(folder, "made-of.txt", "trained classifier", "name another folder with --work")
    now, marker = {"recipe": recipe, "synthetic pictures": pictures}, folder / claim.marker
    if claim.begun():
        claim.compare(dict(zip(now, marker.read_text(encoding="utf-8").split(), strict=False)), now)
    else:
        write_text(marker, " ".join(now.values()) + "\n")


def _discard(line: dict[str, Any]) -> None:
    """Discard a training's log line; dozens of small trainings would bury the study's own progress."""
