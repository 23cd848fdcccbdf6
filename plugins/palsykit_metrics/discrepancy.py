"""KID and CMMD: maximum mean discrepancies between the features of generated and true pictures."""

import math
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics.image.kid import poly_mmd

from palsykit.interfaces import FaceBatch, Images, MetricCard, Network
from palsykit.seeds import generator
from palsykit_metrics.features import count_pictures, extractor, read_features, true_and_generated

SIGMA, SCALE = 10.0, 1000.0
"""CMMD's kernel bandwidth, and the factor of its figure."""
PAIRED = (
    "unbiased for independent sets, so it may be below 0; here both sets show the same people, which lowers it "
    "further: compare systems with each other, not with 0"
)


class Kid:
    """Kernel distance (Binkowski et al., arXiv:1801.01401): unbiased squared MMD with the kernel (x y / D + 1)^3.

    The mean over ``subsets`` seeded draws, without replacement, of ``subset_size`` pictures of each kind, as in
    torch-fidelity and torchmetrics. If there are no more pictures than that: one estimate of all, without a draw.

    Args:
        network: gives the features.
        subsets: number of draws.
        subset_size: pictures of each kind per draw.
    """

    quick = False

    def __init__(self, *, network: Network | str = "recognition", subsets: int = 100, subset_size: int = 1000):
        if subsets < 1 or subset_size < 2:
            raise ValueError(
                f"kid: subsets {subsets}, subset_size {subset_size}; expected subsets of at least 1 and subset_size of "
                "at least 2"
            )
        self._network, self._subsets, self._size = network, subsets, subset_size
        self.card = MetricCard(
            name="KID",
            definition="unbiased squared maximum mean discrepancy of the features of generated and true pictures, "
            "E k(x, x') + E k(y, y') - 2 E k(x, y), kernel k(x, y) = (x y / D + 1)^3",
            unit="squared MMD",
            better="lower",
            source=f"Binkowski et al., arXiv:1801.01401; torchmetrics poly_mmd; {extractor(network)}",
            note=PAIRED,
        )

    def read(self, batch: FaceBatch, images: Images) -> dict[str, Tensor]:
        """{"features": [B, 2, D]}."""
        return read_features(self._network, batch, images)

    def describe(self, rows: dict[str, Tensor]) -> dict[str, MetricCard]:
        """The card with the number of pictures and of draws."""
        count, note = count_pictures(rows)
        draws = "one estimate of all" if count <= self._size else f"mean of {self._subsets} subsets of {self._size}"
        return {"kid": replace(self.card, note=f"{note}; {draws}; {PAIRED}")}

    def figures(self, rows: dict[str, Tensor]) -> dict[str, float]:
        """{"kid": value}; NaN with fewer than two pictures. Repeated rows raise it."""
        true, generated = true_and_generated(rows["features"])
        count = len(true)
        if count < 2:
            return {"kid": math.nan}
        if count <= self._size:
            return {"kid": float(poly_mmd(true, generated))}
        stream = generator("kid")
        draws = (
            [torch.randperm(count, generator=stream)[: self._size] for _ in range(2)] for _ in range(self._subsets)
        )
        return {"kid": float(np.mean([float(poly_mmd(true[a], generated[b])) for a, b in draws]))}


class Cmmd:
    """CMMD (Jayasumana et al., CVPR 2024, arXiv:2401.09603): squared MMD with a Gaussian kernel, times 1,000.

    k(x, y) = exp(-||x - y||^2 / (2 * 10^2)) between features normalised to length 1. ``cmmd`` is the released code's
    estimator: it includes the pairs of each picture with itself and is biased upwards by at most about 40 / N.
    ``cmmd_unbiased`` excludes these pairs. The paper uses CLIP's features (ViT-L/14 at 336 px); figures from other
    networks' features are not comparable with it.

    Args:
        network: gives the features.
    """

    quick = False

    def __init__(self, *, network: Network | str = "recognition"):
        self._network = network
        definition = "1000 (E k(x, x') + E k(y, y') - 2 E k(x, y)) of the normalised features of generated and true "
        definition += "pictures,"
        kernel = "k(x, y) = exp(-||x - y||^2 / (2 sigma^2)), sigma 10"
        self.card = MetricCard(
            name="CMMD",
            definition=f"{definition} over all pairs, including those of a picture with itself, as in the released "
            f"code; {kernel}",
            unit="1000 squared MMD",
            better="lower",
            source=f"Jayasumana et al., arXiv:2401.09603; {extractor(network)}; the paper uses CLIP's features",
        )
        words = f"{definition} without the pairs of a picture with itself; {kernel}"
        unbiased = replace(self.card, name="CMMD, unbiased", definition=words, note=PAIRED)
        self.cards = {"cmmd_unbiased": unbiased}

    def read(self, batch: FaceBatch, images: Images) -> dict[str, Tensor]:
        """{"features": [B, 2, D]}."""
        return read_features(self._network, batch, images)

    def describe(self, rows: dict[str, Tensor]) -> dict[str, MetricCard]:
        """The cards with the number of pictures."""
        _, note = count_pictures(rows)
        unbiased = self.cards["cmmd_unbiased"]
        return {
            "cmmd": replace(self.card, note=note),
            "cmmd_unbiased": replace(unbiased, note=f"{note}; {unbiased.note}"),
        }

    def figures(self, rows: dict[str, Tensor]) -> dict[str, float]:
        """{"cmmd": value, "cmmd_unbiased": value}; NaN with fewer than two pictures. Repeated rows raise them."""
        pair = true_and_generated(rows["features"])
        count = len(pair[0])
        if count < 2:
            return {"cmmd": math.nan, "cmmd_unbiased": math.nan}
        x, y = (F.normalize(part, dim=1) for part in pair)
        kxx, kyy, kxy = gaussian(x, x), gaussian(y, y), gaussian(x, y)
        within = sum(float(k.sum() - k.trace()) / (count * (count - 1)) for k in (kxx, kyy))  # without the diagonals
        between = 2 * float(kxy.mean())
        return {
            "cmmd": SCALE * (float(kxx.mean() + kyy.mean()) - between),
            "cmmd_unbiased": SCALE * (within - between),
        }


def gaussian(x: Tensor, y: Tensor) -> Tensor:
    """CMMD's kernel between [N, D] and [M, D]: [N, M]."""
    squares = (x.square().sum(1)[:, None] + y.square().sum(1)[None] - 2 * x @ y.T).clamp(min=0)
    return torch.exp(-squares / (2 * SIGMA**2))
