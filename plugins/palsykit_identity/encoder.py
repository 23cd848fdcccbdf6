"""Who, as tokens: the feature map of a face-recognition network."""

from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from palsykit.interfaces import Encoded, FaceView, Guess, Network, TokenSpec


class IdentityEncoder(nn.Module):
    """CFCPalsy's identity condition (arXiv:2409.07271): one token a position of the map.

    At 112 px IR-50's 7 x 7 x 512 map gives 49 tokens of width 512; the embedding, L2-normalised and
    multiplied by the square root of its width, is the pooled vector. We add what makes tokens comparable and
    tells them apart: a LayerNorm and a learnt positional embedding, and a linear map where ``width`` is not the map's.

    A recognition network is trained to forget light and much of the colour, which a picture of the person needs; a
    pretrained generator, which the paper starts from, has seen enough faces to guess them. With ``picture`` the
    denoiser sees the identity picture itself beside the noisy one (image-to-image diffusion: Saharia et al., Palette,
    arXiv:2111.05826), so that hair, skin and light need not be guessed. With ``guess`` the denoiser corrects it
    (palsykit.diffusion.guess), which is for models whose landmark condition bends no picture.

    Args:
        image_size: side of the images in px; the network's own.
        network: which network reads the picture; it must give an embedding.
        width: width of the tokens.
        picture: whether the picture goes along as a map; the paper's does not.
        guess: how far the picture is from the one to be made, root mean squared in [-1, 1], to have it corrected.

    Raises:
        ValueError: where the network gives no embedding; for a guess without a picture.
    """

    def __init__(
        self,
        image_size: int,
        *,
        network: Network | str = "recognition",
        width: int = 512,
        picture: bool = False,
        guess: Annotated[float, Field(gt=0)] | None = None,
    ):
        super().__init__()
        assert not isinstance(network, str)  # core hands over the network that the recipe names
        if network.embedding_width is None:
            raise ValueError("the identity encoder's network gives no embedding; name a face-recognition network")
        if guess is not None and not picture:
            raise ValueError(f"identity: found guess: {guess:g} and picture: false; expected picture: true, the guess")
        channels, height, columns = network.map_shape
        self.network, self.picture, self.guess = network, picture, guess
        self.spec = TokenSpec(
            height * columns, width, network.embedding_width, spatial=3 if picture else 0, guess=guess is not None
        )
        self.norm = nn.LayerNorm(channels)
        self.project = nn.Linear(channels, width) if channels != width else nn.Identity()
        self.position = nn.Parameter(torch.randn(1, self.spec.tokens, width) * 0.02)

    def extract(self, view: FaceView) -> dict[str, Tensor]:
        """{"map": [B, C, h, w], "embedding": [B, D] of length 1}, and as asked for "picture" [B, 3, H, W]."""
        output = self.network(view.image)
        assert output.embedding is not None
        features = {"map": output.map, "embedding": F.normalize(output.embedding, dim=-1)}
        if self.picture:
            features["picture"] = view.image
        return features

    def forward(self, features: dict[str, Tensor]) -> Encoded:
        """Tokens [B, h * w, W], row by row; pooled [B, D] of length sqrt(D); picture and guess as asked for."""
        positions = features["map"].flatten(2).transpose(1, 2)  # (B, C, h, w) -> (B, h * w, C)
        # a unit vector of D entries is 1 / sqrt(D) in each: too faint beside a time embedding of order 1
        pooled = features["embedding"] * features["embedding"].shape[-1] ** 0.5
        picture, guess = features.get("picture"), None
        if self.guess is not None:
            assert picture is not None  # said when built
            guess = Guess(picture, torch.full_like(picture[:, 0, 0, 0], self.guess))
        return Encoded(self.project(self.norm(positions)) + self.position, pooled, picture, guess)
