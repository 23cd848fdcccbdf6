"""What is counted, what is missed and what forbids training."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from palsykit.faces.records import FaceRecord, Rejected
from palsykit.faces.vocabulary import EXPRESSIONS, FaceLabels, Side
from palsykit.report.words import names
from palsykit_datasets.data_tables import report
from palsykit_datasets.inventory import take_inventory


class Records:
    """A data set without pictures."""

    image_size, attribution = 16, ""

    def __init__(self, *records: FaceRecord, rejected: tuple[Rejected, ...] = ()):
        self.records, self.rejected = list(records), rejected

    def image(self, record: FaceRecord) -> np.ndarray:
        raise AssertionError("counting needs no pictures")


def record(key: str, subject: str | None = "anna", split: str | None = "train", **labels: Any) -> FaceRecord:
    return FaceRecord(key, FaceLabels(subject, **labels), np.zeros((68, 2), np.float32), "given", split)


REST = {"expression": "rest", "side": Side.NONE, "severity": 1.0}
PALSY = {"expression": "smile_full", "side": Side.LEFT, "severity": 4.0}
GOOD = (
    record("a1", **REST),
    record("a2", **PALSY),
    record("b1", "bert", "test", **REST),
    record("b2", "bert", "test", **(PALSY | {"side": Side.RIGHT})),
    record("c1", "cora", "validation", **REST),
    record("c2", "cora", "validation", **PALSY),
)


def test_counts() -> None:
    found = take_inventory(Records(*GOOD), 0)
    assert found.faults == []
    assert found.photographs == {"train": 2, "validation": 2, "test": 2}
    assert found.subjects == {"train": {"anna": 2}, "validation": {"cora": 2}, "test": {"bert": 2}}
    assert found.labels["side"] == {
        "left": {"train": 1, "validation": 1},
        "right": {"test": 1},
        "none": {"train": 1, "validation": 1, "test": 1},
    }
    assert list(found.labels["severity"]) == ["1", "4"]
    assert found.cells == {
        "rest": {"none": 3, "left": 0, "right": 0},
        "smile_full": {"none": 0, "left": 2, "right": 1},
    }
    assert found.lacks == [
        f"no photograph shows {', '.join(name for name in EXPRESSIONS if name not in ('rest', 'smile_full'))}",
        "rest is never shown with side left or right",
        "smile_full is never shown with side none",
    ]


def test_splits_are_drawn_where_none_is_prescribed() -> None:
    records = [record(f"{i}-{k}", f"s{i}", None, **REST) for i in range(10) for k in range(2)]
    found = take_inventory(Records(*records), 0)
    assert found.photographs == {"train": 14, "validation": 2, "test": 4}
    assert found.subjects != take_inventory(Records(*records), 1).subjects


@pytest.mark.parametrize(
    ("records", "fault"),
    [
        ([], "no photograph can be used"),
        ([*GOOD, record("x", "dora", "eval")], "found splits eval, expected train, validation, test; rename them"),
        ([replace(r, split="test") for r in GOOD], "no subject is in the split train"),
    ],
)
def test_what_cannot_be_trained_on_is_reported(records: list[FaceRecord], fault: str) -> None:
    found = take_inventory(Records(*records), 0)
    assert len(found.faults) == 1
    assert found.faults[0].startswith(fault)
    assert f"cannot be trained on:\n  {fault}" in report(found, False)


@pytest.mark.parametrize(
    ("records", "line"),
    [
        ([replace(r, split="train") for r in GOOD], "no subject is in the split test; nothing can be generated for"),
        ([*GOOD, record("x", "dora", **PALSY)], "subjects without a photograph at rest: 1 (dora)"),
        ([*GOOD, record("x", "dora", **REST)], "subjects with one photograph: 1 (dora)"),
        ([*GOOD, record("x", expression="rest")], "photographs of unknown severity: 1 of 7"),
        ([*GOOD, record("x", **(PALSY | {"expression": "kiss"}))], "expressions outside the vocabulary: 1 (kiss)"),
        ([*GOOD[:-1], replace(GOOD[-1], landmarks=None)], "photographs without landmarks: 1 of 6"),
        ([*GOOD, record("x", **(REST | {"severity": 3.0}))], "photographs with side none and a House-Brackmann grade"),
    ],
)
def test_what_is_missing(records: list[FaceRecord], line: str) -> None:
    found = take_inventory(Records(*records), 0)
    assert found.faults == []
    assert any(lack.startswith(line) for lack in found.lacks), found.lacks


def test_rejected_photographs_are_counted_by_reason() -> None:
    rejected = (Rejected("a", "no face"), Rejected("b", "too small: 3 px"), Rejected("c", "too small: 4 px"))
    assert (
        "photographs that are not used: 3 (2 too small; 1 no face)"
        in take_inventory(Records(*GOOD, rejected=rejected), 0).lacks
    )


def test_unknown_sides_are_no_empty_cells() -> None:
    found = take_inventory(Records(*GOOD, record("x", expression="lip_pucker")), 0)
    assert found.cells["lip_pucker"] == {"none": 0, "left": 0, "right": 0, "unknown": 1}
    assert not any(line.startswith("lip_pucker is shown") for line in found.lacks)


def test_many_subjects_are_counted_unless_a_full_list_is_requested() -> None:
    records = [record(f"{i}-{k}", f"s{i:02d}", "train", **REST) for i in range(30) for k in range(1 + i % 2)]
    found = take_inventory(Records(*records), 0)
    short, long = report(found, False), report(found, True)
    assert (
        "photographs per subject  subjects\n-----------------------  --------\n1                        15\n2  "
        in short
    )
    assert "s07" not in short.split("missing or odd")[0]
    assert "s07      train  2" in long


def test_long_lists_of_names_are_cut() -> None:
    assert names([str(i) for i in range(8)]) == "0, 1, 2, 3, 4, 5, 6, 7"
    assert names([str(i) for i in range(11)]) == "0, 1, 2, 3, 4, 5, 6, 7 and 3 more"
