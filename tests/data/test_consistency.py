"""Labels that contradict each other, and people who are spelt twice, are named for every kind of data set."""

from typing import Any

import pytest

from palsykit.data.consistency import MANY, doubts_of, plain_name
from palsykit.faces.records import FaceRecord
from palsykit.faces.vocabulary import FaceLabels, Group, Side


class Records:
    """A data set without pictures."""

    image_size, attribution, rejected = 16, "", ()

    def __init__(self, *records: FaceRecord):
        self.records = list(records)

    def image(self, record: FaceRecord) -> Any:
        raise AssertionError("labels are enough")


def record(key: str, subject: str | None = "anna", **labels: Any) -> FaceRecord:
    return FaceRecord(key, FaceLabels(subject, **labels))


def test_labels_that_agree_raise_no_doubt() -> None:
    healthy = record("a", "a", side=Side.NONE, severity=1.0, group=Group.NORMAL)
    palsy = record("b", "b", side=Side.LEFT, severity=5.0, group=Group.FLACCID)
    later = record("c", "b", side=Side.LEFT, severity=3.0, group=Group.SYNKINETIC)
    recovered = record("d", "b", side=Side.NONE, severity=1.0)
    assert doubts_of(Records(healthy, palsy, later, recovered, record("e", None), record("f", "f"))) == []


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({"side": Side.NONE, "severity": 4.0}, "side none and a House-Brackmann grade above 1"),
        ({"side": Side.LEFT, "severity": 1.0}, "an affected side and House-Brackmann grade 1"),
        ({"group": Group.NORMAL, "severity": 5.0}, "group normal and a palsy"),
        ({"group": Group.NORMAL, "side": Side.BILATERAL}, "group normal and a palsy"),
        ({"group": Group.FLACCID, "side": Side.NONE}, "group flaccid or synkinetic and no palsy"),
        ({"group": Group.SYNKINETIC, "severity": 1.0}, "group flaccid or synkinetic and no palsy"),
    ],
)
def test_two_labels_that_contradict_each_other(labels: dict[str, Any], words: str) -> None:
    (line,) = doubts_of(Records(record("odd.jpg", "x", **labels), record("fine.jpg", "y")))
    assert line == f"photographs with {words}: 1 (odd.jpg): one of the two is wrong"


def test_a_subject_with_two_sides() -> None:
    (line,) = doubts_of(Records(record("1", side=Side.LEFT), record("2", side=Side.RIGHT), record("3", side=Side.NONE)))
    assert line.startswith("subjects with several affected sides: 1 (anna: left and right); sides are the subject's")


def test_simulated_people_may_have_many_palsies() -> None:
    torn = [record(f"{n}{side}", f"s{n}", side=side) for n in range(MANY) for side in (Side.LEFT, Side.RIGHT)]
    assert doubts_of(Records(*torn)) == [], "no mistake is that frequent"
    assert "several affected sides: 3" in doubts_of(Records(*torn[: 2 * MANY - 2]))[0]

    class Posed(Records):
        def truth(self) -> None:
            """The data set knows what another palsy of a person looks like."""

    assert doubts_of(Posed(*torn[:2])) == []


def test_a_subject_who_is_normal_and_is_not() -> None:
    (line,) = doubts_of(Records(record("1", group=Group.NORMAL), record("2", group=Group.FLACCID)))
    assert line.startswith("subjects in the group normal and in another: 1 (anna)")
    assert "several collections share a number" in line


@pytest.mark.parametrize(
    ("one", "other", "shown"),
    [
        ("001", "1", "001 and 1"),
        ("P7", "p7", "P7 and p7"),
        ("12", "12.0", "12 and 12.0"),
        ("Anna B", "AnnaB", "Anna B and AnnaB"),
        ("Jos\u00e9", "Jose\u0301", "José and 'Jose\\u0301'"),
        ("anna", "anna ", "anna and 'anna '"),
    ],
)
def test_one_person_in_two_spellings(one: str, other: str, shown: str) -> None:
    (line,) = doubts_of(Records(record("1", one), record("2", other), record("3", "somebody")))
    assert line.startswith(f"subjects that differ only in spelling: 1 ({shown}): if they are the same person")


@pytest.mark.parametrize(("one", "other"), [("1", "10"), ("1_1", "11"), ("P0", "P"), ("0", ""), ("100", "1")])
def test_people_who_are_not_alike(one: str, other: str) -> None:
    assert plain_name(one) != plain_name(other)


def test_collections_that_share_a_number() -> None:
    both = [record(f"{folder}/12.jpg", "12", expression="rest") for folder in ("clinic", "volunteers")]
    (line,) = doubts_of(Records(*both, record("clinic/13.jpg", "13", expression="rest")))
    assert line.startswith("subjects with the same file in several folders: 1 (12 in clinic and volunteers)")
    sorted_by_expression = [record("rest/12.jpg", "12", expression="rest"), record("smile/12.jpg", "12")]
    assert doubts_of(Records(*sorted_by_expression)) == []


def test_an_expression_that_is_nearly_ours() -> None:
    words = [record("1", expression="smile_ful"), record("2", expression="brow_rais"), record("3", expression="grin")]
    (line,) = doubts_of(Records(*words, record("4", expression="rest")))
    assert line.startswith("expressions that are nearly in the vocabulary: 2 (brow_rais: did you mean brow_raise?, ")


def test_notes_of_the_data_set_are_kept() -> None:
    noting = Records(record("1"))
    noting.notes = ["columns that are\nnot read"]  # type: ignore[attr-defined]
    assert doubts_of(noting) == ["columns that are\\nnot read"]
