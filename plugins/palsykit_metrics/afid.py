"""aFID: how much changes when a synthesised face is synthesised again (CFCPalsy, arXiv:2409.07271, figure 4)."""

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from palsykit.interfaces import FaceBatch, Images, MetricCard, Network
from palsykit_metrics.features import true_and_generated
from palsykit_metrics.frechet import frechet, frechet_of_few
from palsykit_metrics.reading import comparability, describe_network, embeddings

PASSES = {"self2": "regenerated", "swap_back": "swapped_back"}
"""Reading -> the pass of synthesis that it compares."""


class Afid:
    """Frechet distance between face embeddings of pictures that were synthesised twice and of the originals.

    ||m1 - m2||^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) (Heusel et al., arXiv:1706.08500, eq. 6), by torchmetrics in float64.
    The paper uses Inception features; figures from other networks' features are not comparable. The paper's figure 4
    can be read in two ways:

    - ``self2``: a picture is synthesised, then again with all conditions taken from the first synthesis. The originals
      are the target pictures.
    - ``swap_back``: the identity photograph gets an expression; then the result is synthesised again, driven by the
      identity photograph. The originals are the identity photographs, one per row, so no true picture of the expression
      is needed.

    Args:
        network: gives the embeddings; only FID's own Inception gives figures that compare with published ones.
        readings: which of the two; each needs its own pass of synthesis.

    Raises:
        ValueError: the network gives no embedding, or there is no reading.
    """

    quick = False

    def __init__(
        self,
        *,
        network: Network | str = "recognition",
        readings: tuple[Literal["self2", "swap_back"], ...] = ("self2",),
    ):
        name = getattr(network, "name", network)
        width = getattr(network, "embedding_width", None)
        if width is None:
            raise ValueError(
                f"afid: network {name!r} gives no embedding; name a recognition network by the key network"
            )
        if not readings:
            raise ValueError("afid: readings is empty; expected self2, swap_back or both")
        self.needs = frozenset(PASSES[reading] for reading in readings)
        self.cards = {reading: _card(reading, network, width) for reading in readings}
        self.card = self.cards[readings[0]]
        self._network, self._width, self._readings = network, width, readings

    def read(self, batch: FaceBatch, images: Images) -> dict[str, Tensor]:
        """{reading: embeddings [B, 2, D] of originals and second synthesis}; NaN if either is missing."""
        return {reading: self._pairs(reading, batch, images) for reading in self._readings}

    def _pairs(self, reading: str, batch: FaceBatch, images: Images) -> Tensor:
        original = batch.target if reading == "self2" else batch.identity
        again = getattr(images, PASSES[reading])
        if original is None or again is None:
            return torch.full((len(batch), 2, self._width), torch.nan)
        return torch.stack([embeddings(self._network, image).cpu() for image in (original.image, again)], 1)

    def figures(self, rows: dict[str, Tensor]) -> dict[str, float]:
        """{reading: value}; NaN with fewer than two pictures, which have no covariance."""
        return self._distances(rows, frechet)

    def bootstrap_figures(self, rows: dict[str, Tensor]) -> dict[str, float]:
        """The same figures, computed faster if there are few pictures.

        The bias grows with fewer pictures. A bootstrap sample repeats pictures, so its values are above the figure.
        """
        return self._distances(rows, frechet_of_few)

    def _distances(self, rows: dict[str, Tensor], distance: Callable[[Tensor, Tensor], float]) -> dict[str, float]:
        pairs = {reading: true_and_generated(rows[reading]) for reading in self._readings}
        return {reading: distance(*pair) if len(pair[0]) > 1 else math.nan for reading, pair in pairs.items()}


def _card(reading: str, network: Network | str, width: int) -> MetricCard:
    words = {
        "self2": "pictures synthesised twice, the second time with all conditions taken from the first synthesis, and "
        "of the original (target) pictures",
        "swap_back": "identity photographs that were given an expression and then synthesised back (driven by the "
        "identity photograph), and of the identity photographs themselves",
    }
    return MetricCard(
        name=f"aFID, {reading} (biased)",
        definition=f"Frechet distance between the features of {words[reading]}: "
        "||m1 - m2||^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))",
        unit=f"squared distance of {width}-d embeddings",
        better="lower",
        source=f"arXiv:2409.07271, figure 4, read as {reading}; torchmetrics; features of {describe_network(network)}, "
        f"{comparability(network)}",
        note=f"biased upwards below 2,048 pictures; the covariances have full rank only above {width} pictures",
    )
