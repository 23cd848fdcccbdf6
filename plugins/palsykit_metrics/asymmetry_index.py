"""Signed differences between the two halves of a face, from its 68 landmarks; the sign names the affected side.

A POSITIVE difference means that the subject's LEFT side is affected, according to the signs of a flaccid palsy: the
affected brow is lower, the eye is wider open or does not close, the corner of the mouth droops or moves less, and the
mouth is pulled to the healthy side. A symmetric face has 0; a flip (palsykit.faces.flip) only changes the sign.

Lengths are those of palsykit.faces.measures, in units of the inter-ocular distance (between the outer corners of the
eyes) of the same picture. Faces should look into the camera. Measures are NaN if their landmarks are NaN or if the
corners of the eyes coincide. Sign and combination are ours: the lengths are published as magnitudes for each side. In
60 healthy people at rest (the train people of splits/london.csv, measured on their templates) the standard deviations
are 0.013 (brow), 0.005 (fissure), 0.014 (commissure), 0.018 (mouth), 0.013 (facial asymmetry index) and 0.031
(combined; its mean is -0.020).
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from palsykit.faces.landmarks import INNER_LIPS, OUTER_LIPS
from palsykit.faces.measures import brow_height, commissure_depth, fissure_height, in_face_axes
from palsykit.faces.vocabulary import EXPRESSIONS, Group

Points = NDArray[np.floating]
Values = NDArray[np.float64]

_LIPS = [*OUTER_LIPS, *INNER_LIPS]


@dataclass(frozen=True)
class Weights:
    """Weight of each difference in the combined index."""

    brow: float = 1.0
    fissure: float = 1.0
    commissure: float = 1.0
    mouth: float = 1.0


UNKNOWN_EXPRESSION = Weights()
WEIGHTS: dict[str, Weights] = {
    "rest": Weights(fissure=-1),
    "brow_raise": Weights(brow=3, fissure=0, commissure=0),
    "eye_closure_gentle": Weights(brow=0, fissure=3, commissure=0),
    "eye_closure_tight": Weights(brow=-1, fissure=2, commissure=0),
    "smile_gentle": Weights(brow=0, fissure=0, commissure=3),
    "smile_full": Weights(brow=0, fissure=0, commissure=3),
    "lip_pucker": Weights(brow=0, fissure=0, mouth=3),
    "lower_lip_depression": Weights(fissure=0, commissure=0, mouth=3),
}
"""Chosen by us, not fitted. Without an expression each length counts once. If the expression is known, the parts that
it should move count most: up to grade IV nothing else shows a flaccid palsy, because a face at rest is symmetric (House
and Brackmann 1985). Misleading parts do not count: those that synkinesis moves the other way (an eye that narrows with
the mouth, a corner that rises with the eye or the brow), and those that effort lowers on the healthy side as palsy does
on the other (the corners of a mouth that shows the lower teeth). At rest the narrower eye counts as the affected one,
because it is all that a synkinetic palsy shows, and the other signs of a flaccid one outweigh it. Effort also lowers
the brows of tightly shut eyes, up to grade III their only difference: the higher brow counts as the affected one. The
magnitudes of an expression's weights sum to 4.
"""

_NARROWER = Weights(brow=0, fissure=-4, commissure=0, mouth=0)
SYNKINETIC_WEIGHTS: dict[str, Weights] = {
    "rest": _NARROWER,
    "brow_raise": Weights(brow=3, fissure=-1, commissure=0, mouth=0),
    "eye_closure_gentle": Weights(brow=0, fissure=2, commissure=-2, mouth=0),
    "eye_closure_tight": Weights(brow=-2, fissure=1, commissure=-1, mouth=0),
    "smile_gentle": Weights(brow=0, fissure=-3, mouth=0),
    "smile_full": Weights(brow=0, fissure=-3, mouth=0),
    "lip_pucker": _NARROWER,
    "lower_lip_depression": _NARROWER,
}
"""Weights for palsies known to be synkinetic. The affected eye is the narrower one, at rest and more so when the mouth
moves (oral-ocular synkinesis), and the corner of the mouth does not droop; but the eye still does not close. When the
eyes close, the corner on the affected side is drawn up and out (ocular-oral synkinesis, an item of the Synkinesis
Assessment Questionnaire: Mehta et al., Laryngoscope 2007, 117(5):923). The higher corner then counts as a sign of the
affected side, and the mouth, which moves with it, does not count as a sign of the healthy side. The magnitudes of the
weights sum to 4."""


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
