"""Precision, recall, density and coverage: whether generated pictures lie among true ones, and the other way round."""

import math
from dataclasses import replace

import torch
from torch import Tensor

from palsykit.interfaces import FaceBatch, Images, MetricCard, Network
from palsykit_metrics.features import count_pictures, extractor, read_features, true_and_generated

_ALIKE = "a ball around a picture reaches its k-th nearest neighbour of its own kind (Euclidean, itself not counted)"
_NOTE = (
    "depends on the number of pictures: compare equal numbers; equal pictures leave balls of radius 0; no interval: a "
    "resampled picture would be its own neighbour"
)


class PrecisionRecall:
    """Improved precision and recall (Kynkaanniemi et al., arXiv:1904.06991).

    Precision is the share of generated features inside any true picture's ball, recall that of true features inside
    any generated picture's ball. Distances are exact, in float64.

    Args:
        network: whose features; the paper's are VGG-16's.
        neighbours: k; the paper's is 3.
    """

    quick = False

    def __init__(self, *, network: Network | str = "recognition", neighbours: int = 3):
        self._network, self._k = network, _positive("precision_recall", neighbours)
        self.card = MetricCard(
            name="Precision",
            definition="share of generated pictures that lie in a ball around any true one; "
            f"{_ALIKE}, k = {neighbours}",
            unit="0 to 1",
            better="higher",
            source=f"Kynkaanniemi et al., arXiv:1904.06991; {extractor(network)}",
            note=_NOTE,
        )
        words = f"share of true pictures that lie in a ball around any generated one; {_ALIKE}, k = {neighbours}"
        self.cards = {"recall": replace(self.card, name="Recall", definition=words)}

    def read(self, batch: FaceBatch, images: Images) -> dict[str, Tensor]:
        """{"features": [B, 2, D]}."""
        return read_features(self._network, batch, images)

    def describe(self, rows: dict[str, Tensor]) -> dict[str, MetricCard]:
        """How many pictures there are."""
        return _counted(rows, precision=self.card, **self.cards)

    def figures(self, rows: dict[str, Tensor]) -> dict[str, float]:
        """{"precision": share, "recall": share}; NaN of no more than k pictures."""
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
    """Density and coverage (Naeem et al., arXiv:2002.09797), which outliers move less.

    Density is the number of true pictures' balls that a generated feature lies in, over k, on average; coverage the
    share of true pictures with a generated feature in their ball. Balls are closed, as in the paper; its released code
    takes open ones, which differs for distances that are exactly equal only.

    Args:
        network: whose features; the paper's are VGG-16's.
        neighbours: k; the paper's is 5.
    """

    quick = False

    def __init__(self, *, network: Network | str = "recognition", neighbours: int = 5):
        self._network, self._k = network, _positive("density_coverage", neighbours)
        self.card = MetricCard(
            name="Density",
            definition="true pictures' balls that a generated picture lies in, over k, the mean over generated pictures"
            f"; {_ALIKE}, k = {neighbours}",
            unit="0 and more; 1 for sets that are alike",
            better="higher",
            source=f"Naeem et al., arXiv:2002.09797; {extractor(network)}",
            note=_NOTE,
        )
        words = f"share of true pictures with a generated one in their ball; {_ALIKE}, k = {neighbours}"
        self.cards = {"coverage": replace(self.card, name="Coverage", definition=words, unit="0 to 1")}

    def read(self, batch: FaceBatch, images: Images) -> dict[str, Tensor]:
        """{"features": [B, 2, D]}."""
        return read_features(self._network, batch, images)

    def describe(self, rows: dict[str, Tensor]) -> dict[str, MetricCard]:
        """How many pictures there are."""
        return _counted(rows, density=self.card, **self.cards)

    def figures(self, rows: dict[str, Tensor]) -> dict[str, float]:
        """{"density": value, "coverage": share}; NaN of no more than k pictures."""
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
    """Which of the points [M, D] lie in each of the centres' [N, D] balls, which reach their k-th neighbour: [N, M]."""
    exact = "donot_use_mm_for_euclid_dist"  # the quick way loses what is near
    own = torch.cdist(centres, centres, compute_mode=exact).fill_diagonal_(-math.inf)
    radius = own.sort(dim=1).values[:, k]  # place 0 is the centre itself
    return torch.cdist(centres, points, compute_mode=exact) <= radius[:, None]


def _positive(metric: str, neighbours: int) -> int:
    if neighbours < 1:
        raise ValueError(f"{metric}: neighbours {neighbours}; expected 1 or more")
    return neighbours


def _counted(rows: dict[str, Tensor], **cards: MetricCard) -> dict[str, MetricCard]:
    """The cards, with the number of pictures."""
    _, note = count_pictures(rows)
    return {figure: replace(card, note=f"{note}; {card.note}") for figure, card in cards.items()}
