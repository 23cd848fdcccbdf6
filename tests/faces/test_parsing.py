"""What is asked for by name, and what does not go together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palsykit.errors import PalsykitError
from palsykit.faces.parsing import cells, expression_said_by, expressions_of, grades_of, labels_of, sides_of
from palsykit.faces.vocabulary import EXPRESSIONS, FaceLabels, Side
from palsykit_face_space.palsy import Action


@pytest.mark.parametrize(
    ("words", "labels"),
    [
        (("smile_full", "left", 4), FaceLabels(expression="smile_full", side=Side.LEFT, severity=4)),
        (("big smile", "right", 2.5), FaceLabels(expression="smile_full", side=Side.RIGHT, severity=2.5)),
        (("rest",), FaceLabels(expression="rest", side=Side.NONE, severity=1.0)),
        (("rest", "none"), FaceLabels(expression="rest", side=Side.NONE, severity=1.0)),
        (("rest", "none", 1), FaceLabels(expression="rest", side=Side.NONE, severity=1.0)),
        (("rest", "left", 1), FaceLabels(expression="rest", side=Side.NONE, severity=1.0)),
    ],
)
def test_words_become_labels(words: tuple[object, ...], labels: FaceLabels) -> None:
    assert labels_of(*words) == labels  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("grin",), "unknown expression 'grin'; expected one of rest, brow_raise"),
        (("rest", "port", 2), "side port: expected the subject's left, right, bilateral, none"),
        (("rest", None, 3), "severity 3 without a side: say which side is affected, --side left or right"),
        (("rest", None, 1), "severity 1 without a side"),
        (("rest", "left"), "side left without a severity: say how much, --severity 1 to 6"),
        (("rest", "none", 2), "severity 2 with side none: no side is affected"),
        (("rest", "left", 0.5), r"severity 0\.5: expected a House-Brackmann grade, 1 \(normal\) to 6 \(total\)"),
        (("rest", "left", 7), "severity 7: expected a House-Brackmann grade"),
    ],
)
def test_what_does_not_go_together_is_refused(words: tuple[object, ...], message: str) -> None:
    with pytest.raises(PalsykitError, match=message):
        labels_of(*words)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "grades"),
    [("4", [4]), ("1..6", [1, 2, 3, 4, 5, 6]), ("1,3,6", [1, 3, 6]), (" 6 , 2..3, 2.5,2", [6, 2, 3, 2.5])],
)
def test_grades(text: str, grades: list[float]) -> None:
    assert grades_of(text) == grades


@pytest.mark.parametrize("text", ["", "0", "7", "x", "1..", "..6", "6..1", "2..2", "1.5..3", "1,,2", "nan", "inf"])
def test_what_is_no_grade_is_refused(text: str) -> None:
    with pytest.raises(PalsykitError, match=r"expected"):
        grades_of(text)


def test_lists_of_words() -> None:
    assert expressions_of("all") == list(EXPRESSIONS)
    assert expressions_of("smile_full, repose,big smile") == ["smile_full", "rest"]
    assert sides_of("left,RIGHT,none") == [Side.LEFT, Side.RIGHT, Side.NONE]
    for wrong in ("smile_full,,rest", "smile_ful"):
        with pytest.raises(PalsykitError):
            expressions_of(wrong)


def test_the_full_dial_has_one_healthy_cell_an_expression() -> None:
    found = cells(["rest", "smile_full"], [Side.LEFT, Side.RIGHT], [1, 2, 3, 4, 5, 6])
    assert len(found) == len(set(found)) == 2 * 11
    assert sum(labels.side is Side.NONE for labels in found) == 2
    assert found[0] == FaceLabels(expression="rest", side=Side.NONE, severity=1.0)


@given(
    st.lists(st.sampled_from(list(EXPRESSIONS)), min_size=1, unique=True),
    st.lists(st.sampled_from(list(Side)), min_size=1, unique=True),
    st.lists(st.integers(1, 6).map(float), min_size=1, unique=True),
)
def test_every_cell_is_one_that_can_be_simulated(
    expressions: list[str], sides: list[Side], grades: list[float]
) -> None:
    for labels in cells(expressions, sides, grades):
        assert labels.side is not None
        assert labels.severity is not None
        halves = Action("rest", labels.side, labels.severity).impairments()
        assert any(half.brow < 1 for half in halves) == (labels.severity > 1)
        assert (labels.side is Side.NONE) == (labels.severity == 1)


@pytest.mark.parametrize(
    ("name", "expression"),
    [
        ("rest", "rest"),
        ("p01-brow raise_2", "brow_raise"),
        ("10 _brow raise_17_face", "brow_raise"),
        ("smile_full2", "smile_full"),
        ("s11_EyeClosureTight_1", "eye_closure_tight"),
        ("Big.Smile", "smile_full"),
        ("neutral 3", "rest"),
        ("IMG_0001", None),
        ("smile", None),
        ("interest", None),
        ("rest_smile_full", None),
        ("", None),
    ],
)
def test_a_file_name_says_an_expression_or_none(name: str, expression: str | None) -> None:
    assert expression_said_by(name) == expression
