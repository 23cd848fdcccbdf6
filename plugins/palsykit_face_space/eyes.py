"""Draw lids that close, and eyes that roll up; lengths are px of the 128 px frame."""

from collections.abc import Sequence

import torch
from torch import Tensor

from palsykit_face_space.contours import LOWER_LIDS, UPPER_LIDS, between, height, softened
from palsykit_face_space.warp import SIZE
from palsykit_face_space.windows import Windows, about

IRISES = [*range(2, 10)], [*range(10, 18)]
_LASHES = 2.0  # around the lid margins that must not appear in the skin of a shut eye
_MOIST = 1.10, 1.03, 1.0  # of the white below the iris, against the colour beside it
_ROLLED = 1.45  # largest upward roll of an eye, in iris radii: a strip of the iris stays below the lid

Eye = tuple[int, int]
"""A face's number, and 0 for its right or 1 for its left eye."""


def eyes_to_draw(closure: Tensor, gaze_up: Tensor) -> list[Eye]:
    """The eyes that differ from the photograph's, of closure and gaze_up [B, 2]."""
    return [(face, side) for face, side in torch.nonzero((closure > 0) | (gaze_up > 0)).tolist()]


def _of(eyes: Sequence[Eye], which: tuple[list[int], list[int]], points: Tensor) -> Tensor:
    """The points [N, K, 2] of eyes whose numbers on each side are ``which``, from [B, 189, 2]."""
    return torch.stack([points[face, which[side]] for face, side in eyes])


def windows(eyes: Sequence[Eye], points: Tensor, steps: int) -> Windows:
    """A window about each eye at rest and its lashes."""
    lids = torch.cat([_of(eyes, UPPER_LIDS, points), _of(eyes, LOWER_LIDS, points)], 1)
    return about(lids, [face for face, _ in eyes], 2 * _LASHES, steps)


def sealed(texture: Tensor, shape: Tensor) -> Tensor:
    """Colours [3, S, S] of a face with points ``shape`` [189, 2], both eyes covered by lid skin.

    Each column of an eye is filled between the skin above its upper and below its lower lid, then softened.
    """
    steps = texture.shape[-1]
    eyes = [(0, 0), (0, 1)]
    points, result = shape[None], texture[None].clone()
    window = about(
        torch.cat([_of(eyes, UPPER_LIDS, points), _of(eyes, LOWER_LIDS, points)], 1), [0, 0], 3 * _LASHES, steps
    )
    x, y, colours = window.x, window.y, window.cut(result)
    scale, reach = steps / SIZE, max(1, round(steps / SIZE))
    upper = _of(eyes, UPPER_LIDS, points)
    top, bottom = height(upper, x) - _LASHES, height(_of(eyes, LOWER_LIDS, points), x) + _LASHES
    inside = (y - top + 0.5).clamp(0, 1) * (bottom - y + 0.5).clamp(0, 1) * between(upper, x, 1.0)
    blurred, start = softened(colours, reach), torch.tensor([top for _, top in window.corners])[:, None, None]
    rows = [((edge * scale).round().long() - start).clamp(0, window.height - 1) for edge in (top - 1, bottom)]
    above, below = (blurred.gather(2, row[:, None].expand(-1, 3, -1, -1)) for row in rows)
    share = ((y - top) / (bottom - top)).clamp(0, 1)[:, None] ** 1.5
    filled = torch.lerp(colours, torch.lerp(above, below, share), inside[:, None])
    window.paste(result, torch.lerp(filled, softened(filled, reach), inside[:, None]))
    return result[0]


