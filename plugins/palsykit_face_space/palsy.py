"""Move a face's points by an expression and a palsy, which weakens movements and adds signs.

The eight expressions are those of palsykit.faces.vocabulary (movements.py has their lengths), the grades are House and
Brackmann's, region by region (severity.py), and the signs are those of clinical descriptions. The affected side makes a
share of the healthy side's movement, in brow, eye and mouth each their own.

Flaccid: nothing at rest up to grade IV. Without tone (V some, VI none) the affected brow is lower, the lower lid sags
and the eye is wider open, the corner of the mouth droops, mouth and philtrum are pulled to the healthy side and the
nasolabial fold flattens.
Synkinetic (after aberrant regeneration, grades II to IV): the eye narrows when the mouth moves, and the corner is drawn
up when the eye closes or the brow rises; at rest the eye is a little narrower and the fold deeper.
An eye that cannot close rolls up during the attempt (Bell's phenomenon).

Lengths are mm at 63 mm between the pupils. Points are the webmorph template's (faces/webmorph.py); ``right`` and
``left`` are the SUBJECT'S, so the right side is at the image's left. B faces are moved at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np

from palsykit.faces.dials import REGIONS, Dials, Length
from palsykit.faces.vocabulary import EXPRESSIONS, Group, Side
from palsykit.faces.webmorph import FURTHER
from palsykit_face_space.displacement import (
    EYE_WITH_MOUTH,
    FOLD_GAINED,
    FOLD_LOSS,
    FOLD_WITH_EYE,
    NARROWED,
    Faces,
    Half,
    Points,
    Values,
    close,
    move_lids,
    move_mouth,
    move_upper_face,
    pull_mouth,
    set_brow,
    set_corner,
)
from palsykit_face_space.movements import MEAN, MOVEMENTS, Manner, Movement, healthy
from palsykit_face_space.severity import Impairment, impairments

_SHUT_FROM = 0.7  # strength from which a healthy eye closes completely
_PUPIL_HIDDEN = 0.5  # share of the fissure from which the upper lid covers the pupil
_SAGS = 0.75  # of an opening that is wider than the lids at rest: the lower lid's part
FULL_SMILE_MM = float(np.hypot(MOVEMENTS["smile_full"].corner_up, MOVEMENTS["smile_full"].corner_out))
_NAMES = tuple(f.name for f in fields(Movement))


@dataclass(frozen=True)
class Action:
    """An expression with a palsy.

    Attributes:
        expression: canonical name.
        side: the subject's affected side.
        severity: House-Brackmann grade 1 to 6.
        strength: of the movement on a healthy side, 0 to 1.
        group: the kind of palsy; "normal" goes with grade 1 only, "synkinetic" with grades below 5. None is flaccid.
        dials: finer ones, which override the grade's.
        manner: how the person's healthy movements differ from the mean person's.

    Raises:
        ValueError: the expression is unknown, or side, severity, group and dials contradict each other.
    """

    expression: str
    side: Side = Side.NONE
    severity: float = 1.0
    strength: float = 1.0
    group: Group | None = None
    dials: Dials = field(default_factory=Dials)
    manner: Manner = MEAN

    def __post_init__(self) -> None:
        if self.expression not in MOVEMENTS:
            raise ValueError(f"unknown expression {self.expression!r}; expected one of {', '.join(EXPRESSIONS)}")
        self.impairments()

    def impairments(self) -> tuple[Impairment, Impairment]:
        """Of the (right, left) half of the face."""
        return impairments(self.side, self.severity, self.group, self.dials)


@dataclass(frozen=True)
class Pose:
    """Faces with expressions; for a single face, shapes have no leading B. Pairs are (right, left).

    Attributes:
        points: [B, 189, 2] after the movement.
        open_points: the same before the lids close over the eyes; the skin in a picture follows these.
        closure: [B, 2] share of the fissure that the upper lid covers, 0 to 1.
        fold: [B, 2] depth of the nasolabial fold against the face at rest, about -1 to 1.
        wrinkle: [B, 2] of the forehead, 0 to 1.
        gaze_up: [B, 2] upward roll of the eye, 0 to 1.
        lid_gap: [B, 2] between the middles of the lids, in mm.
        smile: [B, 2] how far the corner of the mouth smiles, as a share of the mean full smile; 0 to about 1.5.
        squeeze: [B, 2] how tightly an eye is shut with effort, 0 to 1.
    """

    points: Points
    open_points: Points
    closure: Values
    fold: Values
    wrinkle: Values
    gaze_up: Values
    lid_gap: Values
    smile: Values
    squeeze: Values


@dataclass(frozen=True)
class _Nerve:
    """What one half of B faces does beside moving points; each [B].

    Attributes:
        half: the movement of its points.
        closure: share of the fissure.
        fold: depth of the nasolabial fold.
        wrinkle: of the forehead.
        gaze_up: roll of the eye.
        smile: share of the mean full smile.
        squeeze: effort of the lids.
    """

    half: Half
    closure: Values
    fold: Values
    wrinkle: Values
    gaze_up: Values
    smile: Values
    squeeze: Values


def _nerve(actions: Sequence[Action], side: int) -> _Nerve:
    """One half of each face."""
    impaired = [a.impairments()[side] for a in actions]
    strength = np.array([a.strength for a in actions])
    both = np.array([[_lengths(a, half) for half in (side, 1 - side)] for a in actions])  # [B, 2, movements]
    as_other = np.array([i.as_other for i in impaired])[:, None]
    move = dict(zip(_NAMES, (both[:, 0] * (1 - as_other) + both[:, 1] * as_other).T, strict=True))
    of = {f.name: np.array([getattr(i, f.name) for i in impaired]) for f in fields(Impairment)}
    # What each region still does.
    closes, tight = move["close"] == 1, np.array([a.expression == "eye_closure_tight" for a in actions])
    smiles, by_mouth, by_eye = (
        np.array([a.expression.startswith(words) for a in actions])
        for words in ("smile", ("smile", "lip", "lower_lip"), ("brow", "eye"))
    )
    lids = np.where(tight, of["eye_tight"], of["eye_gentle"])
    effort = np.where(closes, np.minimum(1.0, strength / _SHUT_FROM), strength)
    stray_eye, stray_mouth = of["synkinesis_eye"] * strength * by_mouth, of["synkinesis_mouth"] * strength * by_eye
    half = Half(
        move=move,
        brow=strength * of["brow"],
        eye=effort * lids,
        mouth=strength * of["mouth"],
        limp_brow=1 - of["tone_brow"],
        limp_eye=1 - of["tone_eye"],
        limp_mouth=1 - of["tone_mouth"],
        stray_mouth=stray_mouth,
    )
    open_still = (
        (1 - half.eye * move["close"]) * (1 - NARROWED * of["synkinesis_eye"]) * (1 - EYE_WITH_MOUTH * stray_eye)
    )
    fold = half.mouth * move["fold"] - half.limp_mouth * FOLD_LOSS
    fold += FOLD_GAINED * of["synkinesis_mouth"] + FOLD_WITH_EYE * stray_mouth
    return _Nerve(
        half=half,
        closure=np.clip(1 - open_still, 0, 1),
        fold=np.clip(fold, -1, 1.2),
        wrinkle=half.brow * move["wrinkle"],
        gaze_up=effort * closes * (lids < 1),
        smile=half.mouth * smiles * np.hypot(move["corner_up"], move["corner_out"]) / FULL_SMILE_MM,
        squeeze=half.eye * tight,
    )


def _lengths(action: Action, side: int) -> list[float]:
    movement = healthy(action.expression, action.manner, side)
    return [getattr(movement, name) for name in _NAMES]


def _required(actions: Sequence[Action], region: str) -> tuple[Values, Values]:
    """The lengths that dials of a region require of the (right, left) half, NaN where none: [B] each."""
    found = np.full((len(actions), 2), np.nan)
    for row, action in enumerate(actions):
        dial = getattr(action.dials, region)
        if isinstance(dial, Length):
            found[row, int(action.side is Side.LEFT)] = dial.mm
    return found[:, 0], found[:, 1]


def displace_all(points: Points, actions: Sequence[Action]) -> Pose:
    """Move template points [B, 189, 2] of faces at rest, in any unit and roll, by B actions.

    Raises:
        ValueError: the points have another shape, or a face has no room for a dial's length.
    """
    if points.shape != (len(actions), 189, 2):
        raise ValueError(f"found points of shape {points.shape}, expected ({len(actions)}, 189, 2)")
    # Each half, then the pull of the stronger half on the mouth, then the lengths that dials require.
    nerves = [_nerve(actions, side) for side in range(2)]
    face = Faces(points.astype(np.float64))
    for side, nerve in enumerate(nerves):
        move_upper_face(face, side, nerve.half)
        move_mouth(face, side, nerve.half)
    pull_mouth(face, nerves[0].half, nerves[1].half)
    brows, eyes, mouths = (_required(actions, region) for region in REGIONS)
    for side in range(2):
        set_brow(face, side, brows[side])
        set_corner(face, side, mouths[side])
    # The lids.
    closure = np.stack([nerve.closure for nerve in nerves], 1)
    for side in range(2):
        closure[:, side] = _set_lids(face, side, closure, eyes[side])
    open_points = face.points.copy()
    for side in range(2):
        close(face.points, side, closure[:, side])
    return Pose(
        points=face.points,
        open_points=open_points,
        closure=closure,
        lid_gap=np.stack([face.lid_gap(side) for side in range(2)], 1),
        **{name: np.stack([getattr(nerve, name) for nerve in nerves], 1)
           for name in ("fold", "wrinkle", "gaze_up", "smile", "squeeze")},
    )  # fmt: skip


def _set_lids(face: Faces, side: int, closure: Values, wider: Values) -> Values:
    """Closure [B] with which an eye is ``wider`` [B] mm open than the other one; where NaN, the closure [B, 2] it has.

    An eye that is to be wider open than its lids are is opened by moving these, mostly the lower one.
    """
    other, own = 1 - side, face.lid_gap(side)
    asked = np.maximum(0.0, face.lid_gap(other) * (1 - closure[:, other]) + wider)
    more = np.nan_to_num(np.maximum(0.0, asked - own))
    move_lids(face, side, (1 - _SAGS) * more, -_SAGS * more)
    return np.where(np.isnan(asked), closure[:, side], 1 - np.minimum(1.0, asked / np.maximum(own, 1e-9)))


def further_points(pose: Pose) -> Points:
    """Pupils and points of the nasolabial folds [B, 8, 2], in the unit of the pose.

    A pupil is NaN where it cannot be seen as it lies: its eye rolls up, or is more than half shut.
    """
    points = pose.points[:, list(FURTHER)].copy()
    hidden = (pose.gaze_up > 0) | (pose.closure > _PUPIL_HIDDEN)
    points[:, :2][hidden] = np.nan
    return points
