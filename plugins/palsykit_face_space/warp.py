"""Smoothed thin-plate splines, many at a time (Bookstein, PAMI 1989; Wahba 1990 for the smoothing)."""

from collections.abc import Sequence
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

SIZE = 128
"""Side of the face frame whose px are the unit of all points and lengths."""

SMOOTHING = 1.0
"""px^2; an exact spline through lid points that nearly touch folds the image over."""

ON_BORDER = 16


@cache
def border() -> Tensor:
    """Control points [ON_BORDER, 2] around the square that stay fixed, so that hair and background do not smear."""
    ring = torch.linspace(-0.15, 1.15, 5).tolist()
    return torch.tensor([(x, y) for x in ring for y in ring if not 0 < x < 1 or not 0 < y < 1]) * SIZE


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    """r^2 log r between points a [B, M, 2] and b [B, N, 2]: [B, M, N]."""
    norms = (a**2).sum(-1)[:, :, None] + (b**2).sum(-1)[:, None]
    square = torch.baddbmm(norms, a, b.transpose(1, 2), alpha=-2).clamp_min_(1e-12)
    return square.log().mul_(square).mul_(0.5)


def pixel_centres(steps: int) -> Tensor:
    """Centres [steps * steps, 2] of a grid over the frame, in px of the frame, row by row."""
    at = (torch.arange(steps) + 0.5) * (SIZE / steps)
    y, x = torch.meshgrid(at, at, indexing="ij")
    return torch.stack([x, y], -1).reshape(-1, 2)


def _solve(at: Tensor, there: Tensor, smoothing: float) -> Tensor:
    """Weights [B, N + 3, 2] of the spline from ``at`` [B, N, 2] to ``there`` [B, N, 2]."""
    batch, count, _ = at.shape
    ones = torch.cat([torch.ones(batch, count, 1, dtype=at.dtype), at], -1)
    system = torch.zeros(batch, count + 3, count + 3, dtype=at.dtype)
    system[:, :count, :count] = _kernel(at, at) + smoothing / SIZE**2 * torch.eye(count, dtype=at.dtype)
    system[:, :count, count:] = ones
    system[:, count:, :count] = ones.transpose(1, 2)
    right = torch.cat([there, torch.zeros(batch, 3, 2, dtype=at.dtype)], 1)
    # One at a time: torch 2.15's batched solver fails after torch.set_num_threads(2) ("Pivots given to lu_solve ...").
    return torch.stack([torch.linalg.solve(*pair) for pair in zip(system, right, strict=True)])


def splines(here: Tensor, there: Tensor, parts: Sequence[list[int]], steps: int) -> Tensor:
    """The place to read for each cell of a grid over the frame: [P, B, 2, steps, steps] in the units of ``there``.

    ``here`` [B, N, 2] are control points in px of the frame, ``there`` [B, N, 2] their counterparts; each of the P
    ``parts`` names the points that one spline uses. The kernel on the grid is shared, because it is most of the work.
    """
    at, where = here / SIZE, (pixel_centres(steps) / SIZE).expand(len(here), -1, -1)
    kernel = _kernel(where, at)
    spread = torch.zeros(len(here), here.shape[1] + 3, len(parts), 2)
    for number, part in enumerate(parts):
        weights = _solve(at[:, part].double(), there[:, part].double(), SMOOTHING).float()
        spread[:, part, number] = weights[:, : len(part)]
        spread[:, -3:, number] = weights[:, len(part) :]
    spread = spread.flatten(2)
    fields = kernel @ spread[:, :-3] + spread[:, -3:-2] + where @ spread[:, -2:]
    return fields.reshape(len(here), steps, steps, len(parts), 2).permute(3, 0, 4, 1, 2).contiguous()


@cache
def _spread(steps: int, size: int) -> Tensor:
    """Weights [size, steps] that interpolate ``steps`` cells at ``size`` cells: cubic; linear beyond the last centres.

    The cubic is Catmull and Rom's, with a = -0.5 (Keys, IEEE ASSP 1981).
    """
    at = (torch.arange(size, dtype=torch.float64) + 0.5) * (steps / size) - 0.5  # in cells of the coarse grid
    weights = torch.zeros(size, steps + 6, dtype=torch.float64)
    first, rows = at.floor().long(), torch.arange(size)
    t = at - first
    cubic = [-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, -(t**2) + t**3]
    for step, weight in enumerate(cubic):
        weights[rows, (first + step + 2).clamp(0, steps + 5)] = weight / 2
    inner = weights[:, 3:-3]
    for k in (1, 2, 3):
        for outside, near, next_one in ((3 - k, 0, 1), (steps + 2 + k, -1, -2)):
            inner[:, near] += (1 + k) * weights[:, outside]
            inner[:, next_one] -= k * weights[:, outside]
    return inner.float().contiguous()


def upsample(field: Tensor, size: int, rows: slice = slice(None)) -> Tensor:
    """Rows of a field [B, 2, h, h] at ``size`` x ``size`` cells; linear beyond the outermost centres, not clamped."""
    weights = _spread(field.shape[-1], size)
    return weights[rows] @ field @ weights.T


def read(image: Tensor, field: Tensor, extent: float) -> Tensor:
    """Read an image [B, C, h, w], whose side is ``extent``, at the positions in field [B, 2, H, W]: [B, C, H, W]."""
    where = field.permute(0, 2, 3, 1).contiguous().mul_(2 / extent).sub_(1)
    return F.grid_sample(image, where, mode="bilinear", padding_mode="border", align_corners=False)
