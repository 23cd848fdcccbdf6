"""Landmarks drawn as maps: one map per part of the face, with the outline of that part."""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from palsykit.faces.landmarks import JAW, LEFT_BROW, NOSE_BASE, NOSE_BRIDGE, RIGHT_BROW

SPREAD = 0.0125
"""Standard deviation of a line's brightness, in image sides: 0.8 px of 64."""

REACH = 4.0
"""Standard deviations from a line beyond which it is not drawn: there it would be fainter than 1/2980."""

DRAWN = 128
"""Largest side at which lines are drawn; larger maps are enlarged from it, because a line is then wide enough."""

PARTS: dict[str, tuple[tuple[int, ...], ...]] = {
    "jaw": (tuple(JAW),),
    "brows": (tuple(RIGHT_BROW), tuple(LEFT_BROW)),
    "nose": (tuple(NOSE_BRIDGE), tuple(NOSE_BASE)),
    "upper lids": ((36, 37, 38, 39), (42, 43, 44, 45)),
    "lower lids": ((39, 40, 41, 36), (45, 46, 47, 42)),
    "outer lips": ((*range(48, 60), 48),),
    "inner lips": ((*range(60, 68), 60),),
}
"""Map -> its lines, each a sequence of iBUG 68 points. Lids and lips have two maps each: in a shut eye or mouth two
lines lie at the same place, and a single map could not show that there are two."""

_LINES = [(part, a, b) for part, lines in enumerate(PARTS.values()) for line in lines for a, b in pairwise(line)]
_PART, _FROM, _TO = (list(column) for column in zip(*_LINES, strict=True))


def outlines(points: Tensor, size: int) -> Tensor:
    """Landmarks [B, 68, 2] px -> maps [B, 7, size, size]: a Gaussian of the distance to the part's lines, 1 on a line.

    Differentiable, so a loss on a drawing can move the points. Lines to points outside the picture are drawn up to its
    border.
    """
    if size > DRAWN:
        # A pixel's centre lies at i, not at i + 0.5, so the shift between the two grids is not a whole number.
        small = outlines((points + 0.5) * (DRAWN / size) - 0.5, DRAWN)
        return F.interpolate(small, size, mode="bilinear", align_corners=False)
    # Each line only shows in a window of pixels about it; all windows have one size. [B, L, 2] each.
    start, end = points[:, _FROM].float(), points[:, _TO].float()
    along, margin = end - start, math.ceil(REACH * SPREAD * size)
    longest = math.ceil(float(along.detach().abs().max().nan_to_num(size, size)))
    side = min(size, longest + 2 * margin + 2)
    corner = (torch.minimum(start, end).detach().floor() - margin).nan_to_num(0.0).clamp(0, size - side)
    # The squared distance of each pixel of a window to the nearest point of its line, [B, L, side, side].
    steps = torch.arange(side, device=points.device, dtype=start.dtype)  # the centre of pixel i is i, as in landmarks
    columns, rows = corner[..., 0, None, None] + steps[None, :], corner[..., 1, None, None] + steps[:, None]
    from_x, from_y = columns - start[..., 0, None, None], rows - start[..., 1, None, None]
    x, y = along[..., 0, None, None], along[..., 1, None, None]
    share = ((from_x * x + from_y * y) / (x * x + y * y).clamp(min=1e-6)).clamp(0, 1)
    squared = (from_x - share * x) ** 2 + (from_y - share * y) ** 2
    light = torch.exp(-squared / (2 * (SPREAD * size) ** 2))
    # The brightest line at each pixel of a part's map.
    part = torch.tensor(_PART, device=points.device)[:, None, None]
    pixel = ((part * size + rows.long()) * size + columns.long()).flatten(1)
    maps = light.new_zeros(len(points), len(PARTS) * size * size)
    return maps.scatter_reduce(1, pixel, light.flatten(1), "amax").view(len(points), len(PARTS), size, size)
