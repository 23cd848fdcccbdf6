"""The landmark condition: the feature map of a landmark network, as tokens."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from palsykit.diffusion.points import driver_points
from palsykit.faces.landmarks import COUNT
from palsykit.interfaces import Encoded, FaceView, Network, TokenSpec
from palsykit.recipe.ranges import Width

FREQUENCIES = 5
"""Octaves of the points' coordinates; the shortest wave is an eighth of the picture's side."""


class LandmarkEncoder(nn.Module):
    """CFCPalsy's landmark condition (arXiv:2409.07271): one token per position of MobileFaceNet's map.

    The released code views [B, 512, 7, 7] as [B, 49, 512], which mixes channels and positions; here token p has the
    channels of position p. As for identity we add a LayerNorm, a learnt positional embedding, and a linear map if
    ``width`` differs from the map's.

    With ``points``, the 68 points that the network finds are additional tokens: sines and cosines of both coordinates
    (Mildenhall et al., arXiv:2003.08934) and a learnt vector per point. The reason: at 64 px the map has only 4 x 4
    positions, which say little about the position of a corner of the mouth. With the condition's key
    ``beside: [identity]`` the driver's points are fitted to the identity's face (palsykit.faces.warping.retarget),
    because position and size of the driver's head are not part of the expression. With ``beside: [identity, rest]`` the
    identity's points move as the driver's points have moved from their position at rest, if the batch has the driver's
    person at rest. Without ``points``, ``beside`` changes nothing.

    Args:
        image_size: side of the images in px, as the network has it.
        network: the network that reads the picture.
        width: width of the tokens.
        points: whether the points are tokens, too; the paper uses the map alone.

    Raises:
        ValueError: ``points`` is set, but the network finds no points.
    """

    former_keys: ClassVar[dict[str, str]] = {
        "outlines": "maps: {outlines: {use: outlines, of: driver, drops_with: landmark}} draws them; with a warp also "
        "laid_on: identity and rest: rest",
        "warp": "maps: {warped: {use: warped, rest: rest, drops_with: landmark}} bends the picture",
        "guess": "error: at the map warped makes it the guess",
    }

    def __init__(
        self,
        image_size: int,
        *,
        network: Network | str = "points",
        width: Width = 512,
        points: bool = False,
    ):
        super().__init__()
        assert not isinstance(network, str)  # core replaces the name by the recipe's network
        channels, height, columns = network.map_shape
        self.network, self.image_size = network, image_size
        self.spec = TokenSpec(height * columns + (COUNT if points else 0), width)
        self.norm = nn.LayerNorm(channels)
        self.project = nn.Linear(channels, width) if channels != width else nn.Identity()
        self.embed = nn.Linear(4 * FREQUENCIES, width) if points else None
        self.position = nn.Parameter(torch.randn(1, self.spec.tokens, width) * 0.02)

    def extract(
        self, view: FaceView, beside: FaceView | None = None, rest: FaceView | None = None
    ) -> dict[str, Tensor]:
        """{"map": [B, C, h, w]} and, if they are tokens, "points": [B, 68, 2] px, fitted to the face of ``beside``."""
        features = {"map": self.network(view.image).map}
        if self.embed is not None:
            features["points"] = driver_points(self.network, view, beside, rest)
        return features

    def forward(self, features: dict[str, Tensor]) -> Encoded:
        """Tokens [B, h * w (+ 68), W], row by row of the map (then the points)."""
        positions = features["map"].flatten(2).transpose(1, 2)  # (B, C, h, w) -> (B, h * w, C)
        tokens = self.project(self.norm(positions))
        if self.embed is not None:
            tokens = torch.cat([tokens, self.embed(_waves(features["points"] / self.image_size))], dim=1)
        return Encoded(tokens + self.position)


def _waves(points: Tensor) -> Tensor:
    """Points [B, N, 2] in image sides -> sin and cos of pi 2^k (2 x - 1), k < K = FREQUENCIES: [B, N, 4 K]."""
    octaves = torch.pi * 2.0 ** torch.arange(FREQUENCIES, device=points.device, dtype=points.dtype)
    angles = ((2 * points - 1)[..., None] * octaves).flatten(-2)
    return torch.cat([angles.sin(), angles.cos()], dim=-1)
