"""Signed differences between the two halves of a face, from its 68 landmarks; the sign names the affected side.

A POSITIVE difference means that the subject's LEFT side is affected, according to the signs of a flaccid palsy: the
affected brow is lower, the eye is wider open or does not close, the corner of the mouth droops or moves less, and the
mouth is pulled to the healthy side. A symmetric face has 0; a flip (palsykit.faces.flip) only changes the sign.

Lengths are in units of the inter-ocular distance (between the outer corners of the eyes) of the same picture. The axes
are the face's own: ``across`` runs from the midpoint of the right eye's corners to that of the left eye's, ``down`` is
perpendicular to it. The corners of the eyes move little in a facial palsy. Size, position and in-plane roll therefore
do not matter; yaw and pitch of the head do and are not corrected: measure faces that look into the camera.

Landmarks are iBUG 68 [..., 68, 2], x to the image's right, y down, in px or any unit. Right and left are the SUBJECT'S:
right is at the image's left. Measures are NaN if their landmarks are NaN or if the corners of the eyes coincide.

Sources: brow height, palpebral fissure height, commissure height and excursion are among the measures of Emotrics
(Guarin et al., JAMA Facial Plast Surg 2018, 20(4):335), there in mm, scaled by the iris; the facial asymmetry index is
that of Malm et al. (2018). They are published as magnitudes for each side; sign and combination are ours. In 60 healthy
people at rest (the train people of splits/london.csv, measured on their templates) the standard deviations are 0.013
(brow), 0.005 (fissure), 0.014 (commissure), 0.018 (mouth), 0.013 (facial asymmetry index) and 0.031 (combined; its mean
is -0.020).
"""

from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from palsykit.faces.landmarks import COUNT, INNER_LIPS, LEFT_BROW, OUTER_LIPS, RIGHT_BROW
from palsykit.faces.vocabulary import EXPRESSIONS, Group

Points = NDArray[np.floating]
Values = NDArray[np.float64]

OUTER_CORNERS, INNER_CORNERS = (36, 45), (39, 42)
"""(Right eye, left eye); the inner corners are the medial canthi."""
COMMISSURES = (48, 54)
"""(Right, left) corner of the mouth."""
_BROWS = [*RIGHT_BROW], [*LEFT_BROW]
_UPPER_LIDS, _LOWER_LIDS = ([37, 38], [43, 44]), ([40, 41], [46, 47])
_LIPS = [*OUTER_LIPS, *INNER_LIPS]


class Halves(NamedTuple):
    """One measure for each half of the face, [...] each, in inter-ocular distances."""

    right: Values
    left: Values


@dataclass(frozen=True)
class Weights:
    """Weight of each difference in the combined index."""

    brow: float = 1.0
    fissure: float = 1.0
    commissure: float = 1.0
    mouth: float = 1.0


UNKNOWN_EXPRESSION = Weights()
WEIGHTS: dict[str, Weights] = {
    "rest": Weights(),
    "brow_raise": Weights(brow=2, commissure=0),
    "eye_closure_gentle": Weights(fissure=2, commissure=0),
    "eye_closure_tight": Weights(fissure=3, commissure=0, brow=0),
    "smile_gentle": Weights(commissure=2, fissure=0),
    "smile_full": Weights(commissure=2, fissure=0),
    "lip_pucker": Weights(mouth=2, fissure=0),
    "lower_lip_depression": Weights(mouth=3, commissure=0, fissure=0),
}
"""Chosen by us, not fitted. Without an expression each length counts once. If the expression is known, the parts that
it should move count more, because there the lost movement adds to the sign at rest. Misleading parts do not count:
those that synkinesis moves the other way (an eye that narrows with the mouth, a corner that rises with the eye or the
brow), and those that effort lowers on the healthy side as palsy does on the other (the brows of tightly shut eyes, the
corners of a mouth that shows the lower teeth). The weights of an expression sum to 4.
"""

_NARROWER = Weights(fissure=-2, commissure=0)
SYNKINETIC_WEIGHTS: dict[str, Weights] = {
    "rest": _NARROWER,
    "brow_raise": Weights(brow=2, fissure=-1, commissure=0),
    "eye_closure_gentle": Weights(fissure=2, commissure=-1, mouth=0),
    "eye_closure_tight": Weights(fissure=3, commissure=-1, brow=0, mouth=0),
    "smile_gentle": Weights(fissure=-1),
    "smile_full": Weights(fissure=-1),
    "lip_pucker": _NARROWER,
    "lower_lip_depression": _NARROWER,
}
"""Weights for palsies known to be synkinetic. The affected eye is the narrower one, at rest and more so when the mouth
moves (oral-ocular synkinesis), and the corner of the mouth does not droop; but the eye still does not close. When the
eyes close, the corner on the affected side is drawn up and out (ocular-oral synkinesis, an item of the Synkinesis
Assessment Questionnaire: Mehta et al., Laryngoscope 2007, 117(5):923). The higher corner then counts as a sign of the
affected side, and the mouth, which moves with it, does not count as a sign of the healthy side. The magnitudes of the
weights sum to 4."""


