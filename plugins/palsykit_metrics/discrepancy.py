"""KID and CMMD: maximum mean discrepancies between the features of generated and of true pictures."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics.image.kid import poly_mmd

from palsykit.interfaces import FaceBatch, Images, MetricCard, Network
from palsykit.seeds import generator
from palsykit_metrics.features import Features

SIGMA, SCALE = 10.0, 1000.0
"""Of CMMD: the bandwidth of its kernel, and what its figure is multiplied by."""
PAIRED = (
    "unbiased for independent sets, where it may be below 0; both of these show the same people, which lowers it "
    "further: compare systems, not with 0"
)


class Kid:
    """Kernel distance (Binkowski et al., arXiv:1801.01401): unbiased squared MMD with the kernel (x y / D + 1)^3.

    The mean over ``subsets`` seeded draws without replacement of ``subset_size`` pictures of each kind, as
    torch-fidelity and torchmetrics have it; of no more pictures than that, one estimate of all, which needs no draw.

    Args:
        network: whose features.
        subsets: how many draws.
        subset_size: pictures of each kind in a draw.
    """

    needs: frozenset[str] = frozenset()

    def __init__(self, *, network: Network | str = "recognition", subsets: int = 100, subset_size: int = 1000):
        if subsets < 1 or subset_size < 2:
            raise ValueError(f"kid: subsets {subsets} of {subset_size}; expected one or more, of two pictures or more")
        self._features, self._subsets, self._size = Features(network), subsets, subset_size

    @property
    def card(self) -> MetricCard:
        """Says how many pictures there are by now."""
        whole = len(self._features) <= self._size
        draws = "one estimate of all" if whole else f"mean of {self._subsets} subsets of {self._size}"
        return MetricCard(
            name="KID",
            definition="unbiased squared maximum mean discrepancy of the features of generated and of true pictures, "
            "E k(x, x') + E k(y, y') - 2 E k(x, y), kernel k(x, y) = (x y / D + 1)^3",
            unit="squared MMD",
            better="lower",
            source=f"Binkowski et al., arXiv:1801.01401; torchmetrics poly_mmd; {self._features.extractor}",
            note=f"{self._features.counted}; {draws}; {PAIRED}",
        )

    def update(self, batch: FaceBatch, images: Images) -> None:
        """Counts a batch; one without a target is left out."""
        self._features.add(batch, images)

    def compute(self) -> dict[str, float]:
        """{"kid": value}; NaN of fewer than two pictures."""
        return self.figures(np.arange(len(self._features)))

    def figures(self, rows: NDArray[np.int64]) -> dict[str, float]:
        """{"kid": value} of some of the pictures, numbered as fed; repeated rows raise it."""
        if len(self._features) < 2 or len(rows) < 2:
            return {"kid": float("nan")}
        chosen = torch.tensor(rows)
        real, generated = self._features.real[chosen], self._features.generated[chosen]
        count = len(rows)
        if count <= self._size:
            return {"kid": float(poly_mmd(real, generated))}
        stream = generator("kid")
        draws = (
            [torch.randperm(count, generator=stream)[: self._size] for _ in range(2)] for _ in range(self._subsets)
        )
        return {"kid": float(np.mean([float(poly_mmd(real[a], generated[b])) for a, b in draws]))}


class Cmmd:
    """CMMD (Jayasumana et al., CVPR 2024, arXiv:2401.09603): squared MMD with a Gaussian kernel, times 1,000.

    k(x, y) = exp(-||x - y||^2 / (2 * 10^2)) between features normalised to length 1. ``cmmd`` is the estimator of the
    released code (with the pairs of a picture with itself, biased upwards by at most about 40 / N), ``cmmd_unbiased``
    the unbiased one (without them). The paper's features are CLIP's (ViT-L/14 at 336 px); those of
    another network are not comparable with it.

    Args:
        network: whose features.
    """

    needs: frozenset[str] = frozenset()

    def __init__(self, *, network: Network | str = "recognition"):
        self._features = Features(network)

    @property
    def card(self) -> MetricCard:
        """Of the released code's estimator."""
        return self._card("CMMD", "over all pairs, those of a picture with itself as well, as the released code", "")

    @property
    def cards(self) -> dict[str, MetricCard]:
        """Of the unbiased estimator."""
        words = "without the pairs of a picture with itself"
        return {"cmmd_unbiased": self._card("CMMD, unbiased", words, f"; {PAIRED}")}

    def _card(self, name: str, pairs: str, note: str) -> MetricCard:
        return MetricCard(
            name=name,
            definition="1000 (E k(x, x') + E k(y, y') - 2 E k(x, y)) of the normalised features of generated and of "
            f"true pictures, {pairs}; k(x, y) = exp(-||x - y||^2 / (2 sigma^2)), sigma 10",
            unit="1000 squared MMD",
            better="lower",
            source=f"Jayasumana et al., arXiv:2401.09603; {self._features.extractor}; the paper's are CLIP's",
            note=self._features.counted + note,
        )

    def update(self, batch: FaceBatch, images: Images) -> None:
        """Counts a batch; one without a target is left out."""
        self._features.add(batch, images)

    def compute(self) -> dict[str, float]:
        """{"cmmd": value, "cmmd_unbiased": value}; NaN of fewer than two pictures."""
        return self.figures(np.arange(len(self._features)))

    def figures(self, rows: NDArray[np.int64]) -> dict[str, float]:
        """The two estimates of some of the pictures, numbered as fed; repeated rows raise them."""
        if len(self._features) < 2 or len(rows) < 2:
            return {"cmmd": float("nan"), "cmmd_unbiased": float("nan")}
        chosen = torch.tensor(rows)
        x, y = (F.normalize(part[chosen], dim=1) for part in (self._features.real, self._features.generated))
        kxx, kyy, kxy = gaussian(x, x), gaussian(y, y), gaussian(x, y)
        count = len(rows)
        apart = sum(float(k.sum() - k.trace()) / (count * (count - 1)) for k in (kxx, kyy))
        cross = 2 * float(kxy.mean())
        return {
            "cmmd": SCALE * (float(kxx.mean() + kyy.mean()) - cross),
            "cmmd_unbiased": SCALE * (apart - cross),
        }


def gaussian(x: Tensor, y: Tensor) -> Tensor:
    """The kernel between [N, D] and [M, D]: [N, M]."""
    squares = (x.square().sum(1)[:, None] + y.square().sum(1)[None] - 2 * x @ y.T).clamp(min=0)
    return torch.exp(-squares / (2 * SIGMA**2))
