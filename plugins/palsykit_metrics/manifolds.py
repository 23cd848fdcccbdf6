"""Precision, recall, density and coverage: whether generated pictures lie among true ones, and the other way round."""

import math

import torch
from torch import Tensor

from palsykit.interfaces import FaceBatch, Images, MetricCard, Network
from palsykit_metrics.features import Features

_ALIKE = "a ball around a picture reaches its k-th nearest neighbour of its own kind (Euclidean, itself not counted)"
_RESAMPLED = "no interval: a resampled picture would be its own neighbour"


class PrecisionRecall:
    """Improved precision and recall (Kynkaanniemi et al., arXiv:1904.06991).

    Precision is the share of generated features inside any true picture's ball, recall that of true features inside
    any generated picture's ball. Distances are exact, in float64.

    Args:
        network: whose features; the paper's are VGG-16's.
        neighbours: k; the paper's is 3.
    """

    needs: frozenset[str] = frozenset()

    def __init__(self, *, network: Network | str = "recognition", neighbours: int = 3):
        self._features, self._k = Features(network), _positive("precision_recall", neighbours)

    @property
    def card(self) -> MetricCard:
        """Of precision."""
        return self._card("Precision", "generated pictures that lie in a ball around any true one")

    @property
    def cards(self) -> dict[str, MetricCard]:
        """Of recall."""
        return {"recall": self._card("Recall", "true pictures that lie in a ball around any generated one")}

    def _card(self, name: str, share: str) -> MetricCard:
        source = f"Kynkaanniemi et al., arXiv:1904.06991; {self._features.extractor}"
        return _card(name, f"share of {share}; {_ALIKE}, k = {self._k}", "0 to 1", source, self._features)

    def update(self, batch: FaceBatch, images: Images) -> None:
        """Counts a batch; one without a target is left out."""
        self._features.add(batch, images)

    def compute(self) -> dict[str, float]:
        """{"precision": share, "recall": share}; NaN of no more than k pictures."""
        if len(self._features) <= self._k:
            return {"precision": math.nan, "recall": math.nan}
        real, generated = self._features.real, self._features.generated
        return {
            "precision": float(inside(real, generated, self._k).any(dim=0).double().mean()),
            "recall": float(inside(generated, real, self._k).any(dim=0).double().mean()),
        }


class DensityCoverage:
    """Density and coverage (Naeem et al., arXiv:2002.09797), which outliers move less.

    Density is the number of true pictures' balls that a generated feature lies in, over k, on average; coverage the
    share of true pictures with a generated feature in their ball. Balls are closed, as in the paper; its released code
    takes open ones, which differs for distances that are exactly equal only.

    Args:
        network: whose features; the paper's are VGG-16's.
        neighbours: k; the paper's is 5.
    """

    needs: frozenset[str] = frozenset()

    def __init__(self, *, network: Network | str = "recognition", neighbours: int = 5):
        self._features, self._k = Features(network), _positive("density_coverage", neighbours)

    @property
    def card(self) -> MetricCard:
        """Of density."""
        words = "true pictures' balls that a generated picture lies in, over k, the mean over generated pictures"
        return self._card("Density", words, "0 and more; 1 for sets that are alike")

    @property
    def cards(self) -> dict[str, MetricCard]:
        """Of coverage."""
        return {
            "coverage": self._card("Coverage", "share of true pictures with a generated one in their ball", "0 to 1")
        }

    def _card(self, name: str, words: str, unit: str) -> MetricCard:
        source = f"Naeem et al., arXiv:2002.09797; {self._features.extractor}"
        return _card(name, f"{words}; {_ALIKE}, k = {self._k}", unit, source, self._features)

    def update(self, batch: FaceBatch, images: Images) -> None:
        """Counts a batch; one without a target is left out."""
        self._features.add(batch, images)

    def compute(self) -> dict[str, float]:
        """{"density": value, "coverage": share}; NaN of no more than k pictures."""
        if len(self._features) <= self._k:
            return {"density": math.nan, "coverage": math.nan}
        held = inside(self._features.real, self._features.generated, self._k)
        return {
            "density": float(held.double().sum(dim=0).mean()) / self._k,
            "coverage": float(held.any(dim=1).double().mean()),
        }


def inside(centres: Tensor, points: Tensor, k: int) -> Tensor:
    """Which of the points [M, D] lie in each of the centres' [N, D] balls, which reach their k-th neighbour: [N, M]."""
    exact = "donot_use_mm_for_euclid_dist"  # the quick way loses what is near
    own = torch.cdist(centres, centres, compute_mode=exact).fill_diagonal_(-math.inf)
    radius = own.sort(dim=1).values[:, k]  # place 0 is the centre itself
    return torch.cdist(centres, points, compute_mode=exact) <= radius[:, None]


def _positive(metric: str, neighbours: int) -> int:
    if neighbours < 1:
        raise ValueError(f"{metric}: neighbours {neighbours}; expected 1 or more")
    return neighbours


def _card(name: str, definition: str, unit: str, source: str, features: Features) -> MetricCard:
    few = "; depends on the number of pictures: compare equal numbers; equal pictures leave balls of radius 0"
    return MetricCard(name, definition, unit, "higher", source, features.counted + few + f"; {_RESAMPLED}")
