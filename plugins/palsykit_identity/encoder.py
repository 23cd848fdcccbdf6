"""The identity condition: the feature map of a face-recognition network, as tokens."""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from palsykit.interfaces import Encoded, FaceView, Network, TokenSpec
from palsykit.recipe.ranges import Width


class IdentityEncoder(nn.Module):
    """CFCPalsy's identity condition (arXiv:2409.07271): one token per position of the map.

    At 112 px, IR-50's 7 x 7 x 512 map gives 49 tokens of width 512. The pooled vector is the embedding, L2-normalised
    and multiplied by the square root of its width. We add a LayerNorm, a learnt positional embedding, and a linear map
    if ``width`` differs from the map's.

    Args:
        image_size: side of the images in px, as the network has it.
        network: the network that reads the picture; it must give an embedding.
        width: width of the tokens.

    Raises:
        ValueError: the network gives no embedding.
    """

    former_keys: ClassVar[dict[str, str]] = {
        "picture": "maps: {picture: {use: photograph, of: identity, drops_with: identity}} shows it",
        "guess": "error: at the map picture makes it the guess",
    }

    def __init__(
        self,
        image_size: int,
        *,
        network: Network | str = "recognition",
        width: Width = 512,
    ):
        super().__init__()
        assert not isinstance(network, str)  # core replaces the name by the recipe's network
        if network.embedding_width is None:
            raise ValueError("the identity encoder's network gives no embedding; name a face-recognition network")
        channels, height, columns = network.map_shape
        self.network = network
        self.spec = TokenSpec(height * columns, width, network.embedding_width)
        self.norm = nn.LayerNorm(channels)
        self.project = nn.Linear(channels, width) if channels != width else nn.Identity()
        self.position = nn.Parameter(torch.randn(1, self.spec.tokens, width) * 0.02)

    def extract(self, view: FaceView) -> dict[str, Tensor]:
        """{"map": [B, C, h, w], "embedding": [B, D] of length 1}."""
        output = self.network(view.image)
        assert output.embedding is not None
        return {"map": output.map, "embedding": F.normalize(output.embedding, dim=-1)}

    def forward(self, features: dict[str, Tensor]) -> Encoded:
        """Tokens [B, h * w, W], row by row; pooled [B, D] of length sqrt(D)."""
        positions = features["map"].flatten(2).transpose(1, 2)  # (B, C, h, w) -> (B, h * w, C)
        # The entries of a unit vector are about 1 / sqrt(D): too small to add to a time embedding of order 1.
        pooled = features["embedding"] * features["embedding"].shape[-1] ** 0.5
        return Encoded(self.project(self.norm(positions)) + self.position, pooled)
