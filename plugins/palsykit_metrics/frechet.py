"""The Frechet distance between Gaussians fitted to two sets of features."""

import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance


class Given(nn.Module):
    """The feature extractor that torchmetrics asks for, where the features are there already."""

    def __init__(self, width: int):
        super().__init__()
        self.num_features = width

    def forward(self, features: Tensor) -> Tensor:
        """[B, D] -> [B, D]."""
        return features


def frechet(real: Tensor, generated: Tensor) -> float:
    """||m1 - m2||^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) of features [N, D] and [M, D], by torchmetrics in float64."""
    # one process measures; the others of a distributed training are gone by then
    distance = FrechetInceptionDistance(feature=Given(real.shape[1]), sync_on_compute=False).set_dtype(torch.float64)
    distance.update(real.double(), real=True)
    distance.update(generated.double(), real=False)
    with torch.no_grad():
        return float(distance.compute())
