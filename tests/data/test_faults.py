"""What forbids training on a data set's records."""

import pytest

from palsykit.data.faults import faults_of
from palsykit.faces.records import FaceRecord
from palsykit.faces.vocabulary import FaceLabels


def record(key: str, subject: str | None, split: str | None = "train") -> FaceRecord:
    return FaceRecord(key, FaceLabels(subject), split=split)


GOOD = [record("a", "anna"), record("b", "bert", "test")]


def test_good_records_have_none() -> None:
    assert faults_of(GOOD) == []
    assert faults_of([record("a", "anna", None)]) == [], "splits are drawn"


@pytest.mark.parametrize(
    ("records", "fault"),
    [
        ([], "no photograph can be used"),
        ([*GOOD, record("x", None)], "photographs without a subject: 1 (x)"),
        ([*GOOD, record("x", "anna", "test")], "subjects in two splits: 1 (anna): a person belongs in one"),
        ([*GOOD, record("x", "dora", "eval")], "found splits eval, expected train, validation, test; rename them"),
        ([*GOOD, record("x", "dora", None)], "photographs without a split: 1, where others have one"),
        ([GOOD[1]], "no subject is in the split train"),
    ],
)
def test_what_cannot_be_trained_on(records: list[FaceRecord], fault: str) -> None:
    (found,) = faults_of(records)
    assert found.startswith(fault)
