"""Displace the template points of faces: brows, lids, cheeks, mouth and chin, each half by its own nerve.

Points are the webmorph template's (palsykit.faces.webmorph). Lengths are mm at 63 mm between the pupils, directions the
face's own: up is perpendicular to the line of the pupils, out is away from the midline. Side 0 is the SUBJECT'S right,
at the image's left. B faces are moved at a time.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Values = NDArray[np.float64]

BETWEEN_PUPILS_MM = 63.0
CORNERS = 87, 93
BROW_MIDDLES = 73, 80
LID_MIDDLES = (20, 29), (25, 32)
"""(upper, lower) of each eye."""

BROW_DROP, LID_SAG, LID_RETRACTION = 5.0, 2.0, 0.8
CORNER_DROP, CHEEK_DROP, MOUTH_PULL, FOLD_LOSS = 5.5, 2.5, 3.0, 0.8
"""Signs of a half without any tone, in mm; the fold's is a share of its depth."""
NARROWED, FOLD_GAINED = 0.2, 0.6
"""At rest with severe synkinesis: share of the fissure, and of the fold's depth."""
EYE_WITH_MOUTH, CORNER_WITH_EYE, FOLD_WITH_EYE = 0.5, (3.0, 3.0), 0.6
"""In movement with severe synkinesis; of the corner: up and out in mm."""

_BROW = [71, 72, 73, 74, 75, 76, 83, 84], [77, 78, 79, 80, 81, 82, 85, 86]
_BROW_INNER = [75, 76, 84], [77, 78, 85]
_BROW_LOWER = [83, 84], [85, 86]
_CREASE = [34, 35, 36, 37, 38], [39, 40, 41, 42, 43]
_UPPER_LID = [18, 19, 20, 21, 22], [23, 24, 25, 26, 27]  # with both corners
_LOWER_LID = [18, 28, 29, 30, 22], [23, 31, 32, 33, 27]
_UNDER_EYE = [44, 45, 46], [47, 48, 49]
_CHEEK = [164, 165, 166], [167, 168, 169]
_FOLD = [158, 159, 160], [161, 162, 163]
_JOWL = [126, 127], [132, 131]
_MOUTH = [*range(87, 109)]
_UPPER_LIP, _LOWER_LIP = [*range(88, 93), *range(94, 99)], [*range(99, 109)]
_NOSE_WING = [62, 63, 64, 65], [67, 68, 69, 70]
_LOWER_CHIN = {177: 0.92, 176: 0.85, 178: 0.85, 174: 0.75, 175: 0.6, 129: 0.45, 128: 0.35, 130: 0.35}
_PULLED = {170: 0.6, 171: 0.9, 172: 0.6, 173: 0.9, 174: 0.5, 175: 0.35, 176: 0.6, 177: 0.8, 178: 0.6,
           55: 0.35, 179: 0.3, 180: 0.3, 181: 0.3, 182: 0.3, 54: 0.15, 60: 0.15}  # fmt: skip

# A smile bows the lips: their middle parts do not follow the corners, least in a mouth that opens. The exponents follow
# the London pairs' lips point by point (tools/measure_smiles.py).
_BOWED, _BOWED_OPEN = 2.8, 0.6
_THINNED = 0.25  # share of an upper lip's rise that its upper edge does not make
_LIDS_MEET = 0.08  # above the lower lid's resting line, share of the fissure
_ROOM_FOR_BROW = 0.4  # share of the distance from the brow to the lid; a low brow has less room
_LEAST_ROOM_FOR_BROW = 0.25  # of that distance; with less the warp folds


@dataclass(frozen=True)
class Half:
    """One half of B faces; each [B].

    Attributes:
        move: {name of a ``Movement``: how far a healthy half would move}.
        brow: share of it that the brow makes.
        eye: likewise, of the lids.
        mouth: likewise, of mouth and cheek.
        limp_brow: lost tone, 0 to 1.
        limp_eye: likewise.
        limp_mouth: likewise.
        stray_mouth: pull at the corner of the mouth by movements of the upper face, 0 to 1.
    """

    move: dict[str, Values]
    brow: Values
    eye: Values
    mouth: Values
    limp_brow: Values
    limp_eye: Values
    limp_mouth: Values
    stray_mouth: Values


