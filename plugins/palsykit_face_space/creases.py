"""Shade the nasolabial folds and the lines of a raised forehead; lengths are px of the 128 px frame."""

import torch
from torch import Tensor

from palsykit_face_space.windows import Windows, about

FOLDS = [158, 159, 160], [161, 162, 163]
BROWS = [71, 72, 73, 74, 75], [78, 79, 80, 81, 82]
_HAIRLINE = [138, 139, 140]


def fold_windows(folded: list[tuple[int, int]], points: Tensor, steps: int) -> Windows:
    """A window about the fold of each (face, side)."""
    lines = torch.stack([points[face, FOLDS[side]] for face, side in folded])
    return about(lines, [face for face, _ in folded], 6.0, steps)


def fold_shading(folded: list[tuple[int, int]], window: Windows, points: Tensor, fold: Tensor) -> Tensor:
    """Brightness factor [N, 1, H, W] of nasolabial folds: darker if deeper than at rest, lighter if flattened."""
    line = torch.stack([points[face, FOLDS[side]] for face, side in folded])
    depth = torch.stack([fold[one] for one in folded])[:, None, None]
    distance = _distance(line, window)
    factor = 1 - 0.20 * depth.clamp(0, 1) * torch.exp(-((distance / 1.7) ** 2))
    factor = factor + 0.10 * (-depth).clamp(0, 1) * torch.exp(-((distance / 3.0) ** 2))
    return factor[:, None]


def _distance(line: Tensor, window: Windows) -> Tensor:
    """Distance [N, H, W] px from the pixels of windows to polylines [N, K, 2]."""
    x, y = window.x, window.y
    nearest = torch.full((), torch.inf)
    for a, b in zip(line.unbind(1)[:-1], line.unbind(1)[1:], strict=True):
        (ax, ay), (along_x, along_y) = (v[..., None, None].unbind(1) for v in (a, b - a))
        t = (((x - ax) * along_x + (y - ay) * along_y) / (along_x**2 + along_y**2)).clamp(0, 1)
        nearest = torch.minimum(nearest, (x - ax - t * along_x) ** 2 + (y - ay - t * along_y) ** 2)
    return nearest.sqrt()


def wrinkle_windows(faces: list[int], points: Tensor, steps: int) -> Windows:
    """A window about the forehead of each face."""
    return about(points[faces][:, BROWS[0] + BROWS[1] + _HAIRLINE], faces, 6.0, steps)


def wrinkle_shading(points: Tensor, wrinkle: Tensor, window: Windows) -> Tensor:
    """Brightness factor [N, 1, H, W] of three lines across each half of a forehead with a raised brow."""
    x, y = window.x, window.y
    hairline = points[:, _HAIRLINE, 1].mean(1)[:, None, None]
    factor = torch.ones(len(points), window.height, window.width)
    for side, brow in enumerate(BROWS):
        arch = points[:, brow]
        base, centre = arch[..., 1].amin(1)[:, None, None], arch[..., 0].mean(1)[:, None, None]
        half = (arch[..., 0].amax(1) - arch[..., 0].amin(1))[:, None, None] * 0.55
        extent = torch.exp(-(((x - centre) / half) ** 4))
        for step in (0.25, 0.45, 0.65):
            level = base + step * (hairline - base) - 1.2 * (1 - ((x - centre) / half) ** 2)
            line = torch.exp(-(((y - level) / 0.9) ** 2)) - 0.5 * torch.exp(-(((y - level - 2) / 1.1) ** 2))
            factor = factor - 0.17 * wrinkle[:, side, None, None] * extent * line
    return factor[:, None]
