"""Residual blocks; a vector scales and shifts their normalised features."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

GROUPS = 8
"""Number of channel groups of a normalisation; every number of channels is a multiple of it."""


class Modulated(nn.Module):
    """Group normalisation, then x (1 + scale) + shift per channel; scale and shift are linear in a vector.

    StarGAN v2's AdaIN (arXiv:1912.01865) normalises every channel separately, which loses how bright skin is compared
    with the background; groups keep this. Scale and shift are those of FiLM (Perez et al., arXiv:1709.07871).

    Args:
        channels: C of the features.
        vector: V, the width of the vector; None for learnt scales and shifts that depend on no vector.
    """

    def __init__(self, channels: int, vector: int | None):
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, channels, affine=vector is None)
        self.affine = None if vector is None else nn.Linear(vector, 2 * channels)

    def forward(self, x: Tensor, vector: Tensor | None) -> Tensor:
        """x [B, C, H, W], vector [B, V] -> [B, C, H, W]."""
        x = self.norm(x)
        if self.affine is None or vector is None:
            return x
        scale, shift = self.affine(vector)[..., None, None].chunk(2, dim=1)
        modulated: Tensor = x * (1 + scale) + shift
        return modulated


class Residual(nn.Module):
    """Two convolutions with a shortcut, each after a modulation and a SiLU (He et al., arXiv:1603.05027).

    Args:
        inner: channels of the input.
        outer: channels of the output.
        vector: width of the modulating vector, or None.
        size: "down" halves height and width by averaging, "up" doubles them by repetition, "same" keeps them. The first
            convolution always has the smaller size, where it costs a quarter.
    """

    def __init__(self, inner: int, outer: int, vector: int | None = None, size: str = "same"):
        super().__init__()
        self.size = size
        self.before, self.between = Modulated(inner, vector), Modulated(outer, vector)
        self.first = nn.Conv2d(inner, outer, 3, padding=1)
        self.second = nn.Conv2d(outer, outer, 3, padding=1)
        self.shortcut = nn.Conv2d(inner, outer, 1) if inner != outer else nn.Identity()

    def forward(self, x: Tensor, vector: Tensor | None = None) -> Tensor:
        """x [B, inner, H, W], vector [B, V] -> [B, outer, H', W']."""
        y = F.silu(self.before(x, vector))
        if self.size == "down":
            x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
        x, y = self.shortcut(x), self.first(y)
        if self.size == "up":
            x, y = (F.interpolate(map_, scale_factor=2, mode="nearest") for map_ in (x, y))
        y = self.second(F.silu(self.between(y, vector)))
        result: Tensor = (x + y) * 0.5**0.5  # the sum of two has twice the variance
        return result


def joined(*maps: Tensor | None) -> Tensor:
    """Concatenate maps [B, C_i, H, W] along the channels; None is skipped."""
    return torch.cat([map_ for map_ in maps if map_ is not None], dim=1)
