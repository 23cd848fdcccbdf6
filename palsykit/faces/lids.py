"""Lets upper lids slide over the eyes of a bent picture, as they do: an eye that shuts is covered, not squeezed."""

import torch
from torch import Tensor

from palsykit.faces.landmarks import LEFT_BROW, RIGHT_BROW

LIDS = ((37, 41), (38, 40), (43, 47), (44, 46))
"""An upper lid's point and the lower lid's point below it."""
EYES = ((36, 37, 38, 39), (41, 40), tuple(RIGHT_BROW)), ((42, 43, 44, 45), (47, 46), tuple(LEFT_BROW))
"""The points of an upper lid from corner to corner, those of the lower lid, and those of the brow."""
REACH = 0.75
"""Share of the way from lid to brow whose skin stretches over the eye; what is above it, the brow, keeps its shape."""
EDGE = 0.005
"""How far below the points of an upper lid its edge reaches, in image sides."""
LASHES = 0.008
"""Height in image sides of the edge with its lashes, which comes along as it is."""
FOLD = 0.015
"""Height in image sides of the dark fold above an open eye's lashes, which a shut lid does not have: it is left out.

``REACH`` and ``FOLD`` gave pictures nearest to simulated shut eyes of people of the face space (docs/lab-notes.md)."""


def open_lids(source: Tensor, target: Tensor) -> Tensor:
    """Targets [B, 68, 2] in which no eye is narrower than in the source; the lower lid stays where it is.

    A spline alone cannot shut an eye. Lids that meet have two places to be read from at one target: it then draws the
    eye many times as high, and if the points of a network cross by half a pixel, it turns the eye over.
    """
    upper, lower = ([*column] for column in zip(*LIDS, strict=True))
    apart = source[:, upper] - source[:, lower]
    size = apart.norm(dim=-1, keepdim=True)
    up = apart / size.clamp(min=1e-9)
    lack = (size - ((target[:, upper] - target[:, lower]) * up).sum(-1, keepdim=True)).clamp(min=0)
    opened = target.clone()
    opened[:, upper] = target[:, upper] + lack * up
    return opened


def under_lids(opened: Tensor, target: Tensor, height: int, width: int) -> Tensor:
    """For each pixel of a picture with lowered lids, the place of what it shows in the picture with open ones.

    Between brow and lid the skin stretches down to the lowered lid's edge; below it nothing moves, and is seen less.

    Args:
        opened: [B, 68, 2], targets as ``open_lids`` gives them, in image sides.
        target: [B, 68, 2], where the lids really go, in image sides.
        height: of the grid.
        width: of the grid.

    Returns:
        [B, height, width, 2] in image sides.
    """
    opened, target = opened.float(), target.float()
    y, x = ((torch.arange(count, device=opened.device) + 0.5) / count for count in (height, width))
    rows, columns = y[None, :, None], x[None]
    shown = rows.expand(len(opened), height, width)
    for lid, lower, brow in EYES:
        knots, there = opened[:, list(lid)], target[:, list(lid)]
        gap = (opened[:, list(lower), 1] - knots[:, 1:3, 1]).amax(1).clamp(min=0)[:, None]
        across = (columns - knots[:, :1, 0]) / (knots[:, 3:, 0] - knots[:, :1, 0]).clamp(min=1e-6)
        top, lowered = _curve(knots, across), _curve(there, across)
        drop = ((lowered - top).clamp(min=0).minimum(1.2 * gap) * ((across > 0) & (across < 1)))[:, None]
        top = top[:, None] + drop.clamp(max=EDGE)
        # From top to bottom: skin, the fold that is left out, lashes.
        reach = REACH * (knots[:, 1:3, 1].mean(1) - opened[:, list(brow), 1].mean(1)).clamp(min=0.02)[:, None, None]
        start, lashes = top - reach, top + drop - LASHES
        skin = reach - LASHES
        fold = torch.minimum(FOLD * drop.square() / (drop.square() + FOLD**2), skin / 2)
        stretched = start + (rows - start) * (skin - fold) / (skin + drop)
        shown = torch.where((rows > start) & (rows < lashes) & (drop > 0), stretched, shown)
        shown = torch.where((rows >= lashes) & (rows < top + drop) & (drop > 0), rows - drop, shown)
    return torch.stack([columns[:, None].expand_as(shown), shown], -1)


def _curve(points: Tensor, across: Tensor) -> Tensor:
    """Heights [B, W] of the cubic through four points [B, 4, 2] of a lid, at shares [B, W] of the way along it."""
    at = (points[:, :, 0] - points[:, :1, 0]) / (points[:, 3:, 0] - points[:, :1, 0]).clamp(min=1e-6)
    # Points of a network may lie on one another, through which no cubic goes.
    first, second = at[:, 1].clamp(0.15, 0.45), at[:, 2].clamp(0.55, 0.85)
    knots = torch.stack([torch.zeros_like(first), first, second, torch.ones_like(first)], 1)
    u, height = across.clamp(0, 1), torch.zeros_like(across)
    for k in range(4):
        others = [knots[:, j : j + 1] for j in range(4) if j != k]
        own = knots[:, k : k + 1]
        weight = torch.ones_like(u)
        for other in others:
            weight = weight * (u - other) / (own - other)
        height = height + weight * points[:, k : k + 1, 1]
    return height
