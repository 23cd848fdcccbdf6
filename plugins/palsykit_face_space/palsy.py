"""Move a face's points by an expression and a palsy, which weakens movements and adds signs.

The eight expressions are those of palsykit.faces.vocabulary, the grades are House and Brackmann's (1985), and the signs
are those of clinical descriptions. With p = (grade - 1) / 5, the affected side makes (1 - p) of the healthy side's
movement.

Flaccid: at rest the affected brow is lower, the lower lid sags and the eye is wider open, the corner of the mouth
droops, mouth and philtrum are pulled to the healthy side and the nasolabial fold flattens, in proportion to p.
Synkinetic (after aberrant regeneration): t = 4 p (1 - p) of the tone is misdirected: none in a healthy face, and none
in a fully paralysed one. It replaces the droop: at rest the eye is narrower and the fold deeper; the eye narrows when
the mouth moves, and the corner is drawn up when the eye closes or the brow rises. At grade VI both kinds are equal.
An eye that cannot close rolls up during the attempt (Bell's phenomenon).

Lengths are fractions of the distance between the pupils; they are chosen to be visible in small pictures, not measured
from patients. Points are the webmorph template's (faces/webmorph.py); ``right`` and ``left`` are the SUBJECT'S, so the
right side is at the image's left. B faces are moved at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from palsykit.faces.vocabulary import EXPRESSIONS, Group, Side
from palsykit_face_space.movements import MOVEMENTS, Movement

Points = NDArray[np.float64]
Values = NDArray[np.float64]


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

_BROW_DROP, _LID_SAG, _LID_RETRACTION = 0.13, 0.045, 0.015
_CORNER_DROP, _CHEEK_DROP, _MOUTH_PULL, _FOLD_LOSS = 0.19, 0.06, 0.10, 0.8
_NARROWED, _FOLD_GAINED = 0.22, 0.6  # at rest, if all tone is misdirected
_EYE_WITH_MOUTH, _CORNER_WITH_EYE, _FOLD_WITH_EYE = 0.5, (0.06, 0.07), 0.6  # in movement; of the corner: up, out
_LIDS_MEET = 0.08  # above the lower lid's resting line, share of the fissure
_SHUT_FROM = 0.7  # strength from which a healthy eye closes completely


_NAMES = tuple(field.name for field in fields(Movement))
_TABLE = np.array([[getattr(MOVEMENTS[expression], name) for name in _NAMES] for expression in EXPRESSIONS])
_MOUTH_MOVES = np.array([expression.startswith(("smile", "lip", "lower_lip")) for expression in EXPRESSIONS])
_UPPER_FACE_MOVES = np.array([expression.startswith(("brow", "eye")) for expression in EXPRESSIONS])


@dataclass(frozen=True)
class Action:
    """An expression with a palsy.

    Attributes:
        expression: canonical name.
        side: the subject's affected side.
        severity: House-Brackmann grade 1 to 6.
        strength: of the movement on a healthy side, 0 to 1.
        group: the kind of palsy; "normal" goes with grade 1 only. None is flaccid.

    Raises:
        ValueError: the expression is unknown, or severity or group contradicts the side.
    """

    expression: str
    side: Side = Side.NONE
    severity: float = 1.0
    strength: float = 1.0
    group: Group | None = None

    def __post_init__(self) -> None:
        if self.expression not in MOVEMENTS:
            raise ValueError(f"unknown expression {self.expression!r}; expected one of {', '.join(EXPRESSIONS)}")
        if max(affected(self.side, self.severity)) > 0 and self.group is Group.NORMAL:
            raise ValueError(f"severity {self.severity!r} in group 'normal'; expected 1.0, or flaccid or synkinetic")


@dataclass(frozen=True)
class Pose:
    """Faces with expressions; for a single face, shapes have no leading B.

    Attributes:
        points: [B, 189, 2] after the movement.
        open_points: the same before the lids close over the eyes; the skin in a picture follows these.
        closure: [B, 2] (right, left) share of the fissure that the upper lid covers, 0 to 1.
        fold: [B, 2] depth of the nasolabial fold against the face at rest, about -1 to 1.
        wrinkle: [B, 2] of the forehead, 0 to 1.
        gaze_up: [B, 2] upward roll of the eye, 0 to 1.
    """

    points: Points
    open_points: Points
    closure: Values
    fold: Values
    wrinkle: Values
    gaze_up: Values


def palsy_degree(severity: float) -> float:
    """House-Brackmann grade 1 (normal) to 6 (total) as 0 to 1; ValueError for other values."""
    if not 1 <= severity <= 6:
        raise ValueError(f"severity {severity!r} is not a House-Brackmann grade; expected 1 (normal) to 6 (total)")
    return (severity - 1) / 5


def affected(side: Side, severity: float) -> tuple[float, float]:
    """Palsy degree, 0 to 1, of (right, left).

    Raises:
        ValueError: the severity is above 1 without a side, or not on the scale.
    """
    degree = palsy_degree(severity)
    if side is Side.NONE and degree > 0:
        raise ValueError(f"severity {severity!r} with side 'none'; expected 1.0, or a side")
    return (degree * (side in (Side.RIGHT, Side.BILATERAL)), degree * (side in (Side.LEFT, Side.BILATERAL)))


@dataclass(frozen=True)
class _Half:
    """The nerves' effect on one half of B faces; each [B].

    Attributes:
        move: {name of a ``Movement``: full strength}.
        act: share of the movement that is made.
        limp: share of the flaccid signs at rest.
        tone: misdirected tone.
        stray_eye: closure of the eye by movements of the mouth, caused by misdirected tone.
        stray_mouth: pull at the corner of the mouth by movements of the upper face, caused by misdirected tone.
        palsy: degree.
    """

    move: dict[str, Values]
    act: Values
    limp: Values
    tone: Values
    stray_eye: Values
    stray_mouth: Values
    palsy: Values


def _halves(actions: Sequence[Action]) -> tuple[_Half, _Half]:
    number = np.array([list(EXPRESSIONS).index(a.expression) for a in actions])
    move = dict(zip(_NAMES, _TABLE[number].T, strict=True))
    strength = np.array([a.strength for a in actions])
    synkinetic = np.array([a.group is Group.SYNKINETIC for a in actions])
    palsies = np.array([affected(a.side, a.severity) for a in actions])
    halves = []
    for palsy in palsies.T:
        tone = 4 * palsy * (1 - palsy) * synkinetic
        halves.append(
            _Half(
                move=move,
                act=strength * (1 - palsy),
                limp=palsy * (1 - tone),
                tone=tone,
                stray_eye=tone * strength * _MOUTH_MOVES[number],
                stray_mouth=tone * strength * _UPPER_FACE_MOVES[number],
                palsy=palsy,
            )
        )
    return halves[0], halves[1]


class _Faces:
    """Points [B, 189, 2] that are moved step by step, with each face's own directions and unit."""

    def __init__(self, points: Points) -> None:
        self.points = points.copy()
        self.rest = points
        across = points[:, 1] - points[:, 0]
        self.unit = np.linalg.norm(across, axis=1)
        self.across = across / self.unit[:, None]
        self.down = np.stack([-self.across[:, 1], self.across[:, 0]], 1)

    def gap(self, above: list[int], below: list[int]) -> Values:
        """Vertical distance at rest between two groups of points, in inter-pupil distances: [B]."""
        apart = self.rest[:, below].mean(1) - self.rest[:, above].mean(1)
        return np.asarray((apart * self.down).sum(-1) / self.unit)

    def half_mouth(self, side: int) -> Values:
        """Distance from the midline to the corner of the mouth, positive to the image's right: [B]."""
        half = self.rest[:, (87, 93)[side]] - self.rest[:, [90, 106]].mean(1)
        return np.asarray((half * self.across).sum(-1))

    def lateral(self, indices: list[int], side: int) -> Values:
        """Position of points [B, N]: 0 on the midline, 1 at the mouth's corner on ``side``, below 0 beyond it."""
        from_middle = self.rest[:, indices] - self.rest[:, [90, 106]].mean(1)[:, None]
        return np.asarray((from_middle @ self.across[..., None])[..., 0] / self.half_mouth(side)[:, None])

    def share(self, indices: list[int], side: int) -> Values:
        """Weight of ``side`` for mouth points: 1/2 on the midline, 1 from half-way to its corner on: [B, N]."""
        return np.clip(0.5 + self.lateral(indices, side), 0, 1)

    def move(self, indices: list[int], side: int, *, up: Values | float = 0.0, out: Values | float = 0.0) -> None:
        """Move points up and away from the midline, in inter-pupil distances; [B] or [B, N] each."""
        sign = (-1.0, 1.0)[side]
        shape = (len(self.points), len(indices))
        ups, outs = (np.broadcast_to(v[:, None] if np.ndim(v) == 1 else v, shape) for v in map(np.asarray, (up, out)))
        step = sign * outs[..., None] * self.across[:, None] - ups[..., None] * self.down[:, None]
        self.points[:, indices] += self.unit[:, None, None] * step


