"""Where, as tokens: the feature map of a landmark network."""

import torch
from torch import Tensor, nn

from palsykit.interfaces import Encoded, FaceView, Network, TokenSpec


class LandmarkEncoder(nn.Module):
    """CFCPalsy's landmark condition (arXiv:2409.07271): one token a position of MobileFaceNet's map.

    The released code views [B, 512, 7, 7] as [B, 49, 512] and so mixes channels and positions; here position p's
    channels are token p's. As for identity we add a LayerNorm, a learnt positional embedding, and a linear map where
    ``width`` is not the map's.

    Args:
        image_size: side of the images in px; the network's own.
        network: which network reads the picture.
        width: width of the tokens.
    """

    def __init__(self, image_size: int, *, network: Network | str = "points", width: int = 512):
        super().__init__()
        assert not isinstance(network, str)  # core hands over the network that the recipe names
        channels, height, columns = network.map_shape
        self.network = network
        self.spec = TokenSpec(height * columns, width)
        self.norm = nn.LayerNorm(channels)
        self.project = nn.Linear(channels, width) if channels != width else nn.Identity()
        self.position = nn.Parameter(torch.randn(1, height * columns, width) * 0.02)

    def extract(self, view: FaceView) -> dict[str, Tensor]:
        """{"map": [B, C, h, w]}."""
        return {"map": self.network(view.image).map}

    def forward(self, features: dict[str, Tensor]) -> Encoded:
        """Tokens [B, h * w, W], row by row of the map; no pooled vector."""
        positions = features["map"].flatten(2).transpose(1, 2)  # (B, C, h, w) -> (B, h * w, C)
        return Encoded(self.project(self.norm(positions)) + self.position)
