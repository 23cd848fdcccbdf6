"""Draw the inside of an open mouth; lengths are px of the 128 px frame."""

import torch
from torch import Tensor

from palsykit_face_space.contours import LOWER_INNER, UPPER_INNER, between, height
from palsykit_face_space.windows import Windows, about

TEETH = {"smile_full": (0.82, 0.0), "lower_lip_depression": (0.42, 1.0)}
"""Expression -> share of the opening that the upper teeth fill, and whether the lower teeth show below it."""

_TOOTH = 3.6  # width of a front tooth in px, if the pupils are 32 px apart
_WHITE = 0.55  # mean of the sclera's colours at which teeth are as light as _ENAMEL
_INSIDE, _ENAMEL = (0.17, 0.06, 0.06), (0.90, 0.87, 0.81)
_OPEN = 1.2  # smallest gap between the lips that shows the inside


def open_mouths(points: Tensor) -> list[int]:
    """The faces of points [B, 189, 2] whose lips are apart."""
    gap = points[:, LOWER_INNER[1:-1], 1] - points[:, UPPER_INNER[1:-1], 1]
    faces: list[int] = torch.nonzero((gap > _OPEN).any(1))[:, 0].tolist()
    return faces


def windows(faces: list[int], points: Tensor, steps: int) -> Windows:
    """A window about each face's inner lips."""
    return about(points[faces][:, UPPER_INNER + LOWER_INNER], faces, 1.0, steps)


def draw_mouth(picture: Tensor, window: Windows, points: Tensor, teeth: Tensor, sclera: Tensor) -> Tensor:
    """Draw the dark inside of the mouth and the teeth between open lips.

    picture [N, 3, H, W] in the windows of N faces; their points [N, 189, 2], teeth [N, 2] as in ``TEETH``, and sclera
    [N, 2, 3], which the brightness of the teeth follows; with the skin's they would be too dark.
    """
    # The opening.
    x, y = window.x, window.y
    top, bottom = height(points[:, UPPER_INNER], x), height(points[:, LOWER_INNER], x)
    gap = (bottom - top).clamp_min(0.1)
    opened = (gap - _OPEN).clamp(0, 1) * between(points[:, UPPER_INNER], x)
    hole = (y - top + 0.5).clamp(0, 1) * (bottom - y + 0.5).clamp(0, 1) * opened
    # Two rows of teeth, shaded, with seams between them.
    middle = points[:, [87, 93], 0].mean(1)[:, None, None]
    across = (x - middle) / (points[:, 93, 0] - points[:, 87, 0]).clamp_min(1)[:, None, None] * 2
    upper_row = gap * teeth[:, 0, None, None]
    upper = (top + upper_row - y + 0.5).clamp(0, 1)
    lower = (y - top - upper_row - 0.6).clamp(0, 1) * teeth[:, 1, None, None]
    shade = (1 - 0.5 * across**2).clamp(0.3, 1) * (0.72 + 0.28 * ((y - top) / 2.5).clamp(0, 1))
    seam = 1 - 0.09 * torch.exp(-(((((x - middle) / _TOOTH + 0.5).frac().abs() - 0.5).abs() / 0.12) ** 2))
    enamel = torch.tensor(_ENAMEL)[:, None, None] * (shade * seam)[:, None]
    row = (upper + lower * 0.9).clamp(0, 1)[:, None]
    inside = torch.lerp(torch.tensor(_INSIDE)[:, None, None].expand_as(enamel), enamel, row)
    brightness = (sclera.mean((1, 2)) / _WHITE).clamp(0.75, 1.1)[:, None, None, None]
    return torch.lerp(picture, inside * brightness, hole[:, None])
