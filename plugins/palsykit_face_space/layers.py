"""What a warp of one photograph cannot show: shut lids, an open mouth with teeth, folds and wrinkles.

All of it is drawn in the upright 128 px frame, from the moved template points; B faces at a time. Coordinates are px.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from palsykit_face_space.warp import SIZE, pixel_centres

UPPER_LIDS = [18, 19, 20, 21, 22], [23, 24, 25, 26, 27]
LOWER_LIDS = [18, 28, 29, 30, 22], [23, 31, 32, 33, 27]
UPPER_INNER = [87, 94, 95, 96, 97, 98, 93]
LOWER_INNER = [87, 99, 100, 101, 102, 103, 93]
FOLDS = [158, 159, 160], [161, 162, 163]
TEETH = {"smile_full": (0.82, 0.0), "lower_lip_depression": (0.42, 1.0)}
"""Expression -> how much of the opening the upper row fills, and whether the lower row shows below it."""

_LASHES = 2.0  # px about the lid margins that a shut eye's skin must not show
_TOOTH = 3.6  # px, width of a front tooth where pupils are 32 px apart
_INSIDE, _ENAMEL = (0.17, 0.06, 0.06), (0.90, 0.87, 0.81)


def axes() -> tuple[Tensor, Tensor]:
    """x [1, 1, SIZE] and y [1, SIZE, 1] of pixel centres."""
    at = torch.arange(SIZE) + 0.5
    return at[None, None], at[None, :, None]


def height(contour: Tensor) -> Tensor:
    """y [B, 1, SIZE] over every column of contours [B, N, 2] that run from left to right; level beyond the ends."""
    x, _ = axes()
    result = contour[:, :1, 1, None].expand(-1, 1, SIZE).clone()
    for a, b in zip(contour.unbind(1)[:-1], contour.unbind(1)[1:], strict=True):
        run = (b[:, 0] - a[:, 0]).clamp_min(0.25)[:, None, None]
        along = ((x - a[:, 0, None, None]) / run).clamp(0, 1)
        result = result + along * (b[:, 1] - a[:, 1])[:, None, None]
    return result


def between(contour: Tensor) -> Tensor:
    """1 over the columns [B, 1, SIZE] that contours [B, N, 2] span, with soft ends."""
    x, _ = axes()
    start, stop = contour[:, 0, 0, None, None], contour[:, -1, 0, None, None]
    return (x - start + 0.5).clamp(0, 1) * (stop - x + 0.5).clamp(0, 1)


def sealed(colours: Tensor, shape: Tensor) -> Tensor:
    """Shape-free colours [B, 3, SIZE, SIZE] with both eyes covered by lid skin; ``shape`` [189, 2] is the mean shape.

    Each column of an eye is filled between the skin above its upper and below its lower lid, then softened.
    """
    _, y = axes()
    filled, cover = colours, torch.zeros(1, SIZE, SIZE)
    blurred = F.avg_pool2d(F.pad(colours, (1, 1, 1, 1), mode="replicate"), 3, 1)
    for upper, lower in zip(UPPER_LIDS, LOWER_LIDS, strict=True):
        top, bottom = height(shape[None, upper]) - _LASHES, height(shape[None, lower]) + _LASHES
        inside = (y - top + 0.5).clamp(0, 1) * (bottom - y + 0.5).clamp(0, 1) * _widened(shape[upper])
        rows = [edge.round().long().clamp(0, SIZE - 1).expand(len(colours), 3, 1, SIZE) for edge in (top - 1, bottom)]
        above, below = (blurred.gather(2, row) for row in rows)
        share = ((y - top) / (bottom - top)).clamp(0, 1)[:, None] ** 1.5
        filled = torch.lerp(filled, torch.lerp(above, below, share), inside[:, None])
        cover = torch.maximum(cover, inside)
    soft = F.avg_pool2d(F.pad(filled, (1, 1, 1, 1), mode="replicate"), 3, 1)
    return torch.lerp(filled, soft, cover[:, None])


def _widened(upper: Tensor) -> Tensor:
    """Columns of an eye and a little beyond its corners."""
    ends = upper.clone()[None]
    ends[:, 0, 0] -= 1
    ends[:, -1, 0] += 1
    return between(ends)


def draw_eyes(skin: Tensor, open_eyes: Tensor, points: Tensor, closure: Tensor) -> Tensor:
    """Puts the eyeballs into what the lids leave open, and lashes along upper lids that close.

    skin, open_eyes [B, 3, SIZE, SIZE]; points [B, 189, 2] with the lids where they are; closure [B, 2] (right, left).
    """
    _, y = axes()
    for side, (upper, lower) in enumerate(zip(UPPER_LIDS, LOWER_LIDS, strict=True)):
        shut = closure[:, side, None, None]
        top, bottom = height(points[:, upper]), height(points[:, lower])
        columns = between(points[:, upper])
        rim = _LASHES * (1 - shut).clamp(0, 1)  # lashes and lid margin belong to the open eye's picture
        wide = _rim_columns(points[:, upper], rim)
        hole = (y - top + rim + 0.5).clamp(0, 1) * (bottom + rim - y + 0.5).clamp(0, 1)
        hole = hole * wide * ((bottom - top + 2 * rim) / 1.5 - 0.3).clamp(0, 1)
        skin = torch.lerp(skin, open_eyes, hole[:, None])
        lash = torch.exp(-(((y - top) / 0.9) ** 2)) * columns * shut.clamp(0, 1)
        skin = skin * (1 - 0.62 * lash[:, None])
    return skin


def _rim_columns(upper: Tensor, rim: Tensor) -> Tensor:
    x, _ = axes()
    start, stop = upper[:, 0, 0, None, None] - rim, upper[:, -1, 0, None, None] + rim
    return (x - start + 0.5).clamp(0, 1) * (stop - x + 0.5).clamp(0, 1)


def draw_mouth(picture: Tensor, points: Tensor, teeth: Tensor) -> Tensor:
    """Darkness and teeth between lips that stand apart; teeth [B, 2] as in ``TEETH``."""
    x, y = axes()
    top, bottom = height(points[:, UPPER_INNER]), height(points[:, LOWER_INNER])
    gap = (bottom - top).clamp_min(0.1)
    opened = (gap - 1.2).clamp(0, 1) * between(points[:, UPPER_INNER])
    hole = (y - top + 0.5).clamp(0, 1) * (bottom - y + 0.5).clamp(0, 1) * opened
    middle = points[:, [87, 93], 0].mean(1)[:, None, None]
    across = (x - middle) / (points[:, 93, 0] - points[:, 87, 0]).clamp_min(1)[:, None, None] * 2
    upper_row = gap * teeth[:, 0, None, None]
    upper = (top + upper_row - y + 0.5).clamp(0, 1)
    lower = (y - top - upper_row - 0.6).clamp(0, 1) * teeth[:, 1, None, None]
    shade = (1 - 0.5 * across**2).clamp(0.3, 1) * (0.72 + 0.28 * ((y - top) / 2.5).clamp(0, 1))
    seam = 1 - 0.16 * torch.exp(-(((((x - middle) / _TOOTH + 0.5).frac().abs() - 0.5).abs() / 0.12) ** 2))
    enamel = torch.tensor(_ENAMEL)[:, None, None] * (shade * seam)[:, None]
    row = (upper + lower * 0.9).clamp(0, 1)[:, None]
    inside = torch.lerp(torch.tensor(_INSIDE)[:, None, None].expand_as(enamel), enamel, row)
    brightness = picture.mean((1, 2, 3), keepdim=True).clamp(0.35, 0.6) / 0.55
    return torch.lerp(picture, inside * brightness, hole[:, None])


def _distance(line: Tensor) -> Tensor:
    """Distance [B, SIZE / 2, SIZE / 2] px of a half-resolution grid to polylines [B, N, 2]."""
    where = pixel_centres(SIZE // 2)[None]
    nearest = torch.full((len(line), where.shape[1]), torch.inf)
    for a, b in zip(line.unbind(1)[:-1], line.unbind(1)[1:], strict=True):
        along = b - a
        t = ((where - a[:, None]) * along[:, None]).sum(-1) / (along**2).sum(-1, keepdim=True)
        foot = a[:, None] + t.clamp(0, 1)[..., None] * along[:, None]
        nearest = torch.minimum(nearest, (where - foot).norm(dim=-1))
    return nearest.reshape(-1, SIZE // 2, SIZE // 2)


def fold_shading(points: Tensor, fold: Tensor) -> Tensor:
    """Factor [B, 1, SIZE, SIZE] of the nasolabial folds: darker where deeper than at rest, lighter where flattened."""
    factor = torch.ones(len(points), SIZE // 2, SIZE // 2)
    for side, line in enumerate(FOLDS):
        distance, depth = _distance(points[:, line]), fold[:, side, None, None]
        factor = factor - 0.20 * depth.clamp(0, 1) * torch.exp(-((distance / 1.7) ** 2))
        factor = factor + 0.10 * (-depth).clamp(0, 1) * torch.exp(-((distance / 3.0) ** 2))
    return F.interpolate(factor[:, None], size=SIZE, mode="bilinear")


def wrinkle_shading(points: Tensor, wrinkle: Tensor, brows: Sequence[list[int]]) -> Tensor:
    """Factor [B, 1, SIZE, SIZE] of three lines across each half of a forehead whose brow is raised."""
    x, y = axes()
    hairline = points[:, 138:141, 1].mean(1)[:, None, None]
    factor = torch.ones(len(points), SIZE, SIZE)
    for side, brow in enumerate(brows):
        arch = points[:, brow]
        base, centre = arch[..., 1].min(1).values[:, None, None], arch[..., 0].mean(1)[:, None, None]
        half = (arch[..., 0].amax(1) - arch[..., 0].amin(1))[:, None, None] * 0.55
        extent = torch.exp(-(((x - centre) / half) ** 4))
        for step in (0.25, 0.45, 0.65):
            level = base + step * (hairline - base) - 1.2 * (1 - ((x - centre) / half) ** 2)
            line = torch.exp(-(((y - level) / 0.9) ** 2)) - 0.5 * torch.exp(-(((y - level - 2) / 1.1) ** 2))
            factor = factor - 0.17 * wrinkle[:, side, None, None] * extent * line
    return factor[:, None]
