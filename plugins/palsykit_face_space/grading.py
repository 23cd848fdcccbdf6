"""The House-Brackmann grade of a face, by the scale's own measure and its table, from 68 landmarks alone.

It is the check on the simulator: it knows nothing of how a face was made. It is no instrument for patients: it takes
the true landmarks of one face at rest and in movement, whose head does not turn between the photographs.

The measure (House and Brackmann 1985): the rise of the middle of the brow and the movement of the corner of the mouth
on the affected side, one point for each 2.5 mm, four at most each. They are compared with the healthy side, because
healthy smiles are smaller than 10 mm in many people: points are the affected side's share times 10 mm. The two sides of
healthy people differ by 7 to 9 % on average, so a share of ``FULL`` and more is full function.

The table is read region by region; a region names the grades that it is compatible with. The grade is the one that most
regions name; among several, the one that the points name, else the nearest to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from palsykit.faces.vocabulary import Side

Points = NDArray[np.floating]

POINT_MM, MOST_POINTS, FULL_MM = 2.5, 4.0, 10.0
FULL = 0.88
SHUT_MM = 0.8
"""Lids that are less apart count as shut."""
NOT_SYMMETRIC_MM = 4.0
"""Sum of the flaccid signs at rest (brow and corner lower, eye wider) from which a face at rest is asymmetric."""
NEEDED = ("rest", "brow_raise", "eye_closure_gentle", "eye_closure_tight", "smile_full")

_BETWEEN_EYES_MM = 61.0
"""Between the middles of the eyes' corners, if the pupils are 63 mm apart; sd 1.5 mm in 60 London people."""
_EYE_CORNERS = (36, 39), (45, 42)
_BROW_MIDDLES, _MOUTH_CORNERS = (19, 24), (48, 54)
_UPPER_LIDS, _LOWER_LIDS = ([37, 38], [43, 44]), ([41, 40], [47, 46])
_BY_POINTS = {0: {6}, 1: {5}, 2: {5}, 3: {4}, 4: {4}, 5: {3}, 6: {3}, 7: {2}, 8: {1}}
_ALL = frozenset(range(1, 7))


@dataclass(frozen=True)
class Half:
    """What one half of a face does, in mm.

    Attributes:
        brow: height of the middle of the brow above the line of the eyes at rest.
        corner: depth of the mouth's corner below that line at rest.
        fissure: opening of the eye at rest.
        brow_rise: of the middle of the brow.
        smile: movement of the corner in a full smile, (out, up).
        gap_gentle: opening of the eye when it is to be closed gently.
        gap_tight: when it is to be closed with effort.
    """

    brow: float
    corner: float
    fissure: float
    brow_rise: float
    smile: tuple[float, float]
    gap_gentle: float
    gap_tight: float


@dataclass(frozen=True)
class Graded:
    """A grade and what it is made of.

    Attributes:
        grade: 1 to 6.
        points: of the scale's measure, 0 to 8.
        regions: region -> the grades that it is compatible with.
    """

    grade: int
    points: float
    regions: dict[str, frozenset[int]]


def measure(shots: Mapping[str, Points]) -> tuple[Half, Half]:
    """The (right, left) half of a face from landmarks [68, 2] of its expressions, in any unit.

    Raises:
        ValueError: an expression of ``NEEDED`` is missing, or its landmarks have another shape.
    """
    missing = [name for name in NEEDED if name not in shots]
    if missing:
        raise ValueError(f"found {', '.join(shots) or 'no expression'}, expected {', '.join(missing)} too")
    face = {name: _in_mm(name, shots[name]) for name in NEEDED}
    return _half(face, 0), _half(face, 1)


def grade(shots: Mapping[str, Points], side: Side, healthy: Mapping[str, Points] | None = None) -> Graded:
    """Grade the affected side of a face.

    Args:
        shots: expression -> landmarks [68, 2]; those of ``NEEDED``.
        side: which side to grade; of a bilateral palsy the better one counts. With none, the weaker side counts.
        healthy: the same person's landmarks before the palsy. Without them a side is compared with the other one, and
            bilateral palsies with the scale's 10 mm.

    Raises:
        ValueError: an expression is missing, or landmarks have another shape.
    """
    halves, before = measure(shots), None if healthy is None else measure(healthy)
    graded = []
    for own in (0, 1):
        reference = before[own] if before else (None if side is Side.BILATERAL else halves[1 - own])
        graded.append(_graded(halves[own], reference))
    if side in (Side.RIGHT, Side.LEFT):
        return graded[int(side is Side.LEFT)]
    order = sorted(graded, key=lambda one: (one.grade, -one.points))
    return order[0] if side is Side.BILATERAL else order[1]


