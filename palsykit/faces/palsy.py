"""What an expression does to a face's points, and what a palsy takes away from it.

The eight expressions are those of palsykit.faces.vocabulary. The palsy is flaccid, as House and Brackmann (1985)
grade it and clinical descriptions list its signs; with p = (grade - 1) / 5, at rest the affected side's brow sits
lower, the lower lid sags and the eye stands wider open, the mouth corner droops, mouth and philtrum are pulled to the
healthy side and the nasolabial fold flattens, all in proportion to p; in movement that side does (1 - p) of the healthy
side's. Synkinesis is not modelled. Lengths are fractions of the distance between the pupils; they are chosen to be seen
in small pictures, not measured from patients. Points are the webmorph template's (faces/webmorph.py); ``right`` and
``left`` are the SUBJECT'S, so the right side is at the image's left.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from palsykit.faces.vocabulary import EXPRESSIONS, Side

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Movement:
    """A full-strength movement of one half of the face; up, out (away from the midline) and open are positive."""

    brow_up: float = 0.0
    brow_in: float = 0.0
    close: float = 0.0  # share of the palpebral fissure
    lower_lid_up: float = 0.0
    cheek_up: float = 0.0
    corner_up: float = 0.0
    corner_out: float = 0.0
    upper_lip_up: float = 0.0
    lower_lip_down: float = 0.0
    purse: float = 0.0  # share of the half mouth's width
    protrude: float = 0.0
    fold: float = 0.0
    wrinkle: float = 0.0
    pull: float = 0.0  # of the whole mouth to this side, where the other does not hold against it


MOVEMENTS: dict[str, Movement] = {
    "rest": Movement(),
    "brow_raise": Movement(brow_up=0.21, lower_lid_up=-0.01, wrinkle=1.0),
    "eye_closure_gentle": Movement(close=1.0, lower_lid_up=0.015, brow_up=-0.02),
    "eye_closure_tight": Movement(
        close=1.0, lower_lid_up=0.05, brow_up=-0.12, brow_in=0.05, cheek_up=0.09, corner_up=0.05, corner_out=0.03,
        fold=0.6,
    ),
    "smile_gentle": Movement(
        corner_up=0.13, corner_out=0.14, cheek_up=0.07, lower_lid_up=0.025, close=0.08, fold=0.7, pull=0.05
    ),
    "smile_full": Movement(
        corner_up=0.19, corner_out=0.20, cheek_up=0.11, lower_lid_up=0.045, close=0.15, upper_lip_up=0.07,
        lower_lip_down=0.15, fold=1.0, pull=0.07,
    ),
    "lip_pucker": Movement(purse=0.38, protrude=0.06, fold=-0.3, pull=0.04),
    "lower_lip_depression": Movement(
        corner_out=0.10, corner_up=-0.07, lower_lip_down=0.24, upper_lip_up=0.03, fold=0.2, pull=0.05
    ),
}  # fmt: skip
"""Expression -> what a healthy half face does."""

_SIDES = ("right", "left")  # the subject's; the order of every pair below
_BROW = [71, 72, 73, 74, 75, 76, 83, 84], [77, 78, 79, 80, 81, 82, 85, 86]
_BROW_INNER = [75, 76, 84], [77, 78, 85]
_BROW_LOWER = [83, 84], [85, 86]
_CREASE = [34, 35, 36, 37, 38], [39, 40, 41, 42, 43]
_UPPER_LID = [18, 19, 20, 21, 22], [23, 24, 25, 26, 27]  # with both corners
_LOWER_LID = [18, 28, 29, 30, 22], [23, 31, 32, 33, 27]
_UNDER_EYE = [44, 45, 46], [47, 48, 49]
_CHEEK = [164, 165, 166], [167, 168, 169]
_FOLD = [158, 159, 160], [161, 162, 163]
_MOUTH = [*range(87, 109)]
_UPPER_LIP, _LOWER_LIP = [*range(88, 93), *range(94, 99)], [*range(99, 109)]
_LOWER_CHIN = {177: 0.92, 176: 0.85, 178: 0.85, 174: 0.75, 175: 0.5, 129: 0.3, 128: 0.2, 130: 0.2}
_PULLED = {170: 0.6, 171: 0.9, 172: 0.6, 173: 0.9, 174: 0.5, 175: 0.35, 176: 0.6, 177: 0.8, 178: 0.6,
           55: 0.35, 179: 0.3, 180: 0.3, 181: 0.3, 182: 0.3, 54: 0.15, 60: 0.15}  # fmt: skip
_IRIS = [0, *range(2, 10)], [1, *range(10, 18)]

_BROW_DROP, _LID_SAG, _LID_RETRACTION = 0.13, 0.045, 0.015
_CORNER_DROP, _CHEEK_DROP, _MOUTH_PULL, _FOLD_LOSS = 0.19, 0.06, 0.10, 0.8
_LIDS_MEET = 0.08  # above the lower lid's resting line, share of the fissure
_SHUT_FROM = 0.7  # strength


@dataclass(frozen=True)
class Pose:
    """A face that makes an expression.

    Attributes:
        points: [189, 2], where the landmarks are.
        open_points: the same before the lids close over the eyes; what a picture's skin follows.
        closure: (right, left) share of the fissure that the upper lid covers, 0 to 1.
        fold: (right, left) depth of the nasolabial fold against the face at rest, about -1 to 1.
        wrinkle: (right, left) of the forehead, 0 to 1.
    """

    points: Points
    open_points: Points
    closure: tuple[float, float]
    fold: tuple[float, float]
    wrinkle: tuple[float, float]


def palsy_degree(severity: float) -> float:
    """House-Brackmann 1 (normal) to 6 (total) as 0 to 1; ValueError outside."""
    if not 1 <= severity <= 6:
        raise ValueError(f"severity {severity!r} is no House-Brackmann grade; expected 1 (normal) to 6 (total)")
    return (severity - 1) / 5


def affected(side: Side, severity: float) -> tuple[float, float]:
    """Palsy degree (right, left).

    Raises:
        ValueError: for severity above 1 without a side, or beyond the scale.
    """
    degree = palsy_degree(severity)
    if side is Side.NONE and degree > 0:
        raise ValueError(f"severity {severity!r} with side 'none'; expected 1.0, or a side")
    return (degree * (side in (Side.RIGHT, Side.BILATERAL)), degree * (side in (Side.LEFT, Side.BILATERAL)))


class _Face:
    """Points being moved, with the face's own directions and unit."""

    def __init__(self, points: Points) -> None:
        self.points = points.copy()
        self.rest = points
        across = points[1] - points[0]
        self.unit = float(np.linalg.norm(across))
        self.across = across / self.unit
        self.down = np.array([-self.across[1], self.across[0]])

    def gap(self, above: list[int], below: list[int]) -> float:
        """How far apart two groups of points stand at rest, downwards, in units of the inter-pupil distance."""
        return float((self.rest[below].mean(0) - self.rest[above].mean(0)) @ self.down) / self.unit

    def lateral(self, indices: list[int], side: int) -> NDArray[np.float64]:
        """How far towards ``side`` mouth points lie: 0 on the midline, 1 at the corner, negative beyond the midline."""
        middle, corner = self.rest[[90, 106]].mean(0) @ self.across, self.rest[(87, 93)[side]] @ self.across
        return np.asarray((self.rest[indices] @ self.across - middle) / (corner - middle))

    def share(self, indices: list[int], side: int) -> NDArray[np.float64]:
        """The side's say in moving points about the mouth: 1/2 on the midline, 1 from half-way to its corner."""
        return np.clip(0.5 + self.lateral(indices, side), 0, 1)

    def move(self, indices: list[int], side: int, *, up: NDArray[np.float64] | float = 0.0,
             out: NDArray[np.float64] | float = 0.0) -> None:  # fmt: skip
        """Moves points up and away from the midline, in units of the inter-pupil distance."""
        sign = (-1.0, 1.0)[side]
        count = np.ones(len(indices))
        self.points[indices] += self.unit * (
            np.outer(count * out, self.across) * sign - np.outer(count * up, self.down)
        )


