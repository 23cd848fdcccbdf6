"""Contours of lids and lips, and soft masks between them.

Everything is in the upright frame, B faces at a time. Coordinates and lengths are px of the 128 px frame, whatever the
side of the pictures; ``x`` [B or 1, 1, W] and ``y`` [B or 1, H, 1] are those of pixel centres.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from palsykit_face_space.warp import SIZE

UPPER_LIDS = [18, 19, 20, 21, 22], [23, 24, 25, 26, 27]
LOWER_LIDS = [18, 28, 29, 30, 22], [23, 31, 32, 33, 27]
UPPER_INNER = [87, 94, 95, 96, 97, 98, 93]
LOWER_INNER = [87, 99, 100, 101, 102, 103, 93]


def axes(steps: int) -> tuple[Tensor, Tensor]:
    """x [1, 1, S] and y [1, S, 1] of the whole frame's pixel centres."""
    at = (torch.arange(steps) + 0.5) * (SIZE / steps)
    return at[None, None], at[None, :, None]


def height(contour: Tensor, x: Tensor) -> Tensor:
    """y [B, 1, W] at ``x`` of contours [B, N, 2] that run from left to right; constant beyond their ends."""
    result = contour[:, :1, 1, None].expand(-1, 1, x.shape[-1]).clone()
    for a, b in zip(contour.unbind(1)[:-1], contour.unbind(1)[1:], strict=True):
        run = (b[:, 0] - a[:, 0]).clamp_min(0.25)[:, None, None]
        along = ((x - a[:, 0, None, None]) / run).clamp(0, 1)
        result = result + along * (b[:, 1] - a[:, 1])[:, None, None]
    return result


def between(contour: Tensor, x: Tensor, margin: Tensor | float = 0.0) -> Tensor:
    """1 at the ``x`` within contours [B, N, 2] and a ``margin`` on either side, with soft ends; else 0."""
    start, stop = contour[:, 0, 0, None, None] - margin, contour[:, -1, 0, None, None] + margin
    return (x - start + 0.5).clamp(0, 1) * (stop - x + 0.5).clamp(0, 1)


def softened(picture: Tensor, reach: int) -> Tensor:
    """Average over 2 ``reach`` + 1 pixels."""
    return F.avg_pool2d(F.pad(picture, (reach,) * 4, mode="replicate"), 2 * reach + 1, 1)
