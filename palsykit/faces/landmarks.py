"""The iBUG 68-point convention (Sagonas et al., ICCV-W 2013), 0-based, and what a horizontal flip does to it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

COUNT = 68
JAW = range(17)
RIGHT_BROW, LEFT_BROW = range(17, 22), range(22, 27)  # the subject's sides
NOSE_BRIDGE, NOSE_BASE = range(27, 31), range(31, 36)
RIGHT_EYE, LEFT_EYE = range(36, 42), range(42, 48)
OUTER_LIPS, INNER_LIPS = range(48, 60), range(60, 68)
OUTER_CORNERS, INNER_CORNERS = (36, 45), (39, 42)
"""(Subject's right eye, left eye); the inner corners are the medial canthi."""
COMMISSURES = (48, 54)
"""(Right, left) corner of the mouth."""

# fmt: off
FLIP: tuple[int, ...] = (
    16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0,
    26, 25, 24, 23, 22, 21, 20, 19, 18, 17,
    27, 28, 29, 30, 35, 34, 33, 32, 31,
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55,
    64, 63, 62, 61, 60, 67, 66, 65,
)
# fmt: on
"""Index i of the flipped photograph is index FLIP[i] of the original."""


FURTHER = 8
"""Number of the points that palsykit knows besides iBUG's: two pupils, then three points of each nasolabial fold.

Pupils are the centres of the irises. A fold's points go from the wing of the nose to the corner of the mouth. The
subject's right comes first, as in the webmorph template (palsykit.faces.webmorph).
"""
PUPILS, RIGHT_FOLD, LEFT_FOLD = range(2), range(2, 5), range(5, 8)
FURTHER_FLIP: tuple[int, ...] = (1, 0, 5, 6, 7, 2, 3, 4)
"""Like ``FLIP``, for the further points."""


def flip_points(points: NDArray[np.floating], width: float, order: Sequence[int] = FLIP) -> NDArray[np.floating]:
    """Landmarks [..., 68, 2] in px of the photograph mirrored about its vertical midline (``width`` px wide).

    With ``order=FURTHER_FLIP``: further points [..., 8, 2].
    """
    flipped = points[..., list(order), :].copy()
    flipped[..., 0] = width - flipped[..., 0]
    return flipped


def eye_centres(points: NDArray[np.floating]) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Centres of the subject's right and left eye, each [..., 2], from landmarks [..., 68, 2]."""
    return points[..., list(RIGHT_EYE), :].mean(-2), points[..., list(LEFT_EYE), :].mean(-2)
