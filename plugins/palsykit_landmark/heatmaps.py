"""A 68-point network of heatmaps, which resolves what is smaller than a pixel, such as an eye that nearly shuts."""

from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from palsykit.faces.landmarks import COUNT
from palsykit.files.weights import load_exact
from palsykit.interfaces import NetworkOutput
from palsykit_landmark.mean_face import MEAN_FACE

CHANNELS = 32, 48, 80, 96
"""By level, from half of the picture's resolution to a sixteenth."""
MARGIN = 1 / 8
"""How far the heatmaps reach beyond each edge of the picture, in its sides: a jaw may lie outside."""
PRIOR = 0.08
"""Standard deviation of a point about the average face's, in image sides, before anything is seen."""
STEP = 0.05
"""Image sides in a unit of the learnt offsets."""


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
    """Basic residual block (He et al., arXiv:1512.03385): two 3 x 3 convolutions beside a shortcut."""

    def __init__(self, channels: int):
        super().__init__()
        self.first, self.second = Convolution(channels, channels), Convolution(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(F.relu(self.first(x))))


class Hourglass(nn.Module):
    """Down to an eighth of the sides and back up, a residual block and a shortcut at each level (arXiv:1603.06937).

    [B, channels[0], h, w] -> the same shape, and the deepest map [B, channels[-1], h / 8, w / 8].
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
    """Integral regression (Sun et al., arXiv:1711.08229): a softmax over each heatmap, and the mean place under it.

    The heatmaps' logits are the network's plus the log of a normal distribution about the average face's point: a
    heatmap that says nothing gives the average face, and a short fit starts there. Beyond that mean, which alone would
    pull all points towards the middle of what is uncertain, each point has a linear offset of the features under
    its heatmap (ours). [B, C, side, side] -> [B, 68, 2], in image sides.
    """

    places: Tensor
    prior: Tensor

    def __init__(self, channels: int, side: int):
        super().__init__()
        self.margin = round(MARGIN * side)
        self.heatmaps = nn.Conv2d(channels, COUNT, 1)
        self.offset = nn.Parameter(torch.zeros(COUNT, channels, 2))
        nn.init.normal_(self.heatmaps.weight, std=0.01)
        nn.init.zeros_(self.heatmaps.bias)  # type: ignore[arg-type]
        places = grid(side, self.margin)
        apart = (torch.tensor(MEAN_FACE)[:, None] - places).square().sum(-1)
        self.register_buffer("places", places, persistent=False)
        self.register_buffer("prior", -apart / (2 * PRIOR**2), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        padded = F.pad(x, (self.margin,) * 4)
        logits: Tensor = self.heatmaps(padded)
        with torch.autocast(x.device.type, enabled=False):  # bf16 would round coordinates to 1/256 of the side
            share = (logits.float().flatten(2) + self.prior).softmax(-1)  # (B, 68, cells)
            features = share @ padded.float().flatten(2).transpose(1, 2)  # (B, 68, C)
            offset = torch.einsum("bkc,kcd->bkd", features, self.offset.float())
            points: Tensor = share @ self.places + STEP * offset
        return points


class Heatmaps(nn.Module):
    """An hourglass (Newell et al., arXiv:1603.06937) with integral regression (Sun et al., arXiv:1711.08229).

    A face [B, 3, H, W] -> map [B, C, H / 16, W / 16] and iBUG 68 landmarks [B, 68, 2] px. Smaller than the published
    ones, with a prior about the average face and learnt offsets (ours), for fits of minutes on one core: all
    convolutions are plain ones, which CPUs and bf16 compute fast. The stem halves the sides, so that at 64 px heatmaps
    are 32 cells wide and the map, the hourglass's deepest, is 4 x 4.

    Args:
        image_size: side of the images in px, a multiple of 16.
        width: multiplies the channels of every level (32, 48, 80, 96).
        weights: a safetensors file; every key and shape must be this network's.

    Raises:
        ValueError: for another side, or a width that leaves no channel.
    """

    def __init__(self, image_size: int, *, width: float = 1.0, weights: Path | None = None):
        super().__init__()
        if image_size % 16:
            raise ValueError(f"image_size {image_size}: heatmaps are halved four times; expected a multiple of 16")
        channels = tuple(round(level * width) for level in CHANNELS)
        if channels[0] < 1:
            raise ValueError(f"width {width} leaves the first level no channel; expected at least {1 / CHANNELS[0]}")
        self.image_size = image_size
        self.map_shape = (channels[-1], image_size // 16, image_size // 16)
        self.embedding_width = None
        self.stem = Convolution(3, channels[0], 6, stride=2)  # every pixel's place within its cell goes in
        self.hourglass = Hourglass(channels)
        self.head = IntegralHead(channels[0], image_size // 2)
        if weights is not None:
            load_exact(self, weights)

    def forward(self, image: Tensor) -> NetworkOutput:
        """image [B, 3, H, W] in [-1, 1] -> map [B, C, H / 16, W / 16] and points [B, 68, 2] px."""
        features, deepest = self.hourglass(F.relu(self.stem(image)))
        return NetworkOutput(map=deepest, points=self.head(features) * self.image_size)


def grid(side: int, margin: int) -> Tensor:
    """Centres (x, y) of the cells of a picture ``side`` cells wide and ``margin`` more at each edge, row by row.

    [(side + 2 margin)^2, 2], in sides of the picture.
    """
    at = (torch.arange(-margin, side + margin) + 0.5) / side
    y, x = torch.meshgrid(at, at, indexing="ij")
    return torch.stack([x, y], -1).flatten(0, 1)
