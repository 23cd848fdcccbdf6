"""Resamples a photograph under a similarity transform, as into the face frame (palsykit/faces/alignment.py)."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

MARGIN = 3
"""px around the place that is read, for the bicubic kernel."""


def warp(picture: Image.Image, matrix: NDArray[np.floating], size: int) -> NDArray[np.uint8]:
    """The picture under a similarity transform [2, 3] (px to px), [size, size, 3]; the edge is repeated beyond it.

    First sampled at about the photograph's own resolution with a bicubic kernel, then reduced to ``size`` with a
    Lanczos filter of the reduction's width, so that fine structure does not alias.
    """
    scale = math.sqrt(abs(float(np.linalg.det(matrix[:, :2]))))
    factor = max(1, math.ceil(1 / scale))
    picture, shift = _extended(picture, matrix, size)
    inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2]
    inverse = np.column_stack([inverse[:, :2] / factor, inverse[:, 2] + shift])
    side = (size * factor, size * factor)
    fine = picture.transform(side, Image.Transform.AFFINE, tuple(inverse.ravel()), Image.Resampling.BICUBIC)
    if factor > 1:
        fine = fine.resize((size, size), Image.Resampling.LANCZOS)
    return np.asarray(fine, dtype=np.uint8)


def _extended(
    picture: Image.Image, matrix: NDArray[np.floating], size: int
) -> tuple[Image.Image, NDArray[np.int64] | int]:
    """What the frame reads of the picture, and how far that was moved, px.

    Where the frame reaches beyond the picture, the edge is repeated, no further than the picture's own longer side;
    beyond that, it is black. Only the part that is read is copied: a photograph may have tens of millions of pixels.
    """
    corners = np.array([[0, 0], [size, 0], [0, size], [size, size]]) - matrix[:, 2]
    corners = corners @ np.linalg.inv(matrix[:, :2]).T
    beyond = max(float(-corners.min()), float((corners - picture.size).max())) + 2  # the kernel's reach
    if beyond <= 0:
        return picture, 0
    pad = min(math.ceil(beyond), max(picture.size))
    (left, right), (top, bottom) = (_span(corners[:, axis], -pad, side + pad) for axis, side in enumerate(picture.size))
    columns = np.clip(np.arange(left, right), 0, picture.width - 1)
    rows = np.clip(np.arange(top, bottom), 0, picture.height - 1)
    part = np.asarray(picture.crop((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)))
    pixels = part[(rows - rows[0])[:, None], columns - columns[0]]
    return Image.fromarray(pixels), np.array([-left, -top])


def _span(places: NDArray[np.floating], lowest: int, highest: int) -> tuple[int, int]:
    """First and last + 1 of the px between ``lowest`` and ``highest`` that are read; one at least."""
    first = min(max(math.floor(places.min()) - MARGIN, lowest), highest - 1)
    last = max(min(math.ceil(places.max()) + MARGIN, highest), first + 1)
    return first, last
