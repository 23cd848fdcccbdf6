"""Where, as tokens: the feature map of a landmark network."""

import torch
from torch import Tensor, nn

from palsykit.faces.landmarks import COUNT
from palsykit.interfaces import Encoded, FaceView, Network, TokenSpec
from palsykit_landmark import outlines as drawing

FREQUENCIES = 5
"""Octaves of the points' coordinates; the shortest wave is an eighth of the picture's side."""


class LandmarkEncoder(nn.Module):
    """CFCPalsy's landmark condition (arXiv:2409.07271): one token a position of MobileFaceNet's map.

    The released code views [B, 512, 7, 7] as [B, 49, 512] and so mixes channels and positions; here position p's
    channels are token p's. As for identity we add a LayerNorm, a learnt positional embedding, and a linear map where
    ``width`` is not the map's.

    With ``points`` the 68 points that the network finds join as tokens: sines and cosines of both coordinates
    (Mildenhall et al., arXiv:2003.08934) and a learnt vector for which point it is. A map of 4 x 4 positions, which
    64 px give, says little about where the corner of a mouth is.

    With ``outlines`` the points are drawn, too: lines of brows, lids, nose, lips and jaw lie beside the noisy picture,
    as adapters for diffusion models give a pose or a sketch (T2I-Adapter, Mou et al., arXiv:2302.08453). That a token
    is a place has to be learnt; a line is in its place.

    Args:
        image_size: side of the images in px; the network's own.
        network: which network reads the picture.
        width: width of the tokens.
        points: whether the found points are tokens too; the paper's are the map alone.
        outlines: whether they are drawn as maps; the paper's are not.

    Raises:
        ValueError: for points from a network that finds none.
    """

    def __init__(
        self,
        image_size: int,
        *,
        network: Network | str = "points",
        width: int = 512,
        points: bool = False,
        outlines: bool = False,
    ):
        super().__init__()
        assert not isinstance(network, str)  # core hands over the network that the recipe names
        channels, height, columns = network.map_shape
        self.network, self.image_size, self.outlines = network, image_size, outlines
        tokens = height * columns + (COUNT if points else 0)
        self.spec = TokenSpec(tokens, width, spatial=len(drawing.PARTS) if outlines else 0)
        self.norm = nn.LayerNorm(channels)
        self.project = nn.Linear(channels, width) if channels != width else nn.Identity()
        self.embed = nn.Linear(4 * FREQUENCIES, width) if points else None
        self.position = nn.Parameter(torch.randn(1, self.spec.tokens, width) * 0.02)

    def extract(self, view: FaceView) -> dict[str, Tensor]:
        """{"map": [B, C, h, w]}, and with points or outlines "points" [B, 68, 2] px."""
        output = self.network(view.image)
        if self.embed is None and not self.outlines:
            return {"map": output.map}
        if output.points is None:
            raise ValueError(
                "the landmark encoder's network finds no points; name one that does, or set points and outlines: false"
            )
        return {"map": output.map, "points": output.points}

    def forward(self, features: dict[str, Tensor]) -> Encoded:
        """Tokens [B, h * w (+ 68), W], row by row of the map (then the points); maps [B, 7, H, W]; no pooled vector."""
        positions = features["map"].flatten(2).transpose(1, 2)  # (B, C, h, w) -> (B, h * w, C)
        tokens = self.project(self.norm(positions))
        if self.embed is not None:
            tokens = torch.cat([tokens, self.embed(_waves(features["points"] / self.image_size))], dim=1)
        drawn = drawing.outlines(features["points"], self.image_size) if self.outlines else None
        return Encoded(tokens + self.position, spatial=drawn)


def _waves(points: Tensor) -> Tensor:
    """Points [B, N, 2], the picture's side being 1 -> sin and cos of pi 2^k (2 x - 1), k < FREQUENCIES: [B, N, 4 K]."""
    octaves = torch.pi * 2.0 ** torch.arange(FREQUENCIES, device=points.device, dtype=points.dtype)
    angles = ((2 * points - 1)[..., None] * octaves).flatten(-2)
    return torch.cat([angles.sin(), angles.cos()], dim=-1)
