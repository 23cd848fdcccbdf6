"""Parses the expressions, sides and grades that a user requests into labels; refuses contradictions."""

import re
from collections.abc import Sequence
from contextlib import suppress
from itertools import combinations, product
from typing import TypeVar

from palsykit.errors import PalsykitError
from palsykit.faces.vocabulary import EXPRESSIONS, FaceLabels, Side, canonical_expression

T = TypeVar("T")
GRADES = "a House-Brackmann grade, 1 (normal) to 6 (total)"
RANGE = ".."


def labels_of(expression: str, side: str | None = None, severity: float | None = None) -> FaceLabels:
    """Labels for an expression requested by name; without side and grade the face is healthy.

    Grade 1 is a healthy face, so its side is none, whatever side was requested.

    Raises:
        PalsykitError: an unknown word, a side or a grade without the other, or a grade above 1 with side none.
    """
    return _labels(_expression(expression), side if side is None else _side(side), severity)


def _labels(expression: str, side: Side | None, severity: float | None) -> FaceLabels:
    affected = side not in (None, Side.NONE)
    if severity is not None and not 1 <= severity <= 6:
        raise PalsykitError(f"severity {severity:g}: expected {GRADES}")
    if severity is not None and side is None:
        raise PalsykitError(f"severity {severity:g} without a side: say which side is affected, --side left or right")
    if severity is None and affected:
        raise PalsykitError(f"side {side} without a severity: say how much, --severity 1 to 6 ({GRADES})")
    if severity is not None and severity > 1 and not affected:
        raise PalsykitError(f"severity {severity:g} with side none: no side is affected; --severity 1, or a side")
    healthy = severity in (None, 1)
    return FaceLabels(expression=expression, side=Side.NONE if healthy else side, severity=severity or 1.0)


def cells(expressions: Sequence[str], sides: Sequence[Side], grades: Sequence[float]) -> list[FaceLabels]:
    """Every combination once, in the given order: expressions, then sides, then grades.

    Side none has only grade 1, and grade 1 of any side is the same healthy face.
    """
    return _once(
        [
            _labels(expression, side, grade)
            for expression, side in product(expressions, sides)
            for grade in ((1.0,) if side is Side.NONE else grades)
        ]
    )


def expressions_of(text: str) -> list[str]:
    """``all``, or names and aliases separated by commas -> canonical names, each once.

    Raises:
        PalsykitError: for any other word.
    """
    return list(EXPRESSIONS) if text.strip() == "all" else _once([_expression(word) for word in _words(text)])


def sides_of(text: str) -> list[Side]:
    """Some or all of ``left,right,bilateral,none`` -> sides, each once.

    Raises:
        PalsykitError: for any other word.
    """
    return _once([_side(word) for word in _words(text)])


def grades_of(text: str) -> list[float]:
    """``4``, ``1,3,6`` or ``1..6`` (every whole grade between) -> grades in the order written, each once.

    Raises:
        PalsykitError: for anything that is not a grade.
    """
    grades: list[float] = []
    for word in _words(text):
        first, dots, last = word.partition(RANGE)
        low, high = _grade(first, word), _grade(last if dots else first, word)
        if dots and not (low.is_integer() and high.is_integer() and low < high):
            raise PalsykitError(f"severity {word}: expected whole grades, the lower first, as in 1{RANGE}6")
        grades += [float(n) for n in range(int(low), int(high) + 1)] if dots else [low]
    return _once(grades)


def expression_said_by(name: str) -> str | None:
    """The expression that a file's name says, without its suffix: ``p01-brow raise_2`` -> ``brow_raise``.

    Whole words count, in a row, whatever stands between them; digits at their ends do not. None if the name says none,
    or several: nothing is guessed.
    """
    words = [word.strip("0123456789") for word in re.split(r"[\W_]+", name)]
    found: dict[tuple[int, int], str] = {}
    for first, last in combinations(range(len(words) + 1), 2):
        with suppress(ValueError):
            found[first, last] = canonical_expression("".join(words[first:last]))
    said = {
        expression
        for (first, last), expression in found.items()
        if not any(a <= first and last <= b and (a, b) != (first, last) for a, b in found)
    }
    return said.pop() if len(said) == 1 else None


def _grade(text: str, word: str) -> float:
    try:
        grade = float(text)
    except ValueError:
        grade = 0.0
    if not 1 <= grade <= 6:
        raise PalsykitError(f"severity {word}: expected {GRADES}, several as 1,3,6 or 1{RANGE}6")
    return grade


def _expression(word: str) -> str:
    try:
        return canonical_expression(word)
    except ValueError as error:
        raise PalsykitError(f"expression: {error}") from error


def _side(word: str) -> Side:
    try:
        return Side(word.lower())
    except ValueError:
        raise PalsykitError(f"side {word}: expected the subject's {', '.join(Side)}") from None


def _words(text: str) -> list[str]:
    words = [word.strip() for word in text.split(",")]
    if not all(words):
        raise PalsykitError(f"found {text!r}: expected words separated by commas")
    return words


def _once(items: list[T]) -> list[T]:
    return list(dict.fromkeys(items))
