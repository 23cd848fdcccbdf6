"""How unlike the two halves of a face are, from its 68 landmarks: signed, so that the sign names the affected side.

A POSITIVE difference says that the subject's LEFT side is the affected one, after the signs of a flaccid palsy: the
affected brow sits lower, the eye stands wider open or stays open, the corner of the mouth droops or stays behind, the
mouth is pulled to the healthy side. A symmetric face measures 0; a flip (palsykit.faces.flip) changes the sign and
nothing else.

Lengths are in inter-ocular distances, between the outer corners of the eyes, of the same picture. Axes are the face's
own: ``across`` runs from the middle of the right eye's two corners to that of the left eye's, ``down`` is square to it;
the corners of the eyes move little in a facial palsy. So size, place and in-plane roll change nothing; yaw and pitch of
the head do, and are not corrected: measure faces that look into the camera.

Landmarks are iBUG 68 [..., 68, 2], x to the image's right, y down, in px or any unit. Right and left are the SUBJECT'S:
right is at the image's left. Where landmarks are NaN, or the corners of the eyes coincide, so is what is measured.

Sources: brow height, palpebral fissure height, commissure height and excursion are among the measures of Emotrics
(Guarin et al., JAMA Facial Plast Surg 2018, 20(4):335), in mm by the iris there; the facial asymmetry index is that of
Malm et al. (2018). They are published as magnitudes by side; sign and combination are ours. In 60 healthy people at
rest (the train people of splits/london.csv, by their templates) the standard deviations are 0.013 (brow), 0.005
(fissure), 0.014 (commissure), 0.018 (mouth), 0.013 (facial asymmetry index) and 0.031 (combined; its mean is -0.020).
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
"""Of the right and the left eye; the inner ones are the medial canthi."""
COMMISSURES = (48, 54)
"""The right and the left corner of the mouth."""
_BROWS = [*RIGHT_BROW], [*LEFT_BROW]
_UPPER_LIDS, _LOWER_LIDS = ([37, 38], [43, 44]), ([40, 41], [46, 47])
_LIPS = [*OUTER_LIPS, *INNER_LIPS]


class Halves(NamedTuple):
    """One measure of each half of the face, [...] each, in inter-ocular distances."""

    right: Values
    left: Values


@dataclass(frozen=True)
class Weights:
    """How much each difference counts in the combined index."""

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
"""Stated, not fitted. A length is a length: each counts once. Where the expression is known, what it asks to move
counts more, for there the lost movement adds to the resting sign, and what misleads does not count: what synkinesis
moves the other way (an eye that narrows with the mouth, a corner that rises with the eye or the brow), and what effort
lowers on the healthy side as palsy does on the other (the brows of tightly shut eyes, the corners of a mouth that bares
the lower teeth). An expression's weights sum to 4.
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
"""Where the palsy is known to be synkinetic: the affected eye is the narrower one, at rest and more so when the mouth
moves (oral-ocular synkinesis), and its corner does not droop; but it still does not close. As the eyes close, the
corner of the affected side is drawn up and out (ocular-oral synkinesis, one of the things that the Synkinesis
Assessment Questionnaire asks for: Mehta et al., Laryngoscope 2007, 117(5):923): a corner that is the higher one then
counts for the affected side, and the mouth, which goes with it, does not count for the healthy one. The weights'
magnitudes sum to 4."""


def in_face_axes(landmarks: Points) -> Values:
    """Landmarks as (across, down) from the middle between the medial canthi, in inter-ocular distances: [..., 68, 2].

    The subject's left is at positive ``across``.

    Raises:
        ValueError: for landmarks of another shape.
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
    """How far each brow's five points lie above the line of the eyes, on average."""
    down = in_face_axes(landmarks)[..., 1]
    return Halves(*(-down[..., brow].mean(-1) for brow in _BROWS))


