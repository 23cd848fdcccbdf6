"""What a frozen network sees in a picture, as tokens."""

from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from palsykit.interfaces import Encoded, FaceView, Network, TokenSpec

Positive = Annotated[int, Field(ge=1)]


class FeatureEncoder(nn.Module):
    """Frozen features -> trainable projection, of any network: CLIP, DINOv2, a ViT, ArcFace.

    A position of the map becomes a token by a LayerNorm and a linear map, as patch features condition IP-Adapter Plus;
    the embedding becomes ``embedding_tokens`` tokens by a linear map and a LayerNorm, as in IP-Adapter
    (arXiv:2308.06721), which has four. We add a learnt positional embedding. Which face it looks at is the condition's
    ``source`` in the recipe.

    Args:
        image_size: side of the images in px; the network resizes them to its own.
        network: which network looks.
        tokens: made from the map's patches, from the embedding, or from both (the patches first).
        grid: side to which the map is averaged (adaptive average pooling) before it is kept, so that a ViT's 256
            patches do not become 256 tokens; None leaves it as it is.
        width: width of the tokens.
        embedding_tokens: how many the embedding becomes.
        pooled: width of a pooled vector projected from the embedding; None for none.

    Raises:
        ValueError: the network gives no embedding and one is asked for; the map is smaller than ``grid``.
    """

    def __init__(
        self,
        image_size: int,
        *,
        network: Network | str = "recognition",
        tokens: Literal["patches", "embedding", "both"] = "patches",
        grid: Positive | None = None,
        width: Positive = 512,
        embedding_tokens: Positive = 4,
        pooled: Positive | None = None,
    ):
        super().__init__()
        assert not isinstance(network, str)  # core hands over the network that the recipe names
        self.network, self.grid = network, grid
        self.of_patches, self.of_embedding = tokens != "embedding", tokens != "patches"
        channels, height, columns = network.map_shape
        vector = _vector(network, self.of_embedding or pooled is not None)
        if grid is not None and grid > min(height, columns):
            raise ValueError(
                f"features: grid {grid}, but the network's map is {height} x {columns}; give less, or null"
            )
        count = (grid or height) * (grid or columns) if self.of_patches else 0
        self.counts = (count, embedding_tokens if self.of_embedding else 0)
        self.spec = TokenSpec(sum(self.counts), width, pooled)
        self.patches = nn.Sequential(nn.LayerNorm(channels), nn.Linear(channels, width)) if self.of_patches else None
        self.vector = nn.Linear(vector, width * embedding_tokens) if self.of_embedding else None
        self.norm = nn.LayerNorm(width) if self.of_embedding else None
        self.pool = nn.Linear(vector, pooled) if pooled is not None else None
        self.position = nn.Parameter(torch.randn(1, self.spec.tokens, width) * 0.02)

    def extract(self, view: FaceView) -> dict[str, Tensor]:
        """{"map": [B, C, h, w], "embedding": [B, D] of length 1}, each where it is used."""
        output = self.network(view.image)
        features = {}
        if self.of_patches:
            features["map"] = output.map if self.grid is None else F.adaptive_avg_pool2d(output.map, self.grid)
        if self.of_embedding or self.pool is not None:
            assert output.embedding is not None
            features["embedding"] = F.normalize(output.embedding, dim=-1)
        return features

    def forward(self, features: dict[str, Tensor]) -> Encoded:
        """Tokens [B, T, W]: the map's, row by row, then the embedding's; pooled [B, P] or None."""
        tokens, pooled = [], None
        if self.patches is not None:
            tokens.append(self.patches(features["map"].flatten(2).transpose(1, 2)))  # (B, C, h, w) -> (B, h * w, C)
        if "embedding" in features:
            # a unit vector of D entries is 1 / sqrt(D) in each; back to order 1
            vector = features["embedding"] * features["embedding"].shape[-1] ** 0.5
            if self.vector is not None and self.norm is not None:
                tokens.append(self.norm(self.vector(vector).unflatten(-1, (self.counts[1], self.spec.width))))
            pooled = None if self.pool is None else self.pool(vector)
        return Encoded(torch.cat(tokens, dim=1) + self.position, pooled)


def _vector(network: Network, needed: bool) -> int:
    """The embedding's width; 0 where none is needed and there is none."""
    if needed and network.embedding_width is None:
        name = getattr(network, "name", type(network).__name__)
        raise ValueError(
            f"features: network {name!r} gives no embedding; take tokens: patches and pooled: null, or name another"
        )
    return network.embedding_width or 0
