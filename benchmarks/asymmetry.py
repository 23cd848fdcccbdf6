"""Test whether asymmetry measured from PIXELS gives the affected side and grows with severity, on unseen faces.

    python benchmarks/asymmetry.py                        # the shipped weights, 40 new people
    python benchmarks/asymmetry.py --run runs/networks --identities 100
    python benchmarks/asymmetry.py --records               # the data set's own photographs, cameras and palsies

New people of the recipe's data set (another seed, not used for training) are rendered with every expression and grade,
flaccid and synkinetic, with a random side for each. The points network finds 68 landmarks in the pictures, and the
combined index of palsykit_metrics.asymmetry_index is computed from these, never from the simulator's own points.
``signed`` is the rank correlation of the index with the grade, signed by side; ``size`` is the rank correlation of its
magnitude with the grade; ``side`` is how often its sign gives the affected side, from grade III up, of flaccid faces at
rest from grade V up, because they are symmetric below it. Intervals are bootstraps over people. An index that knows the
expression has another scale in each expression, so read it by expression. Healthy faces are measured like palsied
faces.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fitted import parts_of
from numpy.typing import NDArray
from scipy.stats import rankdata

from palsykit.cli.table import table
from palsykit.errors import PalsykitError
from palsykit.faces.records import FaceDataset
from palsykit.faces.views import to_tensor
from palsykit.faces.vocabulary import EXPRESSIONS, FaceLabels, Group, Side
from palsykit.measure.statistics import RESAMPLES, interval, resamples
from palsykit.recipe.schema import PartBlock
from palsykit.run.parts import Parts
from palsykit.seeds import derive
from palsykit_metrics.asymmetry_index import Asymmetry
from palsykit_metrics.palsy import shows_its_side

ROOT = Path(__file__).parents[1]
SHIPPED = "palsykit_weights:points.safetensors"
FRESH_SEED = 20_000  # no shipped recipe has this seed
NAMES_A_SIDE_FROM = 3.0  # House-Brackmann grade
SYNKINETIC_GRADES = (2.0, 3.0, 4.0)  # House and Brackmann's; V and VI are flaccid
STRENGTHS = 0.7, 1.0

Pictures = NDArray[np.uint8]
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """Faces and their indices; each attribute is [N].

    Attributes:
        people: number of the person.
        grade: the truth, signed: House-Brackmann grade less one, positive for the left side.
        index: the combined index by what it knows beside the landmarks.
        shows: whether a palsy's side can be seen.
    """

    people: NDArray[np.int64]
    expression: NDArray[np.str_]
    grade: Values
    index: dict[str, Values]
    shows: NDArray[np.bool_]

    def where(self, chosen: NDArray[np.bool_]) -> "Measured":
        """The faces for which ``chosen`` is true."""
        index = {name: values[chosen] for name, values in self.index.items()}
        return Measured(self.people[chosen], self.expression[chosen], self.grade[chosen], index, self.shows[chosen])


def fresh(parts: Parts, seed: int, identities: int) -> FaceDataset:
    """The recipe's data set with another seed and ``identities`` people, on whom no network was trained.

    Raises:
        PalsykitError: the data set has no key seed, or the recipe has the same seed.
    """
    block = parts.settings.data
    if "seed" not in block.parameters or block.parameters["seed"] == seed:
        raise PalsykitError(f"data {block.use}: new people need a key seed, other than {seed}; use face_space")
    counts = {"identities": identities, "validation": 0, "test": 0}
    keys = {name: value for name, value in counts.items() if name in block.parameters}
    return parts.data(PartBlock(use=block.use, parameters={**block.parameters, **keys, "seed": seed})).dataset


Faces = Iterator[tuple[int, FaceLabels, Pictures]]
"""(person, labels, picture)"""


def rendered(dataset: FaceDataset, identities: int, group: Group, seed: int) -> Faces:
    """Every expression and grade of every person.

    Raises:
        PalsykitError: the data set cannot render on demand.
    """
    render: Callable[..., tuple[Pictures, NDArray[np.float32]]] | None = getattr(dataset, "render", None)
    if render is None:
        raise PalsykitError(f"{type(dataset).__name__} cannot render on demand; use face_space, or --records")
    grades = (1.0, *SYNKINETIC_GRADES) if group is Group.SYNKINETIC else (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    for person in range(identities):
        for expression in EXPRESSIONS:
            for grade in grades:
                rng = np.random.default_rng(derive("asymmetry", seed, person, expression, grade))
                side = (Side.LEFT, Side.RIGHT)[rng.integers(2)] if grade > 1 else Side.NONE
                kind = group if grade > 1 else None
                picture, _ = render(person, expression, side, grade, group=kind, strength=rng.uniform(*STRENGTHS))
                yield person, FaceLabels(str(person), expression, side, grade, kind), picture


def recorded(dataset: FaceDataset, group: Group) -> Faces:
    """Photographs with known expression, side and severity: healthy ones, and those with one kind of palsy."""
    people: dict[str, int] = {}
    for record in dataset.records:
        labels = record.labels
        unilateral = labels.side in (Side.LEFT, Side.RIGHT) and labels.severity is not None
        if labels.expression in EXPRESSIONS and (
            labels.side is Side.NONE or (unilateral and labels.group in (group, None))
        ):
            yield people.setdefault(str(labels.subject), len(people)), labels, dataset.image(record)


def measured(parts: Parts, faces: Faces, group: Group) -> Measured:
    """Find landmarks in the pictures and compute their indices."""
    network = parts.points_network()
    if network is None:
        raise PalsykitError(f"{parts.recipe.path}: no network gives points; expected one such as mobilefacenet")
    people, labels, pictures = zip(*faces, strict=True)
    with torch.inference_mode():
        batches = to_tensor(np.stack(pictures)).split(64)
        points = torch.cat([network(batch.to(parts.device)).points.double().cpu() for batch in batches]).numpy()
    expression = np.array([row.expression for row in labels])
    sign = np.array([{Side.LEFT: 1, Side.RIGHT: -1}.get(row.side, 0) for row in labels])
    known, sorted_out = np.empty(len(points)), np.empty(len(points))
    for word in EXPRESSIONS:
        shown = expression == word
        known[shown] = Asymmetry.of(points[shown]).combined(word)
        sorted_out[shown] = Asymmetry.of(points[shown]).combined(word, group)
    index = {"nothing": Asymmetry.of(points).combined(), "expression": known}
    if group is Group.SYNKINETIC:
        index["expression and group"] = sorted_out
    grade = sign * np.array([(row.severity or 1.0) - 1 for row in labels])
    shows = np.array([row.side is Side.NONE or shows_its_side(row) for row in labels])
    return Measured(np.array(people), expression, grade, index, shows)


def spearman(a: Values, b: Values) -> float:
    """Spearman's rank correlation, with mean ranks for ties; NaN if one of the two is constant."""
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])


