"""Draw the inside of an open mouth; lengths are px of the 128 px frame."""

import torch
import torch.nn.functional as F
from torch import Tensor

from palsykit_face_space.contours import LOWER_INNER, UPPER_INNER, between, height
from palsykit_face_space.windows import Windows, about

UNIT, PER_UNIT = 32.25, 3.0
"""The model of the teeth: units to the distance between the pupils (px of the frame, on average), its px to a unit."""

ACROSS, DOWN, BITE = 108, 60, 38
"""Its width and height in px, and the row of the biting edge of the middle teeth."""

BITES = {"lower_lip_depression": (0.42, 1.0)}
"""Expression -> where the upper teeth end, as a share of the opening, and whether the lower teeth show below them."""

BITE_AT = 0.87, 0.0
"""For other expressions; 0.87 (sd 0.11) is the mean of the smiles that the teeth are from."""
_LONGEST = 8.0  # most of the upper teeth that shows, units
_LOWER = 0.86, 0.9  # width of the lower teeth, of the upper ones'; their brightness likewise
_WHITE = 0.55  # mean of the sclera's colours at which light enamel has the brightness _ENAMEL
_ENAMEL = 0.80
_INSIDE = 0.20, 0.10, 0.10
_OPENS = 0.8  # growth of the gap between the lips that opens a mouth
_EDGE = 0.35  # half-width of the soft edge of the opening


def _gap(points: Tensor) -> Tensor:
    """Largest distance [B] between the inner lips of points [B, 189, 2]."""
    gap = points[:, LOWER_INNER[1:-1], 1] - points[:, UPPER_INNER[1:-1], 1]
    return gap.amax(1)


def open_mouths(points: Tensor, rest: Tensor) -> list[int]:
    """The faces of points [B, 189, 2] whose lips are further apart than at rest; the others keep what one sees."""
    faces: list[int] = torch.nonzero(_gap(points) - _gap(rest).clamp_min(0) > _OPENS)[:, 0].tolist()
    return faces


def windows(faces: list[int], points: Tensor, steps: int) -> Windows:
    """A window about each face's inner lips."""
    return about(points[faces][:, UPPER_INNER + LOWER_INNER], faces, 1.0, steps)


def _at(x: Tensor, y: Tensor, teeth: Tensor) -> Tensor:
    """Read the model ``teeth`` [4, DOWN, ACROSS] at units right of its middle and below the bite, [N, H, W] each."""
    column, row = x * (2 * PER_UNIT / ACROSS), (y * PER_UNIT + BITE + 0.5) * (2 / DOWN) - 1
    where = torch.stack([column, row], -1)
    return F.grid_sample(teeth.expand(len(where), -1, -1, -1), where, padding_mode="border", align_corners=False)


def draw_mouth(picture: Tensor, window: Windows, points: Tensor, rest: Tensor, bites: Tensor, sclera: Tensor,
               teeth: Tensor) -> Tensor:  # fmt: skip
    """Draw the dark inside of the mouth and the teeth between open lips.

    picture [N, 3, H, W] in the windows of N faces; their points [N, 189, 2], the same at ``rest``; bites [N, 2] as in
    ``BITES``; sclera [N, 2, 3], which the brightness of the teeth follows; the model ``teeth`` [4, DOWN, ACROSS].
    """
    # The opening.
    x, y = window.x, window.y
    top, bottom = height(points[:, UPPER_INNER], x), height(points[:, LOWER_INNER], x)
    opened = (bottom - top - 0.3).clamp(0, 1) * between(points[:, UPPER_INNER], x)
    hole = ((y - top + _EDGE) / (2 * _EDGE)).clamp(0, 1) * ((bottom - y + _EDGE) / (2 * _EDGE)).clamp(0, 1) * opened
    # The teeth: fixed to the skull sideways, and where the mouth is open widest in height.
    unit = ((rest[:, 1] - rest[:, 0]).norm(dim=-1) / UNIT)[:, None, None]
    middle = rest[:, [90, 106], 0].mean(1)[:, None, None]
    widest, column = (bottom - top).max(-1, keepdim=True)
    shown = torch.minimum(widest * bites[:, :1, None], _LONGEST * unit)
    across, below = (x - middle) / unit, (y - top.gather(-1, column) - shown) / unit
    across, below = torch.broadcast_tensors(across, below)
    upper, lower = _at(across, below, teeth), _at(across / _LOWER[0], 0.4 - below, teeth)
    dark = torch.tensor(_INSIDE)[:, None, None]
    lower_row = lower[:, 3:] * bites[:, 1, None, None, None]
    inside = torch.lerp(dark.expand_as(upper[:, :3]), lower[:, :3] * _LOWER[1], lower_row)
    inside = torch.lerp(inside, upper[:, :3], upper[:, 3:])
    # Light: the lips shade what is behind them, and little reaches the corners.
    depth = torch.minimum(y - top, 2 * (bottom - y)).clamp_min(0)
    side = 2 * (x - (points[:, 87, 0] + points[:, 93, 0])[:, None, None] / 2)
    side = side / (points[:, 93, 0] - points[:, 87, 0]).clamp_min(1)[:, None, None]
    light = (0.62 + 0.38 * (depth / (1.6 * unit)).clamp(0, 1)) * (1 - 0.75 * side.abs().clamp(0, 1) ** 3)
    brightness = (sclera.mean((1, 2)) / _WHITE).clamp(0.75, 1.0)[:, None, None] * _ENAMEL * light
    return torch.lerp(picture, inside * brightness[:, None], hole[:, None])