def fissure_height(landmarks: Points) -> Halves:
    """Palpebral fissure: how far the lower lid's two points lie below the upper lid's, on average; 0 for a shut eye."""
    down = in_face_axes(landmarks)[..., 1]
    lids = zip(_UPPER_LIDS, _LOWER_LIDS, strict=True)
    return Halves(*(down[..., lower].mean(-1) - down[..., upper].mean(-1) for upper, lower in lids))


def commissure_depth(landmarks: Points) -> Halves:
    """How far each corner of the mouth lies below the line of the eyes."""
    down = in_face_axes(landmarks)[..., 1]
    return Halves(*(down[..., corner] for corner in COMMISSURES))


def canthus_to_commissure(landmarks: Points) -> Halves:
    """The distance from each medial canthus to the corner of the mouth on its side."""
    points = in_face_axes(landmarks)
    pairs = zip(INNER_CORNERS, COMMISSURES, strict=True)
    return Halves(*(np.linalg.norm(points[..., b, :] - points[..., a, :], axis=-1) for a, b in pairs))


def commissure_excursion(landmarks: Points, rest: Points) -> Halves:
    """How far each corner of the mouth has moved from where it is at rest.

    Args:
        landmarks: of the expression, usually a smile.
        rest: of the same person at rest, by the same camera: each picture is measured in its own unit and axes.
    """
    moved = in_face_axes(landmarks) - in_face_axes(rest)
    return Halves(*(np.linalg.norm(moved[..., corner, :], axis=-1) for corner in COMMISSURES))


def facial_asymmetry_index(landmarks: Points) -> Values:
    """FAI (Malm et al. 2018), signed [...]: left less right distance from the medial canthus to the commissure.

    The published index is its magnitude. A drooping corner is further from the eye, one that rises in a smile nearer.
    """
    distance = canthus_to_commissure(landmarks)
    return distance.left - distance.right


@dataclass(frozen=True, eq=False)
class Asymmetry:
    """Differences between the halves of faces, [...] each; positive where the left side is the affected one.

    Attributes:
        brow: right less left brow height: the affected brow sits lower, or does not rise.
        fissure: left less right palpebral fissure height: the affected eye stands wider open, or does not close.
        commissure: left less right depth of the corner of the mouth: the affected one droops, or does not rise.
        mouth: how far the middle of all lip points lies to the subject's right of the middle between the medial canthi:
            the mouth is pulled to the healthy side.
    """

    brow: Values
    fissure: Values
    commissure: Values
    mouth: Values

    @classmethod
    def of(cls, landmarks: Points) -> "Asymmetry":
        """Measures faces [..., 68, 2]."""
        brow, fissure, depth = brow_height(landmarks), fissure_height(landmarks), commissure_depth(landmarks)
        return cls(
            brow=brow.right - brow.left,
            fissure=fissure.left - fissure.right,
            commissure=depth.left - depth.right,
            mouth=-in_face_axes(landmarks)[..., _LIPS, 0].mean(-1),
        )

    def combined(self, expression: str | None = None, group: Group | None = None) -> Values:
        """One signed index [...]: the weighted sum of the four differences, in inter-ocular distances.

        Its sign names the affected side, positive the left; its size grows with severity, within one expression.
        Without the group a synkinetic palsy is measured well where the expression is known and moves brow, eye or
        corner; at rest it lacks the flaccid signs and may show the opposite one.

        Args:
            expression: what all these faces were asked to do, canonical; None where it is not known.
            group: their kind of palsy; counts where the expression is known. None is measured as flaccid.

        Raises:
            ValueError: for an expression that is none of the eight.
        """
        if expression is not None and expression not in WEIGHTS:
            raise ValueError(f"unknown expression {expression!r}; expected one of {', '.join(EXPRESSIONS)}, or None")
        known = SYNKINETIC_WEIGHTS if group is Group.SYNKINETIC else WEIGHTS
        weights = UNKNOWN_EXPRESSION if expression is None else known[expression]
        terms = [getattr(weights, field.name) * getattr(self, field.name) for field in fields(self)]
        total: Values = np.sum(terms, axis=0)
        return total
