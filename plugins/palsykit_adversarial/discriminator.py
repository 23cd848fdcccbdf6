"""The discriminator: scores how real each patch of a picture looks, given the conditions."""

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from palsykit import Conditioning, ConditioningSpec
from palsykit_adversarial.blocks import joined

SLOPE = 0.2


class PatchDiscriminator(nn.Module):
    """pix2pix's discriminator (arXiv:1611.07004): a score for each patch of a picture, given what it was made from.

    Its input is the picture, the identity picture and the conditions' maps, concatenated along the channels. The
    conditions' vector v enters by projection, score = w . h + (V v) . h (Miyato and Koyama, arXiv:1802.05637). With
    three layers a patch is 38 x 38 px (pix2pix: 70 x 70 of 256). There is no batch normalisation: with it a score would
    depend on the other pictures of the batch, and the gradient penalty would not belong to one picture
    (arXiv:1704.00028, section 4). Weights are initialised as in StarGAN v2 (He et al., arXiv:1502.01852).

    Args:
        spec: the generator's description of its conditions.
        channels: of the layers; each layer halves height and width.
    """

    def __init__(self, spec: ConditioningSpec, channels: Sequence[int]):
        super().__init__()
        widths = [3 + 3 + spec.spatial, *channels]
        self.layers = nn.ModuleList(
            nn.Conv2d(before, after, 4, stride=2, padding=1) for before, after in pairwise(widths)
        )
        self.features = nn.Conv2d(channels[-1], channels[-1], 3, padding=1)
        self.score = nn.Conv2d(channels[-1], 1, 1)
        for layer in (*self.layers, self.features, self.score):
            # With PyTorch's default initialisation the signal shrinks from layer to layer, and scores hardly differ.
            nn.init.kaiming_normal_(cast(nn.Conv2d, layer).weight, a=SLOPE)
        self.project = None if spec.pooled_width is None else nn.Linear(spec.pooled_width, channels[-1], bias=False)

    def forward(self, picture: Tensor, identity: Tensor, conditioning: Conditioning) -> Tensor:
        """Picture and identity [B, 3, H, W] -> scores [B, 1, h, w]; above 0 means "looks real"."""
        x = joined(picture, identity, conditioning.spatial)
        for layer in self.layers:
            x = F.leaky_relu(layer(x), SLOPE)
        x = F.leaky_relu(self.features(x), SLOPE)
        scores: Tensor = self.score(x)
        if self.project is None or conditioning.pooled is None:
            return scores
        direction = self.project(conditioning.pooled)[..., None, None] / x.shape[1] ** 0.5
        scores = scores + (direction * x).sum(1, keepdim=True)
        return scores


def slope(scores: Tensor, picture: Tensor) -> Tensor:
    """The R1 penalty (Mescheder et al., arXiv:1801.04406): mean over rows of |d score / d picture|^2, a scalar.

    Its weight is not included. The score of a row is the mean over its patches.

    Args:
        scores: [B, 1, h, w] of ``picture``, with a graph.
        picture: [B, 3, H, W], with requires_grad.
    """
    rows = scores.float().mean((1, 2, 3)).sum()
    (gradient,) = torch.autograd.grad(rows, picture, create_graph=True)
    return gradient.float().square().sum((1, 2, 3)).mean()
