"""Finds the eyes of one photograph in another one of the same person."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.signal import fftconvolve

SIDE = 128
"""px of the aligned pictures that are compared."""

BAND = slice(42, 67), slice(36, 92)
"""Rows and columns of the face frame at SIDE with both eyes and the root of the nose, which expressions move least."""

REACH = 22
"""Largest shift that is searched, in px at SIDE."""


def eye_shift(reference: NDArray[np.uint8], picture: NDArray[np.uint8]) -> tuple[NDArray[np.int64], float]:
    """How far right and down (px) the eyes of ``picture`` are from those of ``reference``, and their likeness.

    The likeness is the normalised cross-correlation of the reference's eye band with the picture at its best shift,
    at most 1. Both are [SIDE, SIDE, 3], roughly in the face frame, of the same scale and tilt.
    """
    grey, other = (gaussian_filter(p.astype(np.float64).mean(axis=-1), 1.0) for p in (reference, picture))
    rows, columns = BAND
    likeness = _correlation(grey[BAND], other)
    y, x = np.mgrid[: likeness.shape[0], : likeness.shape[1]]
    near = np.maximum(np.abs(y - rows.start), np.abs(x - columns.start)) <= REACH
    best = int(np.where(near, likeness, -1.0).argmax())
    down, right = np.unravel_index(best, likeness.shape)
    return np.array([right - columns.start, down - rows.start]), float(likeness.flat[best])


def _correlation(patch: NDArray[np.float64], picture: NDArray[np.float64]) -> NDArray[np.float64]:
    """Normalised cross-correlation of the patch with every window of the picture that lies in it."""
    patch = patch - patch.mean()
    window = np.ones_like(patch)
    total, squares = fftconvolve(picture, window, "valid"), fftconvolve(picture**2, window, "valid")
    spread = np.maximum(squares - total**2 / patch.size, 1e-3) * max(float((patch**2).sum()), 1e-3)
    correlation: NDArray[np.float64] = fftconvolve(picture, patch[::-1, ::-1], "valid") / np.sqrt(spread)
    return correlation