class Faces:
    """Points [B, 189, 2] that are moved step by step, with each face's own directions and unit.

    Attributes:
        points: where they are now.
        rest: where they were.
        mm: [B], length of 1 mm in the points' unit.
    """

    def __init__(self, points: Points) -> None:
        self.points = points.copy()
        self.rest = points
        across = points[:, 1] - points[:, 0]
        length = np.linalg.norm(across, axis=1)
        self.mm = length / BETWEEN_PUPILS_MM
        self.across = across / length[:, None]
        self.down = np.stack([-self.across[:, 1], self.across[:, 0]], 1)

    def below(self, point: int, other: int) -> Values:
        """How far ``point`` now is below ``other``, in mm: [B]."""
        return np.asarray(((self.points[:, point] - self.points[:, other]) * self.down).sum(-1) / self.mm)

    def room_for_brow(self, points: Points, side: int) -> Values:
        """Distance in ``points`` from the lower edge of the brow to the upper lid, in mm: [B]."""
        apart = points[:, _UPPER_LID[side][1:4]].mean(1) - points[:, _BROW_LOWER[side]].mean(1)
        return np.asarray((apart * self.down).sum(-1) / self.mm)

    def lid_gap(self, side: int) -> Values:
        """How far the middles of the lids now are apart, in mm: [B]."""
        upper, lower = LID_MIDDLES[side]
        return self.below(lower, upper)

    def half_mouth(self, side: int) -> Values:
        """Distance from the midline to the corner of the mouth at rest, positive to the image's right: [B]."""
        half = self.rest[:, CORNERS[side]] - self.rest[:, [90, 106]].mean(1)
        return np.asarray((half * self.across).sum(-1))

    def lateral(self, indices: list[int], side: int) -> Values:
        """Position of points [B, N]: 0 on the midline, 1 at the mouth's corner on ``side``, below 0 beyond it."""
        from_middle = self.rest[:, indices] - self.rest[:, [90, 106]].mean(1)[:, None]
        return np.asarray((from_middle @ self.across[..., None])[..., 0] / self.half_mouth(side)[:, None])

    def share(self, indices: list[int], side: int) -> Values:
        """Weight of ``side`` for mouth points: 1/2 on the midline, 1 from half-way to its corner on: [B, N]."""
        return np.clip(0.5 + self.lateral(indices, side), 0, 1)

    def move(self, indices: list[int], side: int, *, up: Values | float = 0.0, out: Values | float = 0.0) -> None:
        """Move points up and away from the midline, in mm; [B] or [B, N] each."""
        sign = (-1.0, 1.0)[side]
        shape = (len(self.points), len(indices))
        ups, outs = (np.broadcast_to(v[:, None] if np.ndim(v) == 1 else v, shape) for v in map(np.asarray, (up, out)))
        step = sign * outs[..., None] * self.across[:, None] - ups[..., None] * self.down[:, None]
        self.points[:, indices] += self.mm[:, None, None] * step


def move_upper_face(face: Faces, side: int, h: Half) -> None:
    """Move brow, lid crease, lids and cheek of one half."""
    m = h.move
    lowest = -_ROOM_FOR_BROW * face.room_for_brow(face.rest, side)
    still = np.maximum(-h.limp_brow * BROW_DROP, lowest)
    move_brow(face, side, np.maximum(still + h.brow * m["brow_up"], lowest))
    face.move(_BROW_INNER[side], side, out=-h.brow * m["brow_in"])
    lift = 0.06 * np.maximum(h.brow * m["brow_up"], 0.0) + h.limp_eye * LID_RETRACTION
    lower = h.eye * m["lower_lid_up"] - h.limp_eye * LID_SAG
    move_lids(face, side, lift, lower)
    face.move(_UNDER_EYE[side], side, up=0.5 * lower + 0.4 * h.mouth * m["cheek_up"])
    face.move(_CHEEK[side], side, up=h.mouth * m["cheek_up"] - 0.6 * h.limp_mouth * CHEEK_DROP)


def move_brow(face: Faces, side: int, up: Values) -> None:
    """Move a brow and the lid crease below it."""
    face.move(_BROW[side], side, up=up)
    face.move(_CREASE[side], side, up=0.3 * up)


def move_lids(face: Faces, side: int, upper: Values, lower: Values) -> None:
    """Move the lids of one eye up."""
    face.move(_UPPER_LID[side][1:4], side, up=upper)
    face.move(_LOWER_LID[side][1:4], side, up=lower)


