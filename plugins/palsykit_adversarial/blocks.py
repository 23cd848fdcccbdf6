"""Residual blocks whose normalised features a vector scales and shifts."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

GROUPS = 8
"""Groups of channels that a normalisation takes together: every number of channels is a multiple."""


class Modulated(nn.Module):
    """Group normalisation, then x (1 + scale) + shift, channel by channel, both linear in a vector.

    StarGAN v2's AdaIN (arXiv:1912.01865) normalises every channel by itself, which forgets how bright skin is beside
    the background; groups keep that. The scaling and shifting is FiLM's (Perez et al., arXiv:1709.07871).

    Args:
        channels: C of the features.
        vector: V, the width of the vector; None for scales and shifts that are learnt alone.
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
    """Two convolutions beside a shortcut, each after a modulation and a SiLU (He et al., arXiv:1603.05027).

    Args:
        inner: channels of what comes in.
        outer: channels of what goes out.
        vector: width of the modulating vector, or None.
        size: "down" halves height and width by means, "up" doubles them by repetition, "same" keeps them. The first
            convolution is at the smaller size either way, where it costs a quarter.
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
        result: Tensor = (x + y) * 0.5**0.5  # a sum of two has twice the variance
        return result


def joined(*maps: Tensor | None) -> Tensor:
    """Maps [B, C_i, H, W] beside one another, what is None left out."""
    return torch.cat([found for found in maps if found is not None], dim=1)