def in_face_axes(landmarks: Points) -> Values:
    """Landmarks as (across, down) from the midpoint of the medial canthi, in inter-ocular distances: [..., 68, 2].

    The subject's left is at positive ``across``.

    Raises:
        ValueError: the landmarks have another shape.
    """
    if landmarks.shape[-2:] != (COUNT, 2):
        raise ValueError(f"found landmarks of shape {landmarks.shape}, expected (..., {COUNT}, 2), iBUG 68")
    points = landmarks.astype(np.float64)
    outer, inner = points[..., OUTER_CORNERS, :], points[..., INNER_CORNERS, :]  # (..., side, 2)
    eyes = (outer + inner) / 2
    unit = np.linalg.norm(outer[..., 1, :] - outer[..., 0, :], axis=-1)
    line = eyes[..., 1, :] - eyes[..., 0, :]
    length = np.linalg.norm(line, axis=-1)
    undefined = (unit == 0) | (length == 0)
    unit, length = np.where(undefined, np.nan, unit), np.where(undefined, np.nan, length)
    across = line / length[..., None]
    down = np.stack([-across[..., 1], across[..., 0]], -1)
    centred = (points - inner.mean(-2, keepdims=True)) / unit[..., None, None]
    return np.stack([(centred * axis[..., None, :]).sum(-1) for axis in (across, down)], -1)


def brow_height(landmarks: Points) -> Halves:
    """Mean height of each brow's five points above the line of the eyes."""
    down = in_face_axes(landmarks)[..., 1]
    return Halves(*(-down[..., brow].mean(-1) for brow in _BROWS))


def fissure_height(landmarks: Points) -> Halves:
    """Palpebral fissure: mean distance of the lower lid's two points below the upper lid's; 0 for a shut eye."""
    down = in_face_axes(landmarks)[..., 1]
    lids = zip(_UPPER_LIDS, _LOWER_LIDS, strict=True)
    return Halves(*(down[..., lower].mean(-1) - down[..., upper].mean(-1) for upper, lower in lids))


def commissure_depth(landmarks: Points) -> Halves:
    """Distance of each corner of the mouth below the line of the eyes."""
    down = in_face_axes(landmarks)[..., 1]
    return Halves(*(down[..., corner] for corner in COMMISSURES))


def canthus_to_commissure(landmarks: Points) -> Halves:
    """Distance from each medial canthus to the corner of the mouth on the same side."""
    points = in_face_axes(landmarks)
    pairs = zip(INNER_CORNERS, COMMISSURES, strict=True)
    return Halves(*(np.linalg.norm(points[..., b, :] - points[..., a, :], axis=-1) for a, b in pairs))


def commissure_excursion(landmarks: Points, rest: Points) -> Halves:
    """Distance of each corner of the mouth from its position at rest.

    Args:
        landmarks: of the expression, usually a smile.
        rest: of the same person at rest, from the same camera: each picture is measured in its own unit and axes.
    """
    moved = in_face_axes(landmarks) - in_face_axes(rest)
    return Halves(*(np.linalg.norm(moved[..., corner, :], axis=-1) for corner in COMMISSURES))


def facial_asymmetry_index(landmarks: Points) -> Values:
    """FAI (Malm et al. 2018), signed [...]: left minus right distance from the medial canthus to the commissure.

    The published index is its magnitude. A drooping corner is farther from the eye; a corner that rises in a smile is
    nearer.
    """
    distance = canthus_to_commissure(landmarks)
    return distance.left - distance.right


@dataclass(frozen=True, eq=False)
class Asymmetry:
    """Differences between the halves of faces, [...] each; positive if the left side is affected.

    Attributes:
        brow: right minus left brow height: the affected brow is lower, or does not rise.
        fissure: left minus right palpebral fissure height: the affected eye is wider open, or does not close.
        commissure: left minus right depth of the corner of the mouth: the affected one droops, or does not rise.
        mouth: offset of the mean of all lip points from the midpoint of the medial canthi, to the subject's right: the
            mouth is pulled to the healthy side.
    """

    brow: Values
    fissure: Values
    commissure: Values
    mouth: Values

    @classmethod
    def of(cls, landmarks: Points) -> "Asymmetry":
        """Measure faces [..., 68, 2]."""
        brow, fissure, depth = brow_height(landmarks), fissure_height(landmarks), commissure_depth(landmarks)
        return cls(
            brow=brow.right - brow.left,
            fissure=fissure.left - fissure.right,
            commissure=depth.left - depth.right,
            mouth=-in_face_axes(landmarks)[..., _LIPS, 0].mean(-1),
        )

    def combined(self, expression: str | None = None, group: Group | None = None) -> Values:
        """One signed index [...]: the weighted sum of the four differences, in inter-ocular distances.

        Its sign names the affected side (positive: left); within one expression its size grows with severity. If the
        group is not known, a synkinetic palsy is measured well only if the expression is known and moves the brow, the
        eye or the corner of the mouth; at rest it lacks the flaccid signs and may even show the opposite sign.

        Args:
            expression: canonical name, the same for all these faces; None if unknown.
            group: their kind of palsy; only used if the expression is known. None counts as flaccid.

        Raises:
            ValueError: the expression is not one of the eight.
        """
        if expression is not None and expression not in WEIGHTS:
            raise ValueError(f"unknown expression {expression!r}; expected one of {', '.join(EXPRESSIONS)}, or None")
        known = SYNKINETIC_WEIGHTS if group is Group.SYNKINETIC else WEIGHTS
        weights = UNKNOWN_EXPRESSION if expression is None else known[expression]
        terms = [getattr(weights, field.name) * getattr(self, field.name) for field in fields(self)]
        total: Values = np.sum(terms, axis=0)
        return total
