"""Which lengths are measured, what they are called and what they mean; all of one face at once."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palsykit.faces import measures
from palsykit.faces.measures import Halves

Points = NDArray[np.float64]
CLOSURE = ("eye_closure_gentle", "eye_closure_tight")
"""Expressions in which both eyes are to be shut."""


@dataclass(frozen=True)
class Face:
    """What is measured: landmarks, how many px of them are a mm, and the same of the person at rest, if known."""

    landmarks: Points
    px_per_mm: float
    expression: str | None = None
    rest: "Face | None" = None


@dataclass(frozen=True)
class Length:
    """One measure.

    Attributes:
        name: its key in files.
        words: in tables and on pictures.
        meaning: between what it is measured.
        of: mm of a face: both halves, or one number.
        needs_rest: it is a movement, measured against the photograph at rest.
        positive: it cannot be below 0.
        signed: one number with a direction: positive to, or longer on, the subject's left.
    """

    name: str
    words: str
    meaning: str
    of: Callable[[Face], Halves | Any]
    needs_rest: bool = False
    positive: bool = False
    signed: bool = False

    def applies(self, face: Face) -> bool:
        """Whether this face has the measure."""
        if self.needs_rest:
            return face.rest is not None
        if self.name in ("palpebral_fissure", "lid_gap"):
            return (self.name == "lid_gap") == (face.expression in CLOSURE)
        return True


def has_direction(name: str, part: str) -> bool:
    """Whether a part of a measure turns its sign round in the mirror."""
    return part == "difference" or BY_NAME[name].signed


def _still(measure: Callable[..., Any]) -> Callable[[Face], Any]:
    return lambda face: measure(face.landmarks, face.px_per_mm)


def _gained(measure: Callable[..., Halves]) -> Callable[[Face], Halves]:
    """How much larger a length is than at rest."""

    def change(face: Face) -> Halves:
        assert face.rest is not None  # Length.applies
        now, before = (measure(one.landmarks, one.px_per_mm) for one in (face, face.rest))
        return Halves(now.right - before.right, now.left - before.left)

    return change


def _excursion(face: Face) -> Halves:
    assert face.rest is not None
    return measures.commissure_excursion(face.landmarks, face.rest.landmarks, face.px_per_mm, face.rest.px_per_mm)


def _moved(axis: int) -> Callable[[Face], Halves]:
    def movement(face: Face) -> Halves:
        assert face.rest is not None
        rest = face.rest
        both = measures.commissure_movement(face.landmarks, rest.landmarks, face.px_per_mm, rest.px_per_mm)
        return Halves(both.right[axis], both.left[axis])

    return movement


_LINE = "the line of the eyes (through the middle of each eye's corners)"
_MIDLINE = "the midline (through the middle of the inner corners of the eyes)"
LENGTHS = (
    Length("brow_height", "brow height", f"mean of the brow's five points above {_LINE}", _still(measures.brow_height)),
    Length("brow_raise", "brow, up from rest", "brow height less that at rest", _gained(measures.brow_height), True),
    Length(
        "palpebral_fissure", "palpebral fissure", "between the lids, at their middle",
        _still(measures.palpebral_fissure), positive=True,
    ),
    Length(
        "lid_gap", "lid gap", "what stays open of the palpebral fissure when the eyes are to be shut",
        _still(measures.palpebral_fissure), positive=True,
    ),
    Length("corner_depth", "mouth corner below eyes", f"corner of the mouth below {_LINE}",
           _still(measures.commissure_depth)),
    Length("corner_lateral", "mouth corner from midline", f"corner of the mouth from {_MIDLINE}",
           _still(measures.commissure_lateral)),
    Length("corner_excursion", "corner excursion", "distance of the corner of the mouth from its place at rest",
           _excursion, True, True),
    Length("corner_up", "corner, up from rest", "the part of the excursion that goes up", _moved(1), True),
    Length("corner_out", "corner, out from rest", "the part of the excursion that goes away from the midline",
           _moved(0), True),
    Length("canthus_to_corner", "inner canthus to corner", "inner corner of the eye to the corner of the mouth",
           _still(measures.canthus_to_commissure)),
    Length("facial_asymmetry_index", "facial asymmetry index",
           "FAI (Malm et al. 2018): left less right distance from inner canthus to corner of the mouth, signed",
           _still(measures.facial_asymmetry_index), signed=True),
    Length("philtrum_deviation", "philtrum, to the left",
           f"middle of the upper lip's border from {_MIDLINE}, positive to the subject's left",
           _still(measures.philtrum_deviation), signed=True),
    Length("lower_lip_depth", "lower lip below eyes", f"lower border of the lower lip's half below {_LINE}",
           _still(measures.lower_lip_depth)),
    Length("lower_lip_depression", "lower lip, down from rest", "depth of the lower lip less that at rest",
           _gained(measures.lower_lip_depth), True),
    Length("lip_opening", "opening of the lips",
           "between the inner borders of the lips, half way to the corner; dental show is at most this",
           _still(measures.lip_opening), positive=True),
    Length("mouth_width", "mouth width", "between the corners of the mouth", _still(measures.mouth_width)),
)  # fmt: skip
"""All measures, in the order of tables."""

BY_NAME = {length.name: length for length in LENGTHS}


def measure_face(face: Face) -> dict[str, dict[str, float]]:
    """{measure: {"right": mm, "left": mm, "difference": left - right} or {"whole": mm}}; NaN is left out."""
    found = {}
    for length in LENGTHS:
        if not length.applies(face):
            continue
        value = length.of(face)
        if isinstance(value, Halves):
            if length.positive:  # borders that touch may be found a little past each other
                value = Halves(*(np.maximum(side, 0.0) for side in value))
            parts = {"right": value.right, "left": value.left, "difference": value.difference}
        else:
            parts = {"whole": value}
        found[length.name] = {part: float(number) for part, number in parts.items() if math.isfinite(number)}
    return {name: parts for name, parts in found.items() if parts}