def move_mouth(face: Faces, side: int, h: Half) -> None:
    """Move corner and lips of one half, and the fold and the chin next to them."""
    m = h.move
    bowed = _BOWED + _BOWED_OPEN * h.mouth * m["lower_lip_down"]
    move_corner(face, side, h.mouth * m["corner_up"], h.mouth * m["corner_out"], _BOWED, bowed)
    up = h.stray_mouth * CORNER_WITH_EYE[0] - h.limp_mouth * CORNER_DROP
    move_corner(face, side, up, h.stray_mouth * CORNER_WITH_EYE[1])
    face.move(_MOUTH, side, out=-(h.mouth * m["purse"])[:, None] * np.clip(face.lateral(_MOUTH, side), 0, None))
    face.move(_NOSE_WING[side], side, up=h.mouth * m["nose"], out=h.mouth * m["nose"])
    # The lips.
    for lip, outer, opening, protruded, thinned in (
        (_UPPER_LIP, range(88, 93), m["upper_lip_up"], m["protrude"], _THINNED),
        (_LOWER_LIP, range(104, 109), -m["lower_lip_down"], -m["protrude"], 0.0),
    ):
        taper = 1 - np.clip(np.abs(face.lateral(lip, side)), 0, 1) ** 3
        taper *= [1 - thinned * (i in outer) for i in lip]
        face.move(lip, side, up=(h.mouth * opening)[:, None] * face.share(lip, side) * taper)
        rim = [i for i in lip if i in outer]
        face.move(rim, side, up=(h.mouth * protruded)[:, None] * face.share(rim, side))
    # Chin and jowl.
    chin, weights = list(_LOWER_CHIN), list(_LOWER_CHIN.values())
    face.move(chin, side, up=-(h.mouth * m["lower_lip_down"])[:, None] * weights * face.share(chin, side))
    face.move(_JOWL[side], side, up=-0.35 * h.limp_mouth * CHEEK_DROP)


def move_corner(
    face: Faces, side: int, up: Values, out: Values, upper: Values | float = 1.25, lower: Values | float = 1.25
) -> None:
    """Move the corner of the mouth, the points between it and the midline the less the nearer they are to this, and the
    fold beside it; ``upper`` and ``lower`` are the exponents with which that decreases in the two lips.
    """
    exponents = ((_UPPER_LIP, upper), (_LOWER_LIP, lower), ([CORNERS[side]], 1.0))
    for lip, exponent in exponents:
        reach = np.clip(face.lateral(lip, side), 0, None)
        face.move(lip, side, up=up[:, None] * reach ** np.reshape(exponent, (-1, 1)), out=out[:, None] * reach)
    steps = np.array([[0.25, 0.5, 0.75], [0.3, 0.7, 1.2]])
    face.move(_FOLD[side], side, up=up[:, None] * steps[0], out=out[:, None] * steps[1])


def pull_mouth(face: Faces, right: Half, left: Half) -> None:
    """Move mouth, philtrum and chin towards the side with more tone, and to the side that moves more."""
    stronger = left.mouth - right.mouth
    whole = MOUTH_PULL * (right.limp_mouth - left.limp_mouth) + right.move["drag"] * stronger
    moving = right.move["pull"] * stronger
    between = 1 - np.clip(np.maximum(face.lateral(_MOUTH, 0), face.lateral(_MOUTH, 1)), 0, 1)
    face.move(_MOUTH, 1, out=whole[:, None] + moving[:, None] * between)
    face.move(list(_PULLED), 1, out=(whole + moving)[:, None] * list(_PULLED.values()))


def close(points: Points, side: int, closure: Values) -> None:
    """Lower the upper lid (and raise the lower one a little) until it covers the share ``closure`` of the fissure."""
    upper, lower = _UPPER_LID[side][1:4], _LOWER_LID[side][1:4]
    step = closure[:, None, None] * (points[:, lower] - points[:, upper])
    points[:, upper] += (1 - _LIDS_MEET) * step
    points[:, lower] -= _LIDS_MEET * step


def set_brow(face: Faces, side: int, higher: Values) -> None:
    """Bring the middle of a brow ``higher`` [B] mm above the other one's; NaN leaves it.

    Raises:
        ValueError: the brow would lie on the lid.
    """
    step = np.nan_to_num(higher + face.below(BROW_MIDDLES[side], BROW_MIDDLES[1 - side]))
    room = face.room_for_brow(face.points, side) - _LEAST_ROOM_FOR_BROW * face.room_for_brow(face.rest, side)
    for row in np.flatnonzero(-step > np.maximum(room, 0)):
        raise ValueError(
            f"brow {higher[row]:g}mm: the brow would lie on the lid; this face has room for "
            f"{higher[row] - step[row] - room[row]:.1f}mm"
        )
    move_brow(face, side, step)


def set_corner(face: Faces, side: int, higher: Values) -> None:
    """Bring the corner of the mouth ``higher`` [B] mm above the other one; NaN leaves it."""
    step = np.nan_to_num(higher + face.below(CORNERS[side], CORNERS[1 - side]))
    move_corner(face, side, step, np.zeros_like(step))
