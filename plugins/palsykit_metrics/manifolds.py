"""Precision, recall, density and coverage: do generated pictures lie among true ones, and true among generated ones?"""

import math
from dataclasses import replace

import torch
from torch import Tensor

from palsykit.interfaces import FaceBatch, Images, MetricCard, Network
from palsykit_metrics.features import count_pictures, extractor, read_features, true_and_generated

_BALL = "a ball around a picture reaches its k-th nearest neighbour of its own kind (Euclidean, itself not counted)"
_NOTE = (
    "depends on the number of pictures: compare equal numbers only; identical pictures give balls of radius 0; no "
    "interval, because a resampled picture would be its own neighbour"
)


class PrecisionRecall:
    """Improved precision and recall (Kynkaanniemi et al., arXiv:1904.06991).

    Precision is the share of generated features inside any true picture's ball; recall is the share of true features
    inside any generated picture's ball. Distances are exact, in float64.

    Args:
        network: gives the features; the paper uses VGG-16.
        neighbours: k; 3 in the paper.
    """

    quick = False

    def __init__(self, *, network: Network | str = "recognition", neighbours: int = 3):
        self._network, self._k = network, _positive("precision_recall", neighbours)
        self.card = MetricCard(
            name="Precision",
            definition=f"share of generated pictures that lie in a ball around any true one; {_BALL}, k = {neighbours}",
            unit="0 to 1",
            better="higher",
            source=f"Kynkaanniemi et al., arXiv:1904.06991; {extractor(network)}",
            note=_NOTE,
        )
        words = f"share of true pictures that lie in a ball around any generated one; {_BALL}, k = {neighbours}"
        self.cards = {"recall": replace(self.card, name="Recall", definition=words)}

    def read(self, batch: FaceBatch, images: Images) -> dict[str, Tensor]:
        """{"features": [B, 2, D]}."""
        return read_features(self._network, batch, images)

    def describe(self, rows: dict[str, Tensor]) -> dict[str, MetricCard]:
        """The cards with the number of pictures."""
        return _with_counts(rows, precision=self.card, **self.cards)

    def figures(self, rows: dict[str, Tensor]) -> dict[str, float]:
        """{"precision": share, "recall": share}; NaN unless there are more than k pictures."""
        true, generated = true_and_generated(rows["features"])
        if len(true) <= self._k:
            return {"precision": math.nan, "recall": math.nan}
        return {
            "precision": float(inside(true, generated, self._k).any(dim=0).double().mean()),
            "recall": float(inside(generated, true, self._k).any(dim=0).double().mean()),
        }

    def bootstrap_figures(self, rows: dict[str, Tensor]) -> dict[str, float]:
        """None: a picture that was drawn twice would be its own neighbour."""
        return {"precision": math.nan, "recall": math.nan}


class DensityCoverage:
    """Density and coverage (Naeem et al., arXiv:2002.09797), which depend less on outliers.

    Density is the mean number of true pictures' balls that a generated feature lies in, divided by k. Coverage is the
    share of true pictures with a generated feature in their ball. Balls are closed, as in the paper; the released code
    uses open balls, which differ only if distances are exactly equal.

    Args:
        network: gives the features; the paper uses VGG-16.
        neighbours: k; 5 in the paper.
    """

    quick = False

    def __init__(self, *, network: Network | str = "recognition", neighbours: int = 5):
        self._network, self._k = network, _positive("density_coverage", neighbours)
        self.card = MetricCard(
            name="Density",
            definition="number of true pictures' balls that a generated picture lies in, divided by k, mean over "
            f"generated pictures; {_BALL}, k = {neighbours}",
            unit="0 and more; 1 for sets that are alike",
            better="higher",
            source=f"Naeem et al., arXiv:2002.09797; {extractor(network)}",
            note=_NOTE,
        )
        words = f"share of true pictures with a generated one in their ball; {_BALL}, k = {neighbours}"
        self.cards = {"coverage": replace(self.card, name="Coverage", definition=words, unit="0 to 1")}

    def read(self, batch: FaceBatch, images: Images) -> dict[str, Tensor]:
        """{"features": [B, 2, D]}."""
        return read_features(self._network, batch, images)

    def describe(self, rows: dict[str, Tensor]) -> dict[str, MetricCard]:
        """The cards with the number of pictures."""
        return _with_counts(rows, density=self.card, **self.cards)

    def figures(self, rows: dict[str, Tensor]) -> dict[str, float]:
        """{"density": value, "coverage": share}; NaN unless there are more than k pictures."""
        true, generated = true_and_generated(rows["features"])
        if len(true) <= self._k:
            return {"density": math.nan, "coverage": math.nan}
        held = inside(true, generated, self._k)
        return {
            "density": float(held.double().sum(dim=0).mean()) / self._k,
            "coverage": float(held.any(dim=1).double().mean()),
        }

    def bootstrap_figures(self, rows: dict[str, Tensor]) -> dict[str, float]:
        """None: a picture that was drawn twice would be its own neighbour."""
        return {"density": math.nan, "coverage": math.nan}


def inside(centres: Tensor, points: Tensor, k: int) -> Tensor:
    """Whether each point [M, D] lies in the ball of each centre [N, D], which reaches its k-th neighbour: [N, M]."""
    exact = "donot_use_mm_for_euclid_dist"  # the fast way is inaccurate for small distances
    own = torch.cdist(centres, centres, compute_mode=exact).fill_diagonal_(-math.inf)
    radius = own.sort(dim=1).values[:, k]  # index 0 is the centre itself
    return torch.cdist(centres, points, compute_mode=exact) <= radius[:, None]


def _positive(metric: str, neighbours: int) -> int:
    if neighbours < 1:
        raise ValueError(f"{metric}: neighbours {neighbours}; expected 1 or more")
    return neighbours


def _with_counts(rows: dict[str, Tensor], **cards: MetricCard) -> dict[str, MetricCard]:
    """Add the number of pictures to the cards."""
    _, note = count_pictures(rows)
    return {figure: replace(card, note=f"{note}; {card.note}") for figure, card in cards.items()}