FIGURES: dict[str, Callable[[Values, Values], float]] = {
    "signed": spearman,
    "size": lambda index, grade: spearman(np.abs(index), np.abs(grade)),
    "side": lambda index, grade: _named(index, grade),
}


def _named(index: Values, grade: Values) -> float:
    """Percent of the faces from grade III up whose side the index gives; if there are none, of all palsied faces."""
    degree = np.abs(grade) + 1
    graded = degree >= (NAMES_A_SIDE_FROM if degree.max() >= NAMES_A_SIDE_FROM else 2)
    return float(100 * (np.sign(index) == np.sign(grade))[graded].mean()) if graded.any() else float("nan")


def with_interval(figure: str, faces: Measured, index: str, count: int) -> dict[str, Any]:
    """A figure and its 95 % interval from a cluster bootstrap over people."""
    of = FIGURES[figure]
    faces = faces.where(faces.shows) if figure == "side" else faces
    values = faces.index[index]
    subjects = [str(person) for person in faces.people]
    drawn = [of(values[chosen], faces.grade[chosen]) for chosen in resamples(subjects, 0, count)]
    low, high = interval(drawn, len(set(subjects)))
    return {"value": of(values, faces.grade), "low": low, "high": high}


def figures(faces: Measured, count: int) -> dict[str, Any]:
    """Rows: all faces, by expression, and by grade (there only ``side`` is defined)."""
    chosen = {"all": np.ones(len(faces.grade), bool)}
    chosen |= {word: faces.expression == word for word in EXPRESSIONS}
    chosen |= {
        f"grade {name}": np.abs(faces.grade) == grade for grade, name in enumerate(("II", "III", "IV", "V", "VI"), 1)
    }
    rows: dict[str, Any] = {}
    for name, rows_of in chosen.items():
        part = faces.where(rows_of)
        if len(part.grade):
            asked = ["side"] if name.startswith("grade") else list(FIGURES)
            rows[name] = {"n": len(part.grade)} | {
                index: {figure: with_interval(figure, part, index, count) for figure in asked} for index in part.index
            }
    return rows


def tables(group: str, rows: dict[str, Any]) -> str:
    """The figures of one kind of palsy, a table for each index."""
    blocks = []
    for index in (name for name in next(iter(rows.values())) if name != "n"):
        lines = [
            (name, str(row["n"]), *(_cell(figure, row[index].get(figure)) for figure in FIGURES))
            for name, row in rows.items()
        ]
        blocks.append(f"{group}; the index knows: {index}\n{table(('faces', 'n', *FIGURES), lines)}")
    return "\n".join(blocks)


def _cell(figure: str, found: dict[str, float | None] | None) -> str:
    if found is None:
        return ""
    value, low, high = (float("nan") if found[key] is None else found[key] for key in ("value", "low", "high"))
    digits = 1 if figure == "side" else 3
    return f"{value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Compute all figures, by kind of palsy."""
    files = [f"networks.points.weights={options.weights}"]
    parts = parts_of(options.run, options.recipe, files, options.set)
    dataset = fresh(parts, options.seed, options.identities)
    kinds: dict[str, Any] = {}
    for group in (Group.FLACCID, Group.SYNKINETIC):
        faces = (
            recorded(dataset, group) if options.records else rendered(dataset, options.identities, group, options.seed)
        )
        kinds[group.value] = figures(measured(parts, faces, group), options.resamples)
    return {
        "benchmark": "asymmetry",
        "network": str(options.run or options.weights),
        "image_size": dataset.image_size,
        "people": options.identities,
        "pictures": "records" if options.records else "rendered",
        "groups": kinds,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table for each kind of palsy and a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("--run", type=Path, help="a run folder whose recipe fitted a points network")
    add("--weights", default=SHIPPED, help="safetensors of the recipe's network `points`")
    add("--recipe", type=Path, default=ROOT / "recipes" / "networks.yaml", help="network and data set")
    add("--set", metavar="KEY=VALUE", action="append", default=[], help="change the recipe")
    add("--identities", type=int, default=40, help="number of new people")
    add("--seed", type=int, default=FRESH_SEED, help="of the new people; not the recipe's seed")
    add("--records", action="store_true", help="the data set's own photographs instead of renders")
    add("--resamples", type=int, default=RESAMPLES, help="of the bootstrap")
    found = measure(parser.parse_args(arguments))
    for group, rows in found["groups"].items():
        print(tables(group, rows))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
