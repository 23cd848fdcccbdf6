"""Cut squares out of a photograph of any size, turned and scaled, without converting the whole photograph."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_OVERVIEWS = (1536, 384)
"""Longest sides in px of the reduced copies from which large squares are cut."""
_STRIP = 2**22
"""Pixels that are converted at once while the copy is made."""


@dataclass(frozen=True)
class Square:
    """A square of a photograph, in px of it.

    Attributes:
        x: of its centre.
        y: of its centre.
        side: of the square.
        roll: radians by which it is turned, clockwise in the picture; a face turned so is upright in the cut.
    """

    x: float
    y: float
    side: float
    roll: float = 0.0

    def matrix(self, size: int) -> NDArray[np.float64]:
        """The transform [2, 3] from px of the cut at ``size`` px to px of the photograph."""
        scale = self.side / size
        cos, sin = math.cos(self.roll) * scale, math.sin(self.roll) * scale
        linear = np.array([[cos, -sin], [sin, cos]])
        return np.column_stack([linear, np.array([self.x, self.y]) - linear @ np.full(2, size / 2)])

    def larger(self, factor: float) -> "Square":
        """The square with the same centre and ``factor`` times the side."""
        return replace(self, side=self.side * factor)


class Picture:
    """A photograph uint8 [H, W, 3] from which squares are cut."""

    def __init__(self, pixels: NDArray[np.uint8]):
        self.height, self.width = pixels.shape[:2]
        self._levels = [(1, pixels)]
        for longest in _OVERVIEWS:
            factor, last = self._levels[-1]
            if (more := math.ceil(max(last.shape) / longest)) > 1:
                self._levels.append((factor * more, _reduced(last, more)))

    def whole(self, roll: float = 0.0) -> Square:
        """The smallest upright square around the photograph, turned about its centre."""
        return Square(self.width / 2, self.height / 2, max(self.width, self.height), roll)

    def cut(self, square: Square, size: int, repeat_edge: bool = False) -> NDArray[np.float32]:
        """The square at ``size`` px, [size, size, 3] from 0 to 255.

        Pixels are averaged before they are sampled where the square is larger than ``size``. Outside the photograph
        it is black, or the photograph's edge is repeated.
        """
        level, pixels = next(of for of in reversed(self._levels) if of[0] <= max(1.0, square.side / size))
        to_level = square.matrix(size) / level

        # the part of this level that the square touches
        corners = np.array([[0, 0], [size, 0], [0, size], [size, size]]) @ to_level[:, :2].T + to_level[:, 2]
        scale = square.side / size / level
        beyond = 2 * scale + 1
        low, high = np.floor(corners.min(0) - beyond), np.ceil(corners.max(0) + beyond)
        left, top = (int(v) for v in np.clip(low, 0, (pixels.shape[1] - 1, pixels.shape[0] - 1)))
        right, bottom = (int(v) for v in np.clip(high, (left + 1, top + 1), (pixels.shape[1], pixels.shape[0])))

        factor = max(1, round(scale))
        part = Image.fromarray(np.ascontiguousarray(pixels[top:bottom, left:right])).reduce(factor)
        origin = np.array([left, top], np.float64)
        if repeat_edge:
            before = np.clip((origin - low) // factor, 0, None).astype(int)
            after = np.clip((high - (right, bottom)) // factor, 0, None).astype(int)
            pads = ((before[1], after[1]), (before[0], after[0]), (0, 0))
            part = Image.fromarray(np.pad(np.asarray(part), pads, mode="edge"))
            origin -= before * factor
        inverse = np.column_stack([to_level[:, :2], to_level[:, 2] - origin]) / factor
        done = part.transform((size, size), Image.Transform.AFFINE, tuple(inverse.ravel()), Image.Resampling.BILINEAR)
        return np.asarray(done, np.float32)


def _reduced(pixels: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Means of ``factor`` x ``factor`` px, made strip by strip."""
    rows = max(1, _STRIP // (pixels.shape[1] * factor)) * factor
    strips = [
        np.asarray(Image.fromarray(np.ascontiguousarray(pixels[start : start + rows])).reduce(factor))
        for start in range(0, len(pixels), rows)
    ]
    return np.concatenate(strips)
