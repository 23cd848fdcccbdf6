import pytest

from palsykit.faces.pairing import grid, identity_photograph, pair
from palsykit.faces.records import FaceRecord
from palsykit.faces.splits import shared_subjects, split_records
from palsykit.faces.vocabulary import FaceLabels, Side


def record(subject, expression, severity=None, split=None):
    return FaceRecord(
        f"{subject}-{expression}-{severity}", FaceLabels(subject, expression, None, severity), split=split
    )


PATIENT = [
    record("a", "smile_full", 4.0),
    record("a", "rest", 4.0),
    record("a", "rest", 1.0),
    record("a", "lip_pucker", 4.0),
]


def test_the_least_affected_photograph_at_rest_says_who():
    chosen = {p.record.key: p.identity.key for p in pair(PATIENT, seed=0)}
    rest = "a-rest-1.0"
    assert [chosen[key] for key in ("a-smile_full-4.0", "a-rest-4.0", "a-lip_pucker-4.0")] == [rest] * 3
    assert chosen[rest] != rest


@pytest.mark.parametrize(
    ("less", "more"),
    [
        ((Side.NONE, 1.0), (Side.LEFT, None)),
        ((None, 1.0), (Side.LEFT, None)),
        ((Side.NONE, None), (Side.LEFT, None)),
        ((Side.NONE, None), (Side.LEFT, 2.0)),
        ((None, None), (Side.LEFT, None)),
        ((None, 1.0), (None, None)),
        ((None, None), (Side.LEFT, 4.0)),
        ((Side.LEFT, 3.0), (Side.LEFT, 4.0)),
    ],
)
def test_an_affected_side_of_unknown_grade_is_a_palsy(less, more):
    records = [FaceRecord(str(labels), FaceLabels("a", "rest", *labels)) for labels in (more, less)]
    assert identity_photograph(records) is records[1]


def test_without_one_at_rest_the_choice_is_seeded_and_never_oneself():
    records = [record("a", name) for name in ("smile_full", "lip_pucker", "brow_raise")]
    for seed in range(5):
        one, other = pair(records, seed), pair(records, seed)
        assert [p.identity.key for p in one] == [p.identity.key for p in other]
        assert all(p.identity is not p.record for p in one)
    assert len({pair(records, seed)[0].identity.key for seed in range(20)}) == 2


def test_a_single_photograph_serves_as_its_own_identity():
    *_, single = pair([*PATIENT, record("b", "rest")], 0)
    assert single.identity is single.record
    assert single.record.labels.subject == "b"


def test_the_grid_leaves_the_identity_photograph_out_unless_it_is_the_only_one():
    asked = [p.record.key for p in grid([*PATIENT, record("b", "rest")], 0)]
    assert asked == ["a-smile_full-4.0", "a-rest-4.0", "a-lip_pucker-4.0", "b-rest-None"]


def test_a_photograph_without_a_subject_is_refused():
    with pytest.raises(ValueError, match="has no subject"):
        pair([record(None, "rest")], 0)


def test_drawn_splits_keep_subjects_whole_and_repeat():
    records = [record(f"s{i}", e) for i in range(20) for e in ("rest", "smile_full")]
    split = split_records(records, 3)
    subjects = {name: {r.labels.subject for r in part} for name, part in split.items()}
    assert {name: len(s) for name, s in subjects.items()} == {"train": 14, "validation": 2, "test": 4}
    assert len(set.union(*subjects.values())) == 20
    again = split_records(records, 3)
    assert [r.key for r in again["test"]] == [r.key for r in split["test"]]
    assert [r.key for r in split_records(records, 4)["test"]] != [r.key for r in split["test"]]


def test_prescribed_splits_are_kept_and_checked():
    good = [record("a", "rest", split="train"), record("b", "rest", split="test")]
    assert [r.labels.subject for r in split_records(good, 0)["test"]] == ["b"]
    with pytest.raises(ValueError, match="'a' is in splits"):
        split_records([*good, record("a", "smile_full", split="test")], 0)
    with pytest.raises(ValueError, match="expected train, validation, test"):
        split_records([*good, record("c", "rest", split="dev")], 0)


def test_subjects_in_two_groups_are_found():
    ones = [record("b", "rest"), record("a", "rest"), record("c", "rest")]
    assert shared_subjects(ones, [record("c", "smile_full"), record("a", "rest")]) == ["a", "c"]
    assert shared_subjects(ones, [record("d", "rest")]) == []
