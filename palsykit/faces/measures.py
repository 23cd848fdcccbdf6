"""Lengths of a face from its 68 landmarks, for each half: what clinicians measure by hand or by Emotrics.

Landmarks are iBUG 68 [..., 68, 2], x to the image's right, y down, in px or any unit. Right and left are the SUBJECT'S:
right is at the image's left. Lengths are in units of ``unit`` px, px per mm for mm; without a unit they are in
inter-ocular distances (between the outer corners of the eyes of the same picture). Measures are NaN if their landmarks
are NaN or if the corners of the eyes coincide.

The axes are the face's own: ``across`` runs from the midpoint of the right eye's corners to that of the left eye's,
``down`` is perpendicular to it. This line of the eyes stands for the line of the pupils, which move with the gaze; the
corners of the eyes move little in a facial palsy. The midline is perpendicular to it, through the midpoint of the
medial canthi. Size, position and in-plane roll therefore do not matter; yaw and pitch of the head do and are not
corrected: measure faces that look into the camera.

Sources: brow height, palpebral fissure, commissure height and excursion, philtrum deviation, lower lip height and
dental show are measures of Emotrics (Guarin et al., JAMA Facial Plast Surg 2018, 20(4):335), there scaled by the iris;
the facial asymmetry index is that of Malm et al. (2018). Which landmarks stand for them is ours; each function says it.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from palsykit.faces.landmarks import (
    COMMISSURES,
    COUNT,
    INNER_CORNERS,
    LEFT_BROW,
    NOSE_BRIDGE,
    OUTER_CORNERS,
    RIGHT_BROW,
)

Points = NDArray[np.floating]
Values = NDArray[np.float64]
Unit = float | Values | None

IRIS_MM, PUPILS_MM = 11.77, 63.0
"""Mean width of an iris and mean distance of the pupils in adults."""

EYE_LINE_MM = 61.0
"""Distance of the middles of the eyes where the pupils are 63 mm apart.

In the templates of the 66 people of splits/london.csv that are not test people: mean 61.0 (standard deviation 1.5).
"""

FISSURE_AT_MIDDLE = 1.265
"""The palpebral fissure at its highest, in units of ``fissure_height``.

In the templates of the 66 people of splits/london.csv that are not test people, the middle of the lids is 1.265 times
(standard deviation 0.026) as far apart as the points at thirds of their length.
"""

_BROWS = [*RIGHT_BROW], [*LEFT_BROW]
_UPPER_LIDS, _LOWER_LIDS = ([37, 38], [43, 44]), ([40, 41], [46, 47])
_LOWER_LIPS = [58, 59], [56, 55]
_STILL = [*OUTER_CORNERS, *INNER_CORNERS, *NOSE_BRIDGE]
_INNER_UPPER, _INNER_LOWER = (61, 63), (67, 65)
_CUPIDS_BOW = 51


class Halves(NamedTuple):
    """One measure for each half of the face, [...] each."""

    right: Values
    left: Values

    @property
    def difference(self) -> Values:
        """Left minus right."""
        return self.left - self.right


def eye_middles(landmarks: Points) -> Values:
    """The midpoint of the corners of the right and of the left eye, [..., 2, 2], px."""
    points = landmarks.astype(np.float64)
    return np.asarray((points[..., OUTER_CORNERS, :] + points[..., INNER_CORNERS, :]) / 2)


def eye_line(landmarks: Points) -> Values:
    """The distance between the midpoints of both eyes' corners, about that of the pupils: [...], px."""
    eyes = eye_middles(landmarks)
    return np.asarray(np.linalg.norm(eyes[..., 1, :] - eyes[..., 0, :], axis=-1))


def px_per_mm(landmarks: Points) -> Values:
    """px per mm if the pupils are 63 mm apart, from the corners of the eyes: [...]."""
    return eye_line(landmarks) / EYE_LINE_MM


def in_face_axes(landmarks: Points, unit: Unit = None) -> Values:
    """Landmarks as (across, down) from the midpoint of the medial canthi: [..., 68, 2].

    The subject's left is at positive ``across``.

    Args:
        landmarks: [..., 68, 2] px.
        unit: px, one number or [...]; None for the inter-ocular distance.

    Raises:
        ValueError: the landmarks have another shape.
    """
    if landmarks.shape[-2:] != (COUNT, 2):
        raise ValueError(f"found landmarks of shape {landmarks.shape}, expected (..., {COUNT}, 2), iBUG 68")
    points = landmarks.astype(np.float64)
    outer, inner = points[..., OUTER_CORNERS, :], points[..., INNER_CORNERS, :]  # (..., side, 2)
    eyes = eye_middles(points)
    ocular = np.linalg.norm(outer[..., 1, :] - outer[..., 0, :], axis=-1)
    line = eyes[..., 1, :] - eyes[..., 0, :]
    length = np.linalg.norm(line, axis=-1)
    undefined = (ocular == 0) | (length == 0)
    size = np.where(undefined, np.nan, ocular if unit is None else unit)
    across = line / np.where(undefined, np.nan, length)[..., None]
    down = np.stack([-across[..., 1], across[..., 0]], -1)
    centred = (points - inner.mean(-2, keepdims=True)) / size[..., None, None]
    return np.stack([(centred * axis[..., None, :]).sum(-1) for axis in (across, down)], -1)


def brow_height(landmarks: Points, unit: Unit = None) -> Halves:
    """Mean height of each brow's five points above the line of the eyes."""
    down = in_face_axes(landmarks, unit)[..., 1]
    return Halves(*(-down[..., brow].mean(-1) for brow in _BROWS))


