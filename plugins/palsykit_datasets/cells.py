"""Reads and checks what a table row or a sidecar file says about a photograph, cell by cell."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palsykit.data.rejections import printable
from palsykit.data.tables import short
from palsykit.faces.alignment import five_points
from palsykit.faces.landmarks import COUNT
from palsykit.faces.vocabulary import SPLITS, FaceLabels, Group, Side
from palsykit.recipe.problems import nearest
from palsykit_datasets.expressions import Words

LABELS = ("subject", "expression", "side", "severity", "group", "sunnybrook", "eface")
COLUMNS = (*LABELS, "split", "landmarks", "landmarks_source", "points5")
"""The columns that are read; others are named as not read."""

WRITTEN = frozenset(
    {"file_name", "key", "source", "identity", "driver", "seed", "synthetic", "strength", "guidance", "run"}
    | {"recipe_hash", "model_sha256"}
)
"""Further columns of the tables that palsykit writes. They say nothing about a face."""

SOURCES = ("given", "predicted", "unknown")
"""In a run's own metadata ``landmarks`` gives the source of the driver's; those of the picture are unknown."""


@dataclass(frozen=True, eq=False)
class Points:
    """Where a face is, in px of the upright picture; the first pixel's centre is at (0.5, 0.5).

    Attributes:
        five: [5, 2]: image-left eye, image-right eye, nose tip, image-left and image-right mouth corner.
        landmarks: [68, 2] (iBUG 68), or None.
        source: "given", or "predicted" if a network found them.
        whole: the picture is a crop in the face frame, to be used as it is.
        further: [8, 2], pupils and nasolabial folds (palsykit.faces.landmarks.FURTHER), or None.
    """

    five: NDArray[np.float64]
    landmarks: NDArray[np.float64] | None = None
    source: str = "given"
    whole: bool = False
    further: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class Said:
    """The content of a row or a sidecar.

    Attributes:
        where: its file and line.
        labels: None is unknown.
        split: of the subject, or None.
        points: the place of the face, or None.
        unread: columns with a content that nothing reads.
    """

    where: str
    labels: FaceLabels = field(default_factory=FaceLabels)
    split: str | None = None
    points: Points | None = None
    unread: tuple[str, ...] = ()


def read_cells(where: str, cells: Mapping[str, Any], words: Words) -> Said:
    """The columns of COLUMNS; empty cells and nulls are unknown.

    Raises:
        UnknownExpression: for an expression that neither the vocabulary nor ``words`` has.
        ValueError: for any other wrong value, with file, line and what was expected.
    """
    values = {column: _filled(cells.get(column)) for column in COLUMNS}
    subject, expression, side, group, split, source = (
        read_name(where, column, values[column])
        for column in ("subject", "expression", "side", "group", "split", "landmarks_source")
    )
    given = None if values["landmarks"] in SOURCES else values["landmarks"]
    return Said(
        where=where,
        labels=FaceLabels(
            subject=subject,
            expression=None if expression is None else words.canonical(where, expression),
            side=None if side is None else Side(one_of(where, "side", side, [s.value for s in Side])),
            severity=read_severity(where, values["severity"]),
            group=None if group is None else Group(one_of(where, "group", group, [g.value for g in Group])),
            sunnybrook=read_score(where, "sunnybrook", values["sunnybrook"]),
            eface=read_score(where, "eface", values["eface"]),
        ),
        split=None if split is None else one_of(where, "split", split, SPLITS),
        points=_points_of(where, given, values["points5"], source),
        unread=tuple(
            column for column in cells if column not in {*COLUMNS, *WRITTEN} and _filled(cells[column]) is not None
        ),
    )


def merged(first: Said, second: Said) -> Said:
    """Merges what two sources say.

    Raises:
        ValueError: if they differ, or both give points.
    """
    labels = first.labels
    for name in LABELS:
        one, other = getattr(labels, name), getattr(second.labels, name)
        labels = replace(labels, **{name: _same(first.where, second.where, name, one, other)})
    if first.points is not None and second.points is not None:
        raise ValueError(f"found landmarks in {first.where} and in {second.where}, expected one; remove one of them")
    split = _same(first.where, second.where, "split", first.split, second.split)
    return Said(first.where, labels, split, first.points or second.points, (*first.unread, *second.unread))


def _same(where: str, elsewhere: str, name: str, one: Any, other: Any) -> Any:
    if one is not None and other is not None and one != other:
        raise ValueError(f"found {name} {one!s} in {where} and {other!s} in {elsewhere}, expected the same; mend one")
    return other if one is None else one


def _filled(value: Any) -> Any:
    """None for an empty cell."""
    if isinstance(value, str):
        return value.strip() or None
    return value


def read_name(where: str, column: str, value: Any) -> str | None:
    """Text that UTF-8 can hold, or a whole number as text."""
    if value is None or isinstance(value, str):
        return None if value is None else printable(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"{where}: found {column} {short(value)}, expected text; put it in quotes")


def one_of(where: str, column: str, value: str, words: Any) -> str:
    """The value, which must be one of ``words``."""
    if value not in words:
        hint = nearest(value.lower(), words).replace('"', "")
        raise ValueError(
            f"{where}: found {column} {value!r}, expected one of {', '.join(words)}, or nothing if unknown"
            + (f"; {hint}" if hint else "")
        )
    return value


def read_severity(where: str, value: Any) -> float | None:
    """A House-Brackmann grade, 1 to 6."""
    return _number(where, "severity", value, "a House-Brackmann grade", 1, 6)


def read_score(where: str, column: str, value: Any) -> float | None:
    """A Sunnybrook composite or eFACE score, 0 to 100 (normal)."""
    return _number(where, column, value, "a score", 0, 100)


def _number(where: str, column: str, value: Any, what: str, least: float, most: float) -> float | None:
    if value is None:
        return None
    try:
        number = float("nan") if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = float("nan")
    if not least <= number <= most:
        raise ValueError(
            f"{where}: found {column} {short(value)}, expected {what}, a number from {least:g} to {most:g}, "
            f"or nothing if unknown"
        )
    return number


def _points_of(where: str, landmarks: Any, five: Any, source: str | None) -> Points | None:
    many = None if landmarks is None else read_pairs(where, "landmarks", landmarks, COUNT)
    few = None if five is None else read_pairs(where, "points5", five, 5)
    if many is None and few is None:
        return None
    points = checked(where, many if many is not None else few)
    if source is None or points.landmarks is None:
        return points
    return replace(points, source=one_of(where, "landmarks_source", source, ("given", "predicted")))


def read_pairs(where: str, column: str, value: Any, count: int) -> NDArray[np.float64]:
    """``count`` pairs [x, y], given as lists or as their JSON."""
    try:
        points = np.asarray(json.loads(value) if isinstance(value, str) else value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError, RecursionError):
        points = np.empty(0)
    if points.shape != (count, 2) or not np.isfinite(points).all():
        raise ValueError(
            f"{where}: found {column} {short(value)}, expected {count} pairs [x, y] of finite numbers in px"
        )
    refuse_unseen(where, points)
    return points


def refuse_unseen(where: str, points: NDArray[np.float64]) -> None:
    """Refuses points at (0, 0) or (-1, -1): programs write these for a point that nobody saw.

    Raises:
        ValueError: with the numbers of the points, from 1.
    """
    unseen = [str(number) for number, (x, y) in enumerate(points, start=1) if x in (0, -1) and y in (0, -1)]
    if unseen:
        raise ValueError(
            f"{where}: found points that nobody saw (number {', '.join(unseen[:8])}, marked by (0, 0) or (-1, -1)); "
            "give their places, or five points alone"
        )


def checked(where: str, points: NDArray[np.floating] | None) -> Points:
    """Checks that five points or 68 landmarks are in order: another order would silently flip the face and its side.

    Raises:
        ValueError: for another number of points, one place for all of them, or a mirrored face.
    """
    if points is None or points.shape not in ((5, 2), (COUNT, 2)):
        shape = None if points is None else points.shape
        raise ValueError(f"{where}: found points of shape {shape}, expected 5 or {COUNT} of two coordinates")
    landmarks = points.astype(np.float64) if len(points) == COUNT else None
    five = points.astype(np.float64) if landmarks is None else five_points(landmarks)
    eyes, down = five[1] - five[0], five[3:].mean(0) - five[:2].mean(0)
    if np.hypot(*eyes) < 1 or np.hypot(*down) < 1:
        raise ValueError(
            f"{where}: found eyes {np.hypot(*eyes):.2f} px apart and a mouth {np.hypot(*down):.2f} px from them, "
            f"expected 1 px at least; give points in px, not as fractions"
        )
    if eyes[0] * down[1] - eyes[1] * down[0] <= 0 or np.dot(eyes, five[4] - five[3]) <= 0:
        raise ValueError(
            f"{where}: found a mirrored face, expected the image-left eye and mouth corner (the subject's right) "
            f"before the image-right ones; reorder the points"
        )
    return Points(five, landmarks)
