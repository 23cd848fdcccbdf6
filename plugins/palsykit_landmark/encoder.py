"""Where, as tokens: the feature map of a landmark network."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from palsykit.faces.landmarks import COUNT
from palsykit.faces.warping import retargeted, warp
from palsykit.interfaces import Encoded, FaceView, Guess, Network, TokenSpec
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

    With ``warp`` a second view, the identity photograph (the condition's key ``beside: [identity]``), is bent until its
    landmarks lie where the driver's do (palsykit.faces.warping) and lies beside the noisy picture: what moves has moved
    already, and the denoiser adds what a warp cannot, such as teeth, shut lids and folds (as warping by sparse points
    and then generating does: Siarohin et al., First Order Motion Model, arXiv:2003.00196). The driver's points are then
    laid on the identity's face, for tokens and lines, too: where the driver's head was, and how large, says nothing of
    the expression. With ``beside: [identity, rest]`` the identity's landmarks move as the driver's have moved from the
    driver's person at rest, where a batch has that. With ``guess`` the bent picture is what the denoiser corrects
    (palsykit.diffusion.guess).

    Args:
        image_size: side of the images in px; the network's own.
        network: which network reads the picture.
        width: width of the tokens.
        points: whether the found points are tokens too; the paper's are the map alone.
        outlines: whether they are drawn as maps; the paper's are not.
        warp: whether the bent picture of the view beside is a map; the paper has none.
        guess: the root mean squared error of the bent picture, in [-1, 1], to have it corrected; null: it is a map.

    Raises:
        ValueError: for points from a network that finds none; for a warp without a view beside, and a view beside
            without a warp; for a guess without a warp.
    """

    def __init__(
        self,
        image_size: int,
        *,
        network: Network | str = "points",
        width: int = 512,
        points: bool = False,
        outlines: bool = False,
        warp: bool = False,
        guess: Annotated[float, Field(gt=0)] | None = None,
    ):
        super().__init__()
        assert not isinstance(network, str)  # core hands over the network that the recipe names
        channels, height, columns = network.map_shape
        if guess is not None and not warp:
            raise ValueError(
                f"landmark: found guess: {guess:g} and warp: false; expected warp: true, for it is the guess"
            )
        self.network, self.image_size = network, image_size
        self.outlines, self.warp, self.guess = outlines, warp, guess
        tokens = height * columns + (COUNT if points else 0)
        self.spec = TokenSpec(tokens, width, spatial=len(drawing.PARTS) * outlines + 3 * warp, guess=guess is not None)
        self.norm = nn.LayerNorm(channels)
        self.project = nn.Linear(channels, width) if channels != width else nn.Identity()
        self.embed = nn.Linear(4 * FREQUENCIES, width) if points else None
        self.position = nn.Parameter(torch.randn(1, self.spec.tokens, width) * 0.02)

    def extract(
        self, view: FaceView, beside: FaceView | None = None, rest: FaceView | None = None
    ) -> dict[str, Tensor]:
        """{"map": [B, C, h, w]}; where asked for "points" [B, 68, 2] px; the pictures of the view ``beside`` and more.

        Of ``beside``, "picture" [B, 3, H, W] and its points "own"; of ``rest``, its points "still".
        """
        if (beside is not None) != self.warp:
            found = "no view beside the driver's" if beside is None else "a view beside the driver's and warp: false"
            raise ValueError(f"landmark: found {found}; expected warp: true with beside: [identity], or neither")
        output = self.network(view.image)
        if self.embed is None and not self.outlines and beside is None:
            return {"map": output.map}
        features = {"map": output.map, "points": self._required(output.points)}
        if beside is not None:
            own = self._required(self.network(beside.image).points)
            features |= {"picture": beside.image, "own": own}
        if rest is not None:
            features["still"] = self._required(self.network(rest.image).points)
        return features

    def forward(self, features: dict[str, Tensor]) -> Encoded:
        """Tokens [B, h * w (+ 68), W], row by row of the map (then the points); maps [B, 7 + 3, H, W] as asked for."""
        positions = features["map"].flatten(2).transpose(1, 2)  # (B, C, h, w) -> (B, h * w, C)
        tokens = self.project(self.norm(positions))
        points = features.get("points")
        if self.warp:
            points = retargeted(features["points"], features["own"], features.get("still")).float()
        if self.embed is not None:
            assert points is not None
            tokens = torch.cat([tokens, self.embed(_waves(points / self.image_size))], dim=1)
        maps, guess = [], None
        if self.outlines:
            assert points is not None
            maps.append(drawing.outlines(points, self.image_size))
        if self.warp:
            assert points is not None
            bent = warp(features["picture"], features["own"], points)
            maps.append(bent)
            if self.guess is not None:
                guess = Guess(bent, torch.full_like(bent[:, 0, 0, 0], self.guess))
        return Encoded(tokens + self.position, spatial=torch.cat(maps, 1) if maps else None, guess=guess)

    @staticmethod
    def _required(points: Tensor | None) -> Tensor:
        if points is None:
            raise ValueError(
                "the landmark encoder's network finds no points; name one that does, or set points, outlines and warp: "
                "false"
            )
        return points


def _waves(points: Tensor) -> Tensor:
    """Points [B, N, 2], the picture's side being 1 -> sin and cos of pi 2^k (2 x - 1), k < FREQUENCIES: [B, N, 4 K]."""
    octaves = torch.pi * 2.0 ** torch.arange(FREQUENCIES, device=points.device, dtype=points.dtype)
    angles = ((2 * points - 1)[..., None] * octaves).flatten(-2)
    return torch.cat([angles.sin(), angles.cos()], dim=-1)