def fissure_height(landmarks: Points, unit: Unit = None) -> Halves:
    """Mean distance of the lower lid's two points below the upper lid's, which lie at its thirds; 0 for a shut eye."""
    down = in_face_axes(landmarks, unit)[..., 1]
    lids = zip(_UPPER_LIDS, _LOWER_LIDS, strict=True)
    return Halves(*(down[..., lower].mean(-1) - down[..., upper].mean(-1) for upper, lower in lids))


def palpebral_fissure(landmarks: Points, unit: Unit = None) -> Halves:
    """Palpebral fissure at the middle of the lids, where it is measured by hand; of eyes to be shut, the gap left."""
    return Halves(*(FISSURE_AT_MIDDLE * height for height in fissure_height(landmarks, unit)))


def commissure_depth(landmarks: Points, unit: Unit = None) -> Halves:
    """Distance of each corner of the mouth below the line of the eyes."""
    down = in_face_axes(landmarks, unit)[..., 1]
    return Halves(*(down[..., corner] for corner in COMMISSURES))


def commissure_lateral(landmarks: Points, unit: Unit = None) -> Halves:
    """Distance of each corner of the mouth from the midline, positive on its own side."""
    across = in_face_axes(landmarks, unit)[..., 0]
    return Halves(-across[..., COMMISSURES[0]], across[..., COMMISSURES[1]])


def mouth_width(landmarks: Points, unit: Unit = None) -> Values:
    """Distance between the corners of the mouth, [...]."""
    points = in_face_axes(landmarks, unit)
    return np.asarray(np.linalg.norm(points[..., COMMISSURES[1], :] - points[..., COMMISSURES[0], :], axis=-1))


def canthus_to_commissure(landmarks: Points, unit: Unit = None) -> Halves:
    """Distance from each medial canthus to the corner of the mouth on the same side."""
    points = in_face_axes(landmarks, unit)
    pairs = zip(INNER_CORNERS, COMMISSURES, strict=True)
    return Halves(*(np.linalg.norm(points[..., b, :] - points[..., a, :], axis=-1) for a, b in pairs))


def facial_asymmetry_index(landmarks: Points, unit: Unit = None) -> Values:
    """FAI (Malm et al. 2018), signed [...]: left minus right distance from the medial canthus to the commissure.

    The published index is its magnitude. A drooping corner is farther from the eye; a corner that rises in a smile is
    nearer.
    """
    return canthus_to_commissure(landmarks, unit).difference


def philtrum_deviation(landmarks: Points, unit: Unit = None) -> Values:
    """Distance of the middle of the upper lip's border (between the peaks) from the midline, [...]; positive: left."""
    return in_face_axes(landmarks, unit)[..., _CUPIDS_BOW, 0]


def lower_lip_depth(landmarks: Points, unit: Unit = None) -> Halves:
    """Depth of each half of the lower lip below the line of the eyes: of two points at thirds of its lower border."""
    down = in_face_axes(landmarks, unit)[..., 1]
    return Halves(*(down[..., lip].mean(-1) for lip in _LOWER_LIPS))


def lip_opening(landmarks: Points, unit: Unit = None) -> Halves:
    """Distance between the inner borders of both lips, half way from the middle to each corner; 0 for shut lips.

    What shows between the lips may be teeth, gums or dark: dental show is at most this.
    """
    down = in_face_axes(landmarks, unit)[..., 1]
    pairs = zip(_INNER_UPPER, _INNER_LOWER, strict=True)
    return Halves(*(down[..., lower] - down[..., upper] for upper, lower in pairs))


def commissure_movement(landmarks: Points, rest: Points, unit: Unit = None, rest_unit: Unit = None) -> Halves:
    """Movement of each corner of the mouth from its position at rest, as (away from the midline, up): [..., 2] each.

    The face at rest is laid over the other by the points that expressions hardly move, the corners of the eyes and the
    bridge of the nose. The eyes alone would not do: the corners of a shut eye are hard to find.

    Args:
        landmarks: of the expression, usually a smile.
        rest: of the same person at rest, from the same camera: each picture is measured in its own axes and unit.
        unit: of ``landmarks``.
        rest_unit: of ``rest``.
    """
    now = in_face_axes(landmarks, unit)
    moved = now - _laid_over(in_face_axes(rest, rest_unit), now)
    sides = zip((-1.0, 1.0), COMMISSURES, strict=True)
    return Halves(*(moved[..., corner, :] * np.array([outward, -1.0]) for outward, corner in sides))


def _laid_over(rest: Values, now: Values) -> Values:
    """``rest`` turned and moved so that its still points lie over those of ``now``, by least squares: [..., 68, 2]."""
    known = ~np.isnan(rest[..., _STILL, :] + now[..., _STILL, :]).any(-1, keepdims=True)
    count = np.maximum(known.sum(-2), 1)
    means = [np.where(known, face[..., _STILL, :], 0).sum(-2) / count for face in (rest, now)]
    a, b = (
        np.where(known, face[..., _STILL, :] - mean[..., None, :], 0)
        for face, mean in zip((rest, now), means, strict=True)
    )
    # The angle that turns a onto b, from the sums of their dot and cross products.
    angle = np.arctan2((a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]).sum(-1), (a * b).sum((-2, -1)))
    x, y = np.moveaxis(rest - means[0][..., None, :], -1, 0)
    cos, sin = np.cos(angle)[..., None], np.sin(angle)[..., None]
    return np.asarray(np.stack([cos * x - sin * y, sin * x + cos * y], -1) + means[1][..., None, :])


def commissure_excursion(landmarks: Points, rest: Points, unit: Unit = None, rest_unit: Unit = None) -> Halves:
    """Distance of each corner of the mouth from its position at rest; arguments as of ``commissure_movement``."""
    movement = commissure_movement(landmarks, rest, unit, rest_unit)
    return Halves(*(np.linalg.norm(side, axis=-1) for side in movement))