def _in_mm(name: str, points: Points) -> NDArray[np.float64]:
    """Landmarks as (across, down) from the middle of the inner eye corners, mm at 63 mm between the pupils."""
    if points.shape != (68, 2):
        raise ValueError(f"{name}: found landmarks of shape {points.shape}, expected (68, 2)")
    p = points.astype(np.float64)
    right, left = (p[list(corners)].mean(0) for corners in _EYE_CORNERS)
    across = (left - right) / np.linalg.norm(left - right)
    down = np.array([-across[1], across[0]])
    mm = np.linalg.norm(left - right) / _BETWEEN_EYES_MM
    return np.asarray((p - p[[39, 42]].mean(0)) @ np.stack([across, down], 1) / mm)


def _half(face: dict[str, NDArray[np.float64]], side: int) -> Half:
    def gap(name: str) -> float:
        return float((face[name][_LOWER_LIDS[side], 1] - face[name][_UPPER_LIDS[side], 1]).mean())

    brow, corner = _BROW_MIDDLES[side], _MOUTH_CORNERS[side]
    rest = face["rest"]
    moved = face["smile_full"][corner] - rest[corner]
    return Half(
        brow=-float(rest[brow, 1]),
        corner=float(rest[corner, 1]),
        fissure=gap("rest"),
        brow_rise=float(rest[brow, 1] - face["brow_raise"][brow, 1]),
        smile=(float((-1.0, 1.0)[side] * moved[0]), -float(moved[1])),
        gap_gentle=gap("eye_closure_gentle"),
        gap_tight=gap("eye_closure_tight"),
    )


def _graded(half: Half, other: Half | None) -> Graded:
    """Grade a half against a healthy one; None: against the scale's 10 mm, and rest is not judged."""
    full = np.array(other.smile) if other else FULL_MM * np.array([1.0, 1.0]) / np.sqrt(2)
    brow = half.brow_rise / max(other.brow_rise if other else FULL_MM, 1e-6)
    mouth = float(full @ half.smile / max(full @ full, 1e-6))
    points = sum(min(MOST_POINTS, max(0.0, share / FULL) * FULL_MM / POINT_MM) for share in (brow, mouth))
    regions = {
        "points": frozenset(_BY_POINTS[int(points + 0.5)]),
        "rest": _rest(half, other),
        "forehead": _first(brow, (FULL, {1}), (0.55, {2}), (0.1, {3}), (-np.inf, {4, 5, 6})),
        "eye": _eye(half),
        "mouth": _first(mouth, (FULL, {1, 2}), (0.73, {3}), (0.45, {4}), (0.06, {5}), (-np.inf, {6})),
    }
    votes = {g: sum(g in named for named in regions.values()) for g in _ALL}
    nearest = min(regions["points"])
    best = max(_ALL, key=lambda g: (votes[g], g in regions["points"], -abs(g - nearest), -g))
    return Graded(best, points, regions)


def _first(value: float, *bands: tuple[float, set[int]]) -> frozenset[int]:
    """The grades of the first band whose lower end ``value`` reaches."""
    return frozenset(next(grades for low, grades in bands if value >= low))


def _rest(half: Half, other: Half | None) -> frozenset[int]:
    if other is None:
        return _ALL
    signs = (other.brow - half.brow) + (half.corner - other.corner) + (half.fissure - other.fissure)
    return frozenset({5, 6} if signs > NOT_SYMMETRIC_MM else {1, 2, 3, 4})


def _eye(half: Half) -> frozenset[int]:
    if half.gap_gentle < SHUT_MM:
        return frozenset({1, 2})
    if half.gap_tight < SHUT_MM:
        return frozenset({3})
    return frozenset({4, 5} if half.gap_tight < 0.9 * half.fissure else {6})