def _move_upper_face(face: _Faces, side: int, h: _Half) -> None:
    """Move brow, lid crease, lids and cheek of one half."""
    m = h.move
    brow = h.act * m["brow_up"] - np.maximum(h.limp, 0.5 * h.palsy) * _BROW_DROP
    room = 0.4 * face.gap(_BROW_LOWER[side], _UPPER_LID[side][1:4])
    brow = np.where(brow < 0, -np.minimum(-brow, room), brow)  # a low brow has less room above the lid
    face.move(_BROW[side], side, up=brow)
    face.move(_BROW_INNER[side], side, out=-h.act * m["brow_in"])
    face.move(_CREASE[side], side, up=0.3 * brow)
    lift = 0.06 * np.maximum(h.act * m["brow_up"], 0.0) + h.limp * _LID_RETRACTION
    face.move(_UPPER_LID[side][1:4], side, up=lift)
    lower = h.act * m["lower_lid_up"] - h.limp * _LID_SAG
    face.move(_LOWER_LID[side][1:4], side, up=lower)
    face.move(_UNDER_EYE[side], side, up=0.5 * lower + 0.4 * h.act * m["cheek_up"])
    face.move(_CHEEK[side], side, up=h.act * m["cheek_up"] - 0.6 * h.limp * _CHEEK_DROP)