def _move_upper_face(face: _Face, side: int, m: Movement, act: float, palsy: float) -> None:
    """Brow, lid crease, lower lid and cheek."""
    brow = act * m.brow_up - palsy * _BROW_DROP
    if brow < 0:  # a low brow has less room above the lid
        brow = -min(-brow, 0.4 * face.gap(_BROW_LOWER[side], _UPPER_LID[side][1:4]))
    face.move(_BROW[side], side, up=brow)
    face.move(_BROW_INNER[side], side, out=-act * m.brow_in)
    face.move(_CREASE[side], side, up=0.3 * brow)
    inner_lid = _UPPER_LID[side][1:4]
    face.move(inner_lid, side, up=0.06 * max(act * m.brow_up, 0.0) + palsy * _LID_RETRACTION)
    lower = act * m.lower_lid_up - palsy * _LID_SAG
    face.move(_LOWER_LID[side][1:4], side, up=lower)
    face.move(_UNDER_EYE[side], side, up=0.5 * lower + 0.4 * act * m.cheek_up)
    face.move(_CHEEK[side], side, up=act * m.cheek_up - 0.6 * palsy * _CHEEK_DROP)


def _move_mouth(face: _Face, side: int, m: Movement, act: float, palsy: float) -> None:
    """Corner and lips of one half, with the fold beside them and the chin below."""
    reach = np.clip(face.lateral(_MOUTH, side), 0, None)
    corner_up, corner_out = act * m.corner_up - palsy * _CORNER_DROP, act * m.corner_out
    face.move(_MOUTH, side, up=corner_up * reach**1.25, out=corner_out * reach)
    half_width = float((face.rest[(87, 93)[side]] - face.rest[[90, 106]].mean(0)) @ face.across)
    face.move(_MOUTH, side, out=-act * m.purse * reach * abs(half_width) / face.unit)
    for lip, outer, opening in (
        (_UPPER_LIP, range(88, 93), m.upper_lip_up),
        (_LOWER_LIP, range(104, 109), -m.lower_lip_down),
    ):
        taper = 1 - np.clip(np.abs(face.lateral(lip, side)), 0, 1) ** 3
        face.move(lip, side, up=act * opening * face.share(lip, side) * taper)
        rim = [i for i in lip if i in outer]
        face.move(
            rim,
            side,
            up=np.sign(opening or (1.0 if lip is _UPPER_LIP else -1.0)) * act * m.protrude * face.share(rim, side),
        )
    for i, weight in _LOWER_CHIN.items():
        face.move([i], side, up=-act * m.lower_lip_down * weight * face.share([i], side))
    face.move(_FOLD[side], side, up=np.array([0.25, 0.5, 0.75]) * corner_up, out=np.array([0.3, 0.7, 1.2]) * corner_out)
    jowl = [126, 127] if side == 0 else [132, 131]
    face.move(jowl, side, up=-0.35 * palsy * _CHEEK_DROP)


