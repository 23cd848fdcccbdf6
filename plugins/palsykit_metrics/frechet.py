"""The Frechet distance between Gaussians fitted to two sets of features, by torchmetrics and, faster, by us."""

import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance


class Precomputed(nn.Module):
    """The feature extractor that torchmetrics requires, for features that are already computed."""

    def __init__(self, width: int):
        super().__init__()
        self.num_features = width

    def forward(self, features: Tensor) -> Tensor:
        """[B, D] -> [B, D]."""
        return features


def frechet(real: Tensor, generated: Tensor) -> float:
    """||m1 - m2||^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) of features [N, D] and [M, D], by torchmetrics in float64."""
    # Only one process measures; do not wait for the others of a distributed training, which have ended.
    extractor = Precomputed(real.shape[1])
    distance = FrechetInceptionDistance(feature=extractor, sync_on_compute=False).set_dtype(torch.float64)
    distance.update(real.double(), real=True)
    distance.update(generated.double(), real=False)
    with torch.no_grad():
        return float(distance.compute())


def frechet_of_few(real: Tensor, generated: Tensor) -> float:
    """Equal to ``frechet`` up to rounding, but fast enough for a bootstrap's hundreds of samples of few pictures.

    With centred features A [N, D] and B [M, D], C1 C2 = A'A B'B / ((N - 1)(M - 1)) has the nonzero eigenvalues of
    (A B')(A B')' / ((N - 1)(M - 1)), so tr((C1 C2)^(1/2)) is the sum of the singular values of A B' [N, M], divided by
    sqrt((N - 1)(M - 1)). docs/lab-notes.md has the times, and how much the two differ on the benchmark's pictures.
    """
    if max(len(real), len(generated)) > real.shape[1]:
        return frechet(real, generated)
    means = [part.double().mean(0) for part in (real, generated)]
    a, b = (part - mean for part, mean in zip((real, generated), means, strict=True))
    between = (means[0] - means[1]).square().sum()
    spread = a.square().sum() / (len(a) - 1) + b.square().sum() / (len(b) - 1)
    shared = torch.linalg.svdvals(a @ b.T).sum() / ((len(a) - 1) * (len(b) - 1)) ** 0.5
    return float(between + spread - 2 * shared)