def _move_mouth(face: _Faces, side: int, h: _Half) -> None:
    """Move corner and lips of one half, and the fold and the chin next to them."""
    # The corner, and all mouth points in proportion.
    m = h.move
    reach = np.clip(face.lateral(_MOUTH, side), 0, None)
    corner_up = h.act * m["corner_up"] - h.limp * _CORNER_DROP + h.stray_mouth * _CORNER_WITH_EYE[0]
    corner_out = h.act * m["corner_out"] + h.stray_mouth * _CORNER_WITH_EYE[1]
    pursed = h.act * m["purse"] * np.abs(face.half_mouth(side)) / face.unit
    face.move(_MOUTH, side, up=corner_up[:, None] * reach**1.25, out=(corner_out - pursed)[:, None] * reach)
    # The lips.
    for lip, outer, opening, protruded in (
        (_UPPER_LIP, range(88, 93), m["upper_lip_up"], m["protrude"]),
        (_LOWER_LIP, range(104, 109), -m["lower_lip_down"], -m["protrude"]),
    ):
        taper = 1 - np.clip(np.abs(face.lateral(lip, side)), 0, 1) ** 3
        face.move(lip, side, up=(h.act * opening)[:, None] * face.share(lip, side) * taper)
        rim = [i for i in lip if i in outer]
        face.move(rim, side, up=(h.act * protruded)[:, None] * face.share(rim, side))
    # Chin, fold and jowl.
    chin = list(_LOWER_CHIN)
    face.move(
        chin, side, up=-(h.act * m["lower_lip_down"])[:, None] * list(_LOWER_CHIN.values()) * face.share(chin, side)
    )
    steps = np.array([[0.25, 0.5, 0.75], [0.3, 0.7, 1.2]])
    face.move(_FOLD[side], side, up=corner_up[:, None] * steps[0], out=corner_out[:, None] * steps[1])
    jowl = [126, 127] if side == 0 else [132, 131]
    face.move(jowl, side, up=-0.35 * h.limp * _CHEEK_DROP)


