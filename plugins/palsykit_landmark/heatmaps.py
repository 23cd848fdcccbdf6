"""A landmark network with heatmaps, with sub-pixel accuracy, for example for an almost shut eye."""

from itertools import pairwise
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from palsykit.faces.landmarks import COUNT, FURTHER
from palsykit.files.weights import load_exact
from palsykit.interfaces import NetworkOutput
from palsykit.recipe.ranges import Scale
from palsykit_landmark.mean_face import MEAN_FACE, MEAN_FURTHER

CHANNELS = 32, 48, 80, 96
"""Channels per level, from the heatmaps' resolution to an eighth of it."""
MARGIN = 1 / 8
"""How far the heatmaps extend beyond each edge of the picture, in image sides, because a jaw may be outside."""
PRIOR = 0.08
"""Prior standard deviation of a point around the average face's point, in image sides."""
STEP = 0.05
"""Unit of the learnt offsets, in image sides."""


class Convolution(nn.Module):
    """Convolution and batch norm, [B, inputs, h, w] -> [B, outputs, h', w'], without an activation."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, *, stride: int = 1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, (kernel - 1) // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        normed: Tensor = self.bn(self.conv(x))
        return normed


class Residual(nn.Module):
    """Basic residual block (He et al., arXiv:1512.03385): two 3 x 3 convolutions with a shortcut."""

    def __init__(self, channels: int):
        super().__init__()
        self.first, self.second = Convolution(channels, channels), Convolution(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(F.relu(self.first(x))))


class Hourglass(nn.Module):
    """Down to an eighth of the side and up again, with a residual block and a skip at each level (arXiv:1603.06937).

    [B, channels[0], h, w] -> a map of the same shape, and the deepest map [B, channels[-1], h / 8, w / 8].
    """

    def __init__(self, channels: tuple[int, ...]):
        super().__init__()
        pairs = list(pairwise(channels))
        self.shrink = nn.ModuleList(Convolution(upper, lower, stride=2) for upper, lower in pairs)
        self.down = nn.ModuleList(Residual(level) for level in channels)
        self.grow = nn.ModuleList(Convolution(lower, upper, 1) for upper, lower in pairs)
        self.up = nn.ModuleList(Residual(upper) for upper, _ in pairs)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        skips = [self.down[0](x)]
        for shrink, block in zip(self.shrink, list(self.down)[1:], strict=True):
            skips.append(block(F.relu(shrink(skips[-1]))))
        x = deepest = skips.pop()
        for grow, block, skip in zip(reversed(self.grow), reversed(self.up), reversed(skips), strict=True):
            x = block(F.relu(skip + F.interpolate(grow(x), scale_factor=2.0)))
        return x, deepest


class IntegralHead(nn.Module):
    """Integral regression (Sun et al., arXiv:1711.08229): a softmax over each heatmap, then the mean position under it.

    [B, C, side, side] -> [B, N, 2], in image sides; N is 68, or 76 with ``further``. The logits are the network's plus
    the log of a normal distribution around the average face's point (ours): a flat heatmap gives the average face,
    where a short fit starts. The mean alone would pull uncertain points towards the middle, so each point also has an
    offset that is linear in the features under its heatmap (ours).
    """

    places: Tensor
    prior: Tensor

    def __init__(self, channels: int, side: int, further: bool = False):
        super().__init__()
        mean = (*MEAN_FACE, *MEAN_FURTHER) if further else MEAN_FACE
        self.margin = round(MARGIN * side)
        self.heatmaps = nn.Conv2d(channels, len(mean), 1)
        self.offset = nn.Parameter(torch.zeros(len(mean), channels, 2))
        nn.init.normal_(self.heatmaps.weight, std=0.01)
        nn.init.zeros_(self.heatmaps.bias)  # type: ignore[arg-type]
        places = grid(side, self.margin)
        apart = (torch.tensor(mean)[:, None] - places).square().sum(-1)
        self.register_buffer("places", places, persistent=False)
        self.register_buffer("prior", -apart / (2 * PRIOR**2), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        padded = F.pad(x, (self.margin,) * 4)
        logits: Tensor = self.heatmaps(padded)
        with torch.autocast(x.device.type, enabled=False):  # bf16 would round coordinates to 1/256 of the side
            share = (logits.float().flatten(2) + self.prior).softmax(-1)  # (B, N, cells)
            features = share @ padded.float().flatten(2).transpose(1, 2)  # (B, N, C)
            offset = torch.einsum("bkc,kcd->bkd", features, self.offset.float())
            points: Tensor = share @ self.places + STEP * offset
        return points


class Heatmaps(nn.Module):
    """An hourglass (Newell et al., arXiv:1603.06937) with integral regression (Sun et al., arXiv:1711.08229).

    A face [B, 3, H, W] -> map [B, C, h, w] and iBUG 68 landmarks [B, 68, 2] px. It is smaller than the published
    networks, with a prior around the average face and learnt offsets (ours), to be fitted in minutes on one core: it
    has plain convolutions only, which are fast on CPUs and in bf16. The map, the deepest of the hourglass, has an
    eighth of the heatmaps' side: at 64 px the heatmaps are 32 cells wide and the map is 4 x 4.

    Args:
        image_size: side of the images in px, a multiple of 8 cells.
        width: multiplies the channels of every level (32, 48, 80, 96).
        cell: side of a heatmap's cell in px, to which the stem reduces the picture: 2 for small pictures; 4 is four
            times as fast.
        further: also find pupils and nasolabial folds, [B, 8, 2] px.
        weights: a safetensors file; every key and shape must be this network's.

    Raises:
        ValueError: the side is not a multiple of 8 cells, or the width leaves no channel.
    """

    def __init__(
        self,
        image_size: int,
        *,
        width: Scale = 1.0,
        cell: Literal[2, 4] = 2,
        further: bool = False,
        weights: Path | None = None,
    ):
        super().__init__()
        if image_size % (8 * cell):
            raise ValueError(
                f"image_size {image_size}: heatmaps of {cell} px cells are halved three times; expected a multiple of "
                f"{8 * cell}"
            )
        channels = tuple(round(level * width) for level in CHANNELS)
        if channels[0] < 1:
            raise ValueError(f"width {width} leaves the first level no channel; expected at least {1 / CHANNELS[0]}")
        self.image_size = image_size
        side = image_size // cell
        self.map_shape = (channels[-1], side // 8, side // 8)
        self.embedding_width = None
        self.stem = _stem(channels[0], cell)
        self.hourglass = Hourglass(channels)
        self.head = IntegralHead(channels[0], side, further)
        if weights is not None:
            load_exact(self, weights)

    def forward(self, image: Tensor) -> NetworkOutput:
        """image [B, 3, H, W] in [-1, 1] -> map [B, C, h, w], points [B, 68, 2] px, further [B, 8, 2] px or None."""
        features, deepest = self.hourglass(F.relu(self.stem(image)))
        points = self.head(features) * self.image_size
        further = points[:, COUNT:] if points.shape[1] == COUNT + FURTHER else None
        return NetworkOutput(map=deepest, points=points[:, :COUNT], further=further)


def _stem(channels: int, cell: int) -> nn.Module:
    """[B, 3, H, W] -> [B, channels, H / cell, W / cell], before the activation.

    6 x 6 with stride 2: it uses each pixel's position in its cell.
    """
    if cell == 2:
        return Convolution(3, channels, 6, stride=2)
    half = max(1, channels // 2)
    return nn.Sequential(Convolution(3, half, 6, stride=2), nn.ReLU(), Convolution(half, channels, 3, stride=2))


def grid(side: int, margin: int) -> Tensor:
    """Centres (x, y) of the cells of a square grid, row by row: [(side + 2 margin)^2, 2], in sides of the picture.

    The picture is ``side`` cells wide; the grid has ``margin`` more cells at each edge.
    """
    at = (torch.arange(-margin, side + margin) + 0.5) / side
    y, x = torch.meshgrid(at, at, indexing="ij")
    return torch.stack([x, y], -1).flatten(0, 1)
