"""A frozen network's features of a picture, as tokens."""

from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from palsykit.interfaces import Encoded, FaceView, Network, TokenSpec

Positive = Annotated[int, Field(ge=1)]


class FeatureEncoder(nn.Module):
    """Frozen features of any network (CLIP, DINOv2, a ViT, ArcFace), with a trainable projection to tokens.

    Each position of the map becomes a token by a LayerNorm and a linear map, like patch features in IP-Adapter Plus.
    The embedding becomes ``embedding_tokens`` tokens by a linear map and a LayerNorm, as in IP-Adapter
    (arXiv:2308.06721), which has four. We add a learnt positional embedding. The condition's ``source`` in the recipe
    selects the face.

    Args:
        image_size: side of the images in px; the network resizes them.
        network: the network that gives the features.
        tokens: from the map's patches, from the embedding, or from both (the patches first).
        grid: side to which the map is averaged (adaptive average pooling) before it is cached, so that a ViT's 256
            patches do not become 256 tokens; None for no averaging.
        width: width of the tokens.
        embedding_tokens: number of tokens from the embedding.
        pooled: width of a pooled vector projected from the embedding; None for no pooled vector.

    Raises:
        ValueError: an embedding is needed and the network gives none, or the map is smaller than ``grid``.
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
        assert not isinstance(network, str)  # core replaces the name by the recipe's network
        self.network, self.grid = network, grid
        self.of_patches, self.of_embedding = tokens != "embedding", tokens != "patches"
        channels, height, columns = network.map_shape
        vector = _vector(network, self.of_embedding or pooled is not None)
        if grid is not None and grid > min(height, columns):
            raise ValueError(
                f"features: grid {grid}, but the network's map is {height} x {columns}; set a smaller grid, or null"
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
        """{"map": [B, C, h, w], "embedding": [B, D] of length 1}; what is not used is left out."""
        output = self.network(view.image)
        features = {}
        if self.of_patches:
            features["map"] = output.map if self.grid is None else F.adaptive_avg_pool2d(output.map, self.grid)
        if self.of_embedding or self.pool is not None:
            assert output.embedding is not None
            features["embedding"] = F.normalize(output.embedding, dim=-1)
        return features

    def forward(self, features: dict[str, Tensor]) -> Encoded:
        """Tokens [B, T, W]: from the map, row by row, then from the embedding; pooled [B, P] or None."""
        tokens, pooled = [], None
        if self.patches is not None:
            tokens.append(self.patches(features["map"].flatten(2).transpose(1, 2)))  # (B, C, h, w) -> (B, h * w, C)
        if "embedding" in features:
            # The entries of a unit vector are about 1 / sqrt(D); scale them to about 1.
            vector = features["embedding"] * features["embedding"].shape[-1] ** 0.5
            if self.vector is not None and self.norm is not None:
                tokens.append(self.norm(self.vector(vector).unflatten(-1, (self.counts[1], self.spec.width))))
            pooled = None if self.pool is None else self.pool(vector)
        return Encoded(torch.cat(tokens, dim=1) + self.position, pooled)


def _vector(network: Network, needed: bool) -> int:
    """The embedding's width; 0 if there is none and none is needed.

    Raises:
        ValueError: an embedding is needed and the network gives none.
    """
    if needed and network.embedding_width is None:
        name = getattr(network, "name", type(network).__name__)
        raise ValueError(
            f"features: network {name!r} gives no embedding; set tokens: patches and pooled: null, or name another"
        )
    return network.embedding_width or 0
