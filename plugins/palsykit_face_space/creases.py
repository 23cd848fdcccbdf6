"""Shade folds, cheeks and the lines of a raised forehead; lengths are px of the 128 px frame."""

import torch
import torch.nn.functional as F
from torch import Tensor

from palsykit_face_space.contours import axes, softened
from palsykit_face_space.warp import SIZE
from palsykit_face_space.windows import Windows, about

FOLDS = [158, 159, 160], [161, 162, 163]
BROWS = [71, 72, 73, 74, 75], [78, 79, 80, 81, 82]
_HAIRLINE = [138, 139, 140]
_FOLD = 0.2  # the smile, in distances between the pupils, whose folds are as deep as ``Pose.fold`` 1
_LONGEST = 0.2  # smile that shades most, in distances between the pupils
_CREASE = 0.25  # deepest crease that is taken out, logarithm of brightness


def flattening(texture: Tensor, shape: Tensor) -> Tensor:
    """Logarithm [SIZE, SIZE] of the brightness that takes the nasolabial folds out of a texture [3, S, S].

    The texture's own creases about its fold points, ``shape`` [189, 2]: its smooth brightness over the less smooth.
    """
    small = F.interpolate(texture[None].mean(1, keepdim=True), size=SIZE, mode="area").clamp_min(0.03).log()
    crease = softened(softened(small, 3), 3) - softened(small, 1)
    x, y = axes(SIZE)
    near = torch.stack([_distance(shape[None, line], x, y)[0] for line in FOLDS]).amin(0)
    return crease[0, 0].clamp(-_CREASE, _CREASE) * torch.exp(-((near / 3.5) ** 2))


def shading(creases: Tensor, midline: Tensor, fold: Tensor, smile: Tensor) -> Tensor:
    """Brightness factor [N, 1, SIZE, SIZE] of folds, cheeks and lower lids on textures.

    Args:
        creases: [N, 3, SIZE, SIZE], logarithms for a smile at the folds, elsewhere, and of ``flattening``.
        midline: [N] where left and right halves meet, px.
        fold: [N, 2] of right and left, as in ``Pose``.
        smile: [N, 2] movement of the corners, in distances between the pupils.
    """
    x, _ = axes(SIZE)
    left = torch.sigmoid((x - midline[:, None, None]) / 1.5)[:, None]
    amounts = torch.stack([_FOLD * fold.clamp_min(0), smile.clamp(0, _LONGEST), (-fold).clamp_min(0)], 1)
    right_share, left_share = amounts[..., None, None].unbind(2)
    return (creases * torch.lerp(right_share, left_share, left)).sum(1, keepdim=True).exp()


def _distance(line: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Distance [N, H, W] px from x, y to polylines [N, K, 2]."""
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
