"""An inventory of a data set: counts of its labels, what is missing, and whether a model can be trained on it."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from palsykit.data.consistency import doubts_of
from palsykit.data.faults import UNKNOWN, faults_of, subject_of, tally
from palsykit.data.rejections import printable
from palsykit.faces.pairing import by_subject, identity_photograph
from palsykit.faces.records import FaceDataset, FaceRecord
from palsykit.faces.splits import split_records
from palsykit.faces.vocabulary import EXPRESSIONS, SPLITS, Side
from palsykit_datasets.reasons import kinds

LABELS: dict[str, Callable[[FaceRecord], object]] = {
    "expression": lambda record: record.labels.expression,
    "side": lambda record: record.labels.side,
    "severity": lambda record: record.labels.severity,
}


@dataclass
class Inventory:
    """The contents of a data set.

    Attributes:
        photographs: split -> number.
        subjects: split -> subject -> number of photographs.
        labels: "expression", "side" and "severity" -> value -> split -> number; unknown is "unknown".
        cells: expression -> side -> number.
        faults: reasons why no model can be trained on it.
        lacks: what is missing or odd, and its consequence.
    """

    photographs: dict[str, int]
    subjects: dict[str, dict[str, int]]
    labels: dict[str, dict[str, dict[str, int]]]
    cells: dict[str, dict[str, int]]
    faults: list[str] = field(default_factory=list)
    lacks: list[str] = field(default_factory=list)


def take_inventory(dataset: FaceDataset, seed: int) -> Inventory:
    """Counts and checks everything; ``seed`` draws the splits if the data set prescribes none."""
    records = list(dataset.records)
    faults = faults_of(records)
    splits = _by_split(records, seed, bool(faults))
    found = Inventory(
        photographs={split: len(group) for split, group in splits.items()},
        subjects={split: dict(Counter(subject_of(r) for r in group)) for split, group in splits.items()},
        labels={name: _count(splits, label) for name, label in LABELS.items()},
        cells=_cells(records),
        faults=faults,
    )
    found.lacks = [*_lacks(records, splits), *_empty_cells(found.cells), *doubts_of(dataset), *_rejected(dataset)]
    return found


def _by_split(records: Sequence[FaceRecord], seed: int, faulty: bool) -> dict[str, list[FaceRecord]]:
    """Split as a recipe would; by the records' own words if a recipe would refuse them."""
    if not faulty:
        return split_records(records, seed)
    found: dict[str, list[FaceRecord]] = {split: [] for split in SPLITS}
    for record in records:
        found.setdefault(UNKNOWN if record.split is None else printable(record.split), []).append(record)
    return found


def _count(splits: dict[str, list[FaceRecord]], label: Callable[[FaceRecord], object]) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for split, records in splits.items():
        for word, count in Counter(_word(label(record)) for record in records).items():
            counts.setdefault(word, {})[split] = count
    order = [*EXPRESSIONS, *(side.value for side in Side)]
    return dict(sorted(counts.items(), key=lambda item: (_rank(item[0], order), item[0])))


def _rank(word: str, order: Sequence[str]) -> int:
    """The vocabulary in its order, other words after it, unknown last."""
    return order.index(word) if word in order else len(order) + (word == UNKNOWN)


def _word(value: object) -> str:
    return UNKNOWN if value is None else f"{value:g}" if isinstance(value, float) else printable(str(value))


def _cells(records: Sequence[FaceRecord]) -> dict[str, dict[str, int]]:
    """Every expression that occurs; the columns none, left and right are there even if they are empty."""
    sides = [Side.NONE, Side.LEFT, Side.RIGHT]
    met = Counter((_word(r.labels.expression), _word(r.labels.side)) for r in records)
    columns = [*(s.value for s in sides), *sorted({side for _, side in met} - {s.value for s in sides})]
    rows = sorted({expression for expression, _ in met}, key=lambda word: (_rank(word, list(EXPRESSIONS)), word))
    return {row: {column: met[row, column] for column in columns} for row in rows}


def _lacks(records: Sequence[FaceRecord], splits: dict[str, list[FaceRecord]]) -> list[str]:
    people = by_subject([record for record in records if record.labels.subject is not None])
    lines = [
        f"no subject is in the split {split}; {what}"
        for split, what in (
            ("validation", "nothing warns of overfitting"),
            ("test", "nothing can be generated for, or measured on, people that the model has not seen"),
        )
        if records and not splits.get(split)
    ]
    if restless := [printable(s) for s, group in people.items() if identity_photograph(group) is None]:
        lines.append(f"{tally('subjects without a photograph at rest', restless)}: another one shows their identity")
    if alone := [printable(s) for s, group in people.items() if len(group) == 1]:
        lines.append(f"{tally('subjects with one photograph', alone)}: it is their own identity image")
    for name, label in LABELS.items():
        if count := sum(label(record) is None for record in records):
            lines.append(f"photographs of unknown {name}: {count} of {len(records)}")
    if own := sorted({str(r.labels.expression) for r in records} - {"None", *EXPRESSIONS}):
        lines.append(tally("expressions outside the vocabulary", [printable(word) for word in own]))
    if count := sum(record.landmarks is None for record in records):
        lines.append(f"photographs without landmarks: {count} of {len(records)}; a points network has to predict them")
    return lines


def _empty_cells(cells: dict[str, dict[str, int]]) -> list[str]:
    """Expressions of the vocabulary without a photograph, and combinations of expression and side without one."""
    absent = [expression for expression in EXPRESSIONS if expression not in cells]
    lines = [f"no photograph shows {', '.join(absent)}"] if cells and absent else []
    for expression, sides in cells.items():
        empty = [side.value for side in (Side.NONE, Side.LEFT, Side.RIGHT) if not sides[side.value]]
        known = sum(count for side, count in sides.items() if side != UNKNOWN)
        if empty and known and expression != UNKNOWN:
            lines.append(f"{expression} is never shown with side {' or '.join(empty)}")
    return lines


def _rejected(dataset: FaceDataset) -> list[str]:
    if not dataset.rejected:
        return []
    reasons = "; ".join(f"{count} {reason}" for reason, count in kinds(dataset.rejected).items())
    return [f"photographs that are not used: {len(dataset.rejected)} ({reasons})"]