def draw_eyes(skin: Tensor, open_eyes: Tensor, eyes: Sequence[Eye], window: Windows, points: Tensor,
              rest: Tensor, closure: Tensor) -> Tensor:  # fmt: skip
    """Draw the eyeballs where the lids are open, and lashes along closing upper lids.

    skin, open_eyes [N, 3, H, W] in the windows of N eyes; points [B, 189, 2] with the lids in place, and with them open
    (``rest``); closure [B, 2].
    """
    x, y = window.x, window.y
    shut = torch.stack([closure[eye] for eye in eyes])[:, None, None]
    upper = _of(eyes, UPPER_LIDS, points)
    top, bottom = height(upper, x), height(_of(eyes, LOWER_LIDS, points), x)
    rim = _LASHES * (1 - shut).clamp(0, 1)  # lashes and lid margin belong to the open eye's picture
    hole = (y - top + rim + 0.5).clamp(0, 1) * (bottom + rim - y + 0.5).clamp(0, 1)
    hole = hole * between(upper, x, rim) * ((bottom - top + 2 * rim) / 1.5 - 0.3).clamp(0, 1)
    # The shut lid bulges over the eye; its lashes hang below its edge, in tufts.
    span, on_lid = (
        (bottom - _of(eyes, UPPER_LIDS, rest)[:, 1:4, 1].amin(1)[:, None, None]).clamp_min(1),
        between(upper, x),
    )
    bulge = 1 + 0.07 * shut * on_lid * (1 - ((bottom - y - 0.5 * span) / (0.5 * span)) ** 2).clamp(0, 1)
    tufts = 0.35 * shut**4 * torch.sin(2.6 * (x - upper[:, 2, :1, None])).abs()
    hang = torch.where(y > top, 0.55 + tufts, 0.5)
    lash = torch.exp(-(((y - top) / hang) ** 2)) * on_lid * shut.clamp(0, 1)
    shadow = 0.4 * (shut > 0) * torch.exp(-(y - top).clamp_min(0) / 1.3)  # of the lowered lid on the eye
    eye = open_eyes * (1 - shadow)[:, None]
    return torch.lerp(skin * bulge[:, None], eye, hole[:, None]) * (1 - 0.6 * lash[:, None])


def roll_eyes(open_eyes: Tensor, eyes: Sequence[Eye], window: Windows, points: Tensor, gaze_up: Tensor,
              sclera: Tensor) -> Tensor:  # fmt: skip
    """Turn eyeballs up: the iris moves up, mostly behind the upper lid, and its old place becomes white.

    open_eyes [N, 3, H, W] in the windows of N eyes; points [B, 189, 2]; gaze_up [B, 2], 0 to 1; sclera [B, 2, 3].
    """
    x, y = window.x, window.y
    # Iris and fissure.
    iris = _of(eyes, IRISES, points)
    centre = iris.mean(1)
    radius = (iris - centre[:, None]).norm(dim=-1).mean(1)[:, None, None]
    top, bottom = (height(_of(eyes, lid, points), x) for lid in (UPPER_LIDS, LOWER_LIDS))
    fissure = (y - top + 0.3).clamp(0, 1) * (bottom - y + 0.5).clamp(0, 1)
    up_by = torch.stack([gaze_up[eye] for eye in eyes])[:, None, None]
    lift = up_by * _ROLLED * radius
    across, up = x - centre[:, 0, None, None], y - centre[:, 1, None, None]
    # White covers the old iris, with soft ends; it is a ball that the upper lid shades.
    was = ((radius + 2.5 - across.abs()) / 2.0).clamp(0, 1) * (up_by > 0)
    shade = 0.58 + 0.42 * ((y - top) / (0.5 * (bottom - top)).clamp_min(1)).clamp(0, 1)
    shade = shade * (1 - 0.1 * (across / (1.6 * radius)) ** 2) * (0.85 + 0.15 * ((bottom - y) / 1.5).clamp(0, 1))
    white = (torch.stack([sclera[eye] for eye in eyes]) * torch.tensor(_MOIST))[:, :, None, None] * shade[:, None]
    rolled = torch.lerp(open_eyes, white, (was * fissure)[:, None])
    # The iris at its new place, below the lid.
    now = (radius + 0.3 - (across**2 + (up + lift) ** 2).sqrt() + 0.5).clamp(0, 1) * (up_by > 0)
    iris_there = _moved_up(open_eyes, lift[:, 0, 0] * (window.steps / SIZE)) * shade[:, None]
    return torch.lerp(rolled, iris_there, (now * fissure)[:, None])


def _moved_up(parts: Tensor, by: Tensor) -> Tensor:
    """Move pictures [N, C, H, W] up by ``by`` [N] of their pixels; below their edge, it is repeated."""
    rows = (torch.arange(parts.shape[2]) + by[:, None]).clamp(0, parts.shape[2] - 1)
    first = rows.floor().long().clamp(max=parts.shape[2] - 2)
    index = first[:, None, :, None].expand(-1, parts.shape[1], -1, parts.shape[3])
    return torch.lerp(parts.gather(2, index), parts.gather(2, index + 1), (rows - first)[:, None, :, None])
