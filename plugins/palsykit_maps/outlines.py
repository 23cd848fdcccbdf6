"""Landmarks drawn as maps: one map per part of the face, with the outline of that part."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from palsykit.faces.landmarks import JAW, LEFT_BROW, NOSE_BASE, NOSE_BRIDGE, RIGHT_BROW

SPREAD = 0.0125
"""Standard deviation of a line's brightness, in image sides: 0.8 px of 64."""

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
    # Each pixel's squared distance to the nearest point of each line, [B, L, S, S].
    start, end = points[:, _FROM].float(), points[:, _TO].float()  # [B, L, 2]
    along = end - start
    centres = torch.arange(size, device=points.device, dtype=start.dtype)  # the centre of pixel i is i, as in landmarks
    columns, rows = centres[None, :], centres[:, None]
    from_x, from_y = columns - start[..., 0, None, None], rows - start[..., 1, None, None]  # [B, L, 1, S], [B, L, S, 1]
    x, y = along[..., 0, None, None], along[..., 1, None, None]
    share = ((from_x * x + from_y * y) / (x * x + y * y).clamp(min=1e-6)).clamp(0, 1)
    squared = (from_x - share * x) ** 2 + (from_y - share * y) ** 2
    # The nearest line of each part.
    part = torch.tensor(_PART, device=points.device)
    nearest = [squared[:, part == number].amin(1) for number in range(len(PARTS))]
    return torch.exp(-torch.stack(nearest, 1) / (2 * (SPREAD * size) ** 2))