def _pull_mouth(face: _Face, m: Movement, acts: tuple[float, float], palsies: tuple[float, float]) -> None:
    """Moves mouth, philtrum and chin towards the side that pulls harder."""
    towards_left = _MOUTH_PULL * (palsies[0] - palsies[1]) + m.pull * (acts[1] - acts[0])
    face.move(_MOUTH, 1, out=towards_left)
    for i, weight in _PULLED.items():
        face.move([i], 1, out=weight * towards_left)


def _close(points: Points, side: int, closure: float) -> None:
    """Brings the upper lid down (and the lower one up a little) to where it covers ``closure`` of the fissure."""
    upper, lower = _UPPER_LID[side][1:4], _LOWER_LID[side][1:4]
    gap = points[lower] - points[upper]
    points[upper] += closure * (1 - _LIDS_MEET) * gap
    points[lower] -= closure * _LIDS_MEET * gap


def displace(points: Points, expression: str, strength: float = 1.0, side: Side = Side.NONE,
             severity: float = 1.0) -> Pose:  # fmt: skip
    """Template points [189, 2] of a face at rest, in any unit and roll, with an expression and a palsy.

    Args:
        expression: canonical name.
        strength: of the movement on a healthy side, 0 to 1.
        side: the subject's affected side.
        severity: House-Brackmann grade 1 to 6.

    Raises:
        ValueError: for an unknown expression, a shape other than [189, 2] or a severity that does not go with the side.
    """
    if expression not in MOVEMENTS:
        raise ValueError(f"unknown expression {expression!r}; expected one of {', '.join(EXPRESSIONS)}")
    if points.shape != (189, 2):
        raise ValueError(f"found points of shape {points.shape}, expected (189, 2)")
    movement, palsies = MOVEMENTS[expression], affected(side, severity)
    acts = (strength * (1 - palsies[0]), strength * (1 - palsies[1]))
    face = _Face(points.astype(np.float64))
    for half, (act, palsy) in enumerate(zip(acts, palsies, strict=True)):
        _move_upper_face(face, half, movement, act, palsy)
        _move_mouth(face, half, movement, act, palsy)
    _pull_mouth(face, movement, acts, palsies)
    # People shut their eyes wholly whatever their effort: from _SHUT_FROM on, a healthy closure is complete.
    shut = min(1.0, strength / _SHUT_FROM)
    closes = [movement.close * shut * (1 - palsy) for palsy in palsies]
    moved = face.points.copy()
    for half, closure in enumerate(closes):
        _close(moved, half, closure)
    return Pose(
        points=moved,
        open_points=face.points,
        closure=(closes[0], closes[1]),
        fold=(acts[0] * movement.fold - palsies[0] * _FOLD_LOSS, acts[1] * movement.fold - palsies[1] * _FOLD_LOSS),
        wrinkle=(acts[0] * movement.wrinkle, acts[1] * movement.wrinkle),
    )