def _pull_mouth(face: _Faces, right: _Half, left: _Half) -> None:
    """Move mouth, philtrum and chin towards the side that pulls harder."""
    towards_left = _MOUTH_PULL * (right.limp - left.limp) + right.move["pull"] * (left.act - right.act)
    face.move(_MOUTH, 1, out=towards_left)
    face.move(list(_PULLED), 1, out=towards_left[:, None] * list(_PULLED.values()))


def _close(points: Points, side: int, closure: Values) -> None:
    """Lower the upper lid (and raise the lower one a little) until it covers the share ``closure`` of the fissure."""
    upper, lower = _UPPER_LID[side][1:4], _LOWER_LID[side][1:4]
    step = closure[:, None, None] * (points[:, lower] - points[:, upper])
    points[:, upper] += (1 - _LIDS_MEET) * step
    points[:, lower] -= _LIDS_MEET * step


def _closure(h: _Half, strength: Values) -> Values:
    """Share of the fissure that is covered.

    Healthy eyes close completely even with little effort: from _SHUT_FROM on, the closure is 1.
    """
    voluntary = h.move["close"] * np.minimum(1.0, strength / _SHUT_FROM) * (1 - h.palsy)
    return np.clip(voluntary + _NARROWED * h.tone + _EYE_WITH_MOUTH * h.stray_eye, 0, 1)


def displace_all(points: Points, actions: Sequence[Action]) -> Pose:
    """Move template points [B, 189, 2] of faces at rest, in any unit and roll, by B actions.

    Raises:
        ValueError: the points have another shape.
    """
    if points.shape != (len(actions), 189, 2):
        raise ValueError(f"found points of shape {points.shape}, expected ({len(actions)}, 189, 2)")
    # Each half, then the pull of the stronger half on the mouth.
    halves = _halves(actions)
    strength = np.array([a.strength for a in actions])
    face = _Faces(points.astype(np.float64))
    for side, half in enumerate(halves):
        _move_upper_face(face, side, half)
        _move_mouth(face, side, half)
    _pull_mouth(face, *halves)
    # The lids.
    closure = np.stack([_closure(half, strength) for half in halves], 1)
    moved = face.points.copy()
    for side in range(2):
        _close(moved, side, closure[:, side])
    # Depth of the folds, and upward roll of the eyes.
    folds = [
        h.act * h.move["fold"] - h.limp * _FOLD_LOSS + _FOLD_GAINED * h.tone + _FOLD_WITH_EYE * h.stray_mouth
        for h in halves
    ]
    rolled = halves[0].move["close"] * (halves[0].move["close"] == 1) * np.minimum(1.0, strength / _SHUT_FROM)
    return Pose(
        points=moved,
        open_points=face.points,
        closure=closure,
        fold=np.clip(np.stack(folds, 1), -1, 1.2),
        wrinkle=np.stack([h.act * h.move["wrinkle"] for h in halves], 1),
        gaze_up=np.stack([rolled * (h.palsy > 0) for h in halves], 1),
    )
