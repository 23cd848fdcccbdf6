"""Who, as tokens: the feature map of a face-recognition network."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from palsykit.interfaces import Encoded, FaceView, Network, TokenSpec


class IdentityEncoder(nn.Module):
    """CFCPalsy's identity condition (arXiv:2409.07271): one token a position of the map.

    At 112 px IR-50's 7 x 7 x 512 map gives 49 tokens of width 512; the embedding, L2-normalised and
    multiplied by the square root of its width, is the pooled vector. We add what makes tokens comparable and
    tells them apart: a LayerNorm and a learnt positional embedding, and a linear map where ``width`` is not the map's.

    A recognition network is trained to forget light and much of the colour, which a picture of the person needs; a
    pretrained generator, which the paper starts from, has seen enough faces to guess them. With ``patch`` the picture's
    own patches join as tokens (Dosovitskiy et al., arXiv:2010.11929), so that they need not be guessed.

    Args:
        image_size: side of the images in px; the network's own.
        network: which network reads the picture; it must give an embedding.
        width: width of the tokens.
        patch: side in px of patches that become tokens too, a divisor of ``image_size``; the paper has none: null.

    Raises:
        ValueError: where the network gives no embedding, or patches of this side do not tile the picture.
    """

    def __init__(
        self, image_size: int, *, network: Network | str = "recognition", width: int = 512, patch: int | None = None
    ):
        super().__init__()
        assert not isinstance(network, str)  # core hands over the network that the recipe names
        if network.embedding_width is None:
            raise ValueError("the identity encoder's network gives no embedding; name a face-recognition network")
        channels, height, columns = network.map_shape
        if patch is not None and (patch < 1 or image_size % patch):
            raise ValueError(f"patches of {patch} px do not tile a picture of {image_size} px; expected a divisor")
        self.network, self.patch = network, patch
        patches = 0 if patch is None else (image_size // patch) ** 2
        self.spec = TokenSpec(height * columns + patches, width, network.embedding_width)
        self.norm = nn.LayerNorm(channels)
        self.project = nn.Linear(channels, width) if channels != width else nn.Identity()
        self.embed = None if patch is None else nn.Linear(3 * patch**2, width)
        self.position = nn.Parameter(torch.randn(1, self.spec.tokens, width) * 0.02)

    def extract(self, view: FaceView) -> dict[str, Tensor]:
        """{"map": [B, C, h, w], "embedding": [B, D] of length 1}, and with patches "patches" [B, N, 3 * patch^2]."""
        output = self.network(view.image)
        assert output.embedding is not None
        features = {"map": output.map, "embedding": F.normalize(output.embedding, dim=-1)}
        if self.patch is not None:
            features["patches"] = F.unfold(view.image, self.patch, stride=self.patch).transpose(1, 2)
        return features

    def forward(self, features: dict[str, Tensor]) -> Encoded:
        """Tokens [B, h * w (+ N), W], row by row of the map (then the patches); pooled [B, D] of length sqrt(D)."""
        positions = features["map"].flatten(2).transpose(1, 2)  # (B, C, h, w) -> (B, h * w, C)
        # a unit vector of D entries is 1 / sqrt(D) in each: too faint beside a time embedding of order 1
        pooled = features["embedding"] * features["embedding"].shape[-1] ** 0.5
        tokens = self.project(self.norm(positions))
        if self.embed is not None:
            tokens = torch.cat([tokens, self.embed(features["patches"])], dim=1)
        return Encoded(tokens + self.position, pooled)
