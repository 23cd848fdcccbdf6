"""Draw what a warp of one photograph cannot show: shut lids, an open mouth with teeth, folds and wrinkles.

Everything is drawn in the upright frame, from the moved template points; B faces at a time. Coordinates and lengths
are px of the 128 px frame, whatever the side S of the pictures.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from palsykit_face_space.warp import SIZE, pixel_centres, read

UPPER_LIDS = [18, 19, 20, 21, 22], [23, 24, 25, 26, 27]
LOWER_LIDS = [18, 28, 29, 30, 22], [23, 31, 32, 33, 27]
UPPER_INNER = [87, 94, 95, 96, 97, 98, 93]
LOWER_INNER = [87, 99, 100, 101, 102, 103, 93]
FOLDS = [158, 159, 160], [161, 162, 163]
TEETH = {"smile_full": (0.82, 0.0), "lower_lip_depression": (0.42, 1.0)}
"""Expression -> share of the opening that the upper teeth fill, and whether the lower teeth show below it."""

_LASHES = 2.0  # px around the lid margins that must not appear in the skin of a shut eye
_ROLLED = 1.15  # largest upward roll of an eye, in iris radii
_TOOTH = 3.6  # width of a front tooth in px, if the pupils are 32 px apart
_WHITE = 0.55  # mean of the sclera's colours at which teeth are as light as _ENAMEL
_INSIDE, _ENAMEL = (0.17, 0.06, 0.06), (0.90, 0.87, 0.81)


def axes(steps: int) -> tuple[Tensor, Tensor]:
    """x [1, 1, S] and y [1, S, 1] of pixel centres."""
    at = (torch.arange(steps) + 0.5) * (SIZE / steps)
    return at[None, None], at[None, :, None]


def height(contour: Tensor, steps: int) -> Tensor:
    """y [B, 1, S] in each column of contours [B, N, 2] that run from left to right; constant beyond their ends."""
    x, _ = axes(steps)
    result = contour[:, :1, 1, None].expand(-1, 1, steps).clone()
    for a, b in zip(contour.unbind(1)[:-1], contour.unbind(1)[1:], strict=True):
        run = (b[:, 0] - a[:, 0]).clamp_min(0.25)[:, None, None]
        along = ((x - a[:, 0, None, None]) / run).clamp(0, 1)
        result = result + along * (b[:, 1] - a[:, 1])[:, None, None]
    return result


def between(contour: Tensor, steps: int, margin: Tensor | float = 0.0) -> Tensor:
    """1 in the columns [B, 1, S] of contours [B, N, 2] and in a ``margin`` on either side, with soft ends; else 0."""
    x, _ = axes(steps)
    start, stop = contour[:, 0, 0, None, None] - margin, contour[:, -1, 0, None, None] + margin
    return (x - start + 0.5).clamp(0, 1) * (stop - x + 0.5).clamp(0, 1)


def _softened(picture: Tensor) -> Tensor:
    """Average over about one px of the frame."""
    reach = max(1, round(picture.shape[-1] / SIZE))
    return F.avg_pool2d(F.pad(picture, (reach,) * 4, mode="replicate"), 2 * reach + 1, 1)


def sealed(colours: Tensor, shape: Tensor) -> Tensor:
    """Colours [B, 3, S, S] of faces with points ``shape`` [189, 2], both eyes covered by lid skin.

    Each column of an eye is filled between the skin above its upper and below its lower lid, then softened.
    """
    steps = colours.shape[-1]
    _, y = axes(steps)
    filled, cover = colours, torch.zeros(1, steps, steps)
    blurred = _softened(colours)
    for upper, lower in zip(UPPER_LIDS, LOWER_LIDS, strict=True):
        top, bottom = height(shape[None, upper], steps) - _LASHES, height(shape[None, lower], steps) + _LASHES
        columns = between(shape[None, upper], steps, 1.0)
        inside = (y - top + 0.5).clamp(0, 1) * (bottom - y + 0.5).clamp(0, 1) * columns
        rows = [(edge * steps / SIZE).round().long().clamp(0, steps - 1) for edge in (top - 1, bottom)]
        above, below = (blurred.gather(2, row.expand(len(colours), 3, 1, steps)) for row in rows)
        share = ((y - top) / (bottom - top)).clamp(0, 1)[:, None] ** 1.5
        filled = torch.lerp(filled, torch.lerp(above, below, share), inside[:, None])
        cover = torch.maximum(cover, inside)
    return torch.lerp(filled, _softened(filled), cover[:, None])


def draw_eyes(skin: Tensor, open_eyes: Tensor, points: Tensor, closure: Tensor) -> Tensor:
    """Draw the eyeballs where the lids are open, and lashes along closing upper lids.

    skin, open_eyes [B, 3, S, S]; points [B, 189, 2] with the lids in place; closure [B, 2] (right, left).
    """
    steps = skin.shape[-1]
    _, y = axes(steps)
    for side, (upper, lower) in enumerate(zip(UPPER_LIDS, LOWER_LIDS, strict=True)):
        shut = closure[:, side, None, None]
        top, bottom = height(points[:, upper], steps), height(points[:, lower], steps)
        rim = _LASHES * (1 - shut).clamp(0, 1)  # lashes and lid margin belong to the open eye's picture
        hole = (y - top + rim + 0.5).clamp(0, 1) * (bottom + rim - y + 0.5).clamp(0, 1)
        hole = hole * between(points[:, upper], steps, rim) * ((bottom - top + 2 * rim) / 1.5 - 0.3).clamp(0, 1)
        skin = torch.lerp(skin, open_eyes, hole[:, None])
        lash = torch.exp(-(((y - top) / 0.9) ** 2)) * between(points[:, upper], steps) * shut.clamp(0, 1)
        skin = skin * (1 - 0.62 * lash[:, None])
    return skin


def roll_eyes(open_eyes: Tensor, points: Tensor, gaze_up: Tensor, sclera: Tensor) -> Tensor:
    """Turn eyeballs up: the iris moves up, mostly behind the upper lid, and its old place becomes white.

    open_eyes [B, 3, S, S]; points [B, 189, 2]; gaze_up [B, 2], 0 to 1; sclera [B, 2, 3] colours.
    """
    steps = open_eyes.shape[-1]
    x, y = axes(steps)
    result = open_eyes.clone()
    for side, ring in enumerate((range(2, 10), range(10, 18))):
        rows = torch.nonzero(gaze_up[:, side] > 0)[:, 0]
        if not len(rows):
            continue
        # Iris and fissure.
        iris = points[rows][:, list(ring)]
        centre = iris.mean(1)
        radius = (iris - centre[:, None]).norm(dim=-1).mean(1)[:, None, None]
        top, bottom = (height(points[rows][:, lid[side]], steps) for lid in (UPPER_LIDS, LOWER_LIDS))
        fissure = (y - top).clamp(0, 1) * (bottom - y + 0.8).clamp(0, 1)
        # Cover the iris' old place with white, and draw it at the new one.
        lift = gaze_up[rows, side, None, None] * _ROLLED * radius
        across, up = x - centre[:, 0, None, None], y - centre[:, 1, None, None]
        was = (radius + 1.2 - (across**2 + up**2).sqrt()).clamp(0, 1)
        now = (radius + 0.5 - (across**2 + (up + lift) ** 2).sqrt()).clamp(0, 1)
        below = _moved_down(open_eyes[rows], -lift[:, 0, 0])
        white = sclera[rows, side][:, :, None, None] * (0.82 + 0.18 * (up / radius).clamp(-1, 1))[:, None]
        result[rows] = torch.lerp(
            torch.lerp(result[rows], white, (was * fissure)[:, None]), below, (now * fissure)[:, None]
        )
    return result


def _moved_down(picture: Tensor, by: Tensor) -> Tensor:
    """Move pictures [B, C, S, S] down by ``by`` [B] px of the frame."""
    where = pixel_centres(picture.shape[-1])[None] - torch.stack([torch.zeros_like(by), by], -1)[:, None]
    return read(picture, where.transpose(1, 2).reshape(-1, 2, *picture.shape[-2:]), SIZE)


def draw_mouth(picture: Tensor, points: Tensor, teeth: Tensor, sclera: Tensor) -> Tensor:
    """Draw the dark inside of the mouth and the teeth between open lips; teeth [B, 2] as in ``TEETH``.

    The brightness of the teeth follows the white of the eyes, sclera [B, 2, 3]; with the skin's they would be too dark.
    """
    # The opening.
    steps = picture.shape[-1]
    x, y = axes(steps)
    top, bottom = height(points[:, UPPER_INNER], steps), height(points[:, LOWER_INNER], steps)
    gap = (bottom - top).clamp_min(0.1)
    opened = (gap - 1.2).clamp(0, 1) * between(points[:, UPPER_INNER], steps)
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


def _distance(line: Tensor) -> Tensor:
    """Distance [B, SIZE / 2, SIZE / 2] px from the cells of a half-resolution grid to polylines [B, N, 2]."""
    where = pixel_centres(SIZE // 2)[None]
    nearest = torch.full((len(line), where.shape[1]), torch.inf)
    for a, b in zip(line.unbind(1)[:-1], line.unbind(1)[1:], strict=True):
        along = b - a
        t = ((where - a[:, None]) * along[:, None]).sum(-1) / (along**2).sum(-1, keepdim=True)
        foot = a[:, None] + t.clamp(0, 1)[..., None] * along[:, None]
        nearest = torch.minimum(nearest, (where - foot).norm(dim=-1))
    return nearest.reshape(-1, SIZE // 2, SIZE // 2)


def fold_shading(points: Tensor, fold: Tensor, steps: int) -> Tensor:
    """Brightness factor [B, 1, S, S] of the nasolabial folds: darker if deeper than at rest, lighter if flattened."""
    factor = torch.ones(len(points), SIZE // 2, SIZE // 2)
    for side, line in enumerate(FOLDS):
        distance, depth = _distance(points[:, line]), fold[:, side, None, None]
        factor = factor - 0.20 * depth.clamp(0, 1) * torch.exp(-((distance / 1.7) ** 2))
        factor = factor + 0.10 * (-depth).clamp(0, 1) * torch.exp(-((distance / 3.0) ** 2))
    return F.interpolate(factor[:, None], size=steps, mode="bilinear")


def wrinkle_shading(points: Tensor, wrinkle: Tensor, brows: Sequence[list[int]], steps: int) -> Tensor:
    """Brightness factor [B, 1, S, S] of three lines across each half of the forehead with a raised brow."""
    x, y = axes(steps)
    result = torch.ones(len(points), 1, steps, steps)
    rows = torch.nonzero(wrinkle.amax(1) > 0)[:, 0]  # only one of the eight expressions has wrinkles: skip the others
    points, wrinkle = points[rows], wrinkle[rows]
    hairline = points[:, 138:141, 1].mean(1)[:, None, None]
    factor = torch.ones(len(rows), steps, steps)
    for side, brow in enumerate(brows):
        arch = points[:, brow]
        base, centre = arch[..., 1].amin(1)[:, None, None], arch[..., 0].mean(1)[:, None, None]
        half = (arch[..., 0].amax(1) - arch[..., 0].amin(1))[:, None, None] * 0.55
        extent = torch.exp(-(((x - centre) / half) ** 4))
        for step in (0.25, 0.45, 0.65):
            level = base + step * (hairline - base) - 1.2 * (1 - ((x - centre) / half) ** 2)
            line = torch.exp(-(((y - level) / 0.9) ** 2)) - 0.5 * torch.exp(-(((y - level - 2) / 1.1) ** 2))
            factor = factor - 0.17 * wrinkle[:, side, None, None] * extent * line
    result[rows, 0] = factor
    return result
