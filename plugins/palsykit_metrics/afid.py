"""aFID: what is lost when a synthesised face is synthesised once more (CFCPalsy, arXiv:2409.07271, figure 4)."""

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from palsykit.interfaces import FaceBatch, Images, MetricCard, Network
from palsykit_metrics.frechet import frechet, resampled
from palsykit_metrics.reading import called, comparability, embeddings

PASSES = {"self2": "regenerated", "swap_back": "swapped_back"}
"""Reading -> the pass of synthesis that it compares."""


class Afid:
    """Frechet distance between face embeddings of the twice-synthesised pictures and of the originals, in two readings.

    ||m1 - m2||^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) (Heusel et al., arXiv:1706.08500, eq. 6), by torchmetrics in float64.
    The paper's uses Inception features; those of another network give figures that are not comparable. Its figure 4 can
    be read two ways. ``self2``: a picture is synthesised, then once more with every condition taken from
    the synthesis; the originals are the target pictures. ``swap_back``: an expression is put on the identity photograph
    and taken off again, the synthesis being driven by the identity photograph; the originals are the identity
    photographs, one for each row, so nobody need know what the expression would have looked like.

    Args:
        network: whose embeddings; only FID's own Inception gives figures that compare with published ones.
        readings: which of the two; each has its pass of synthesis.

    Raises:
        ValueError: for a network without embedding, or no reading.
    """

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
        self._network = network
        self._pairs: dict[str, list[tuple[Tensor, Tensor]]] = {reading: [] for reading in readings}

    def update(self, batch: FaceBatch, images: Images) -> None:
        """Counts a batch; one without originals or without the second synthesis is left out."""
        for reading, pairs in self._pairs.items():
            original = batch.target if reading == "self2" else batch.identity
            again = getattr(images, PASSES[reading])
            if original is not None and again is not None:
                pairs.append((embeddings(self._network, original.image).cpu(), embeddings(self._network, again).cpu()))

    def compute(self) -> dict[str, float]:
        """{reading: value}; NaN of fewer than two pictures, which have no covariance."""
        return {reading: self._distance(reading, np.arange(_count(p)), frechet) for reading, p in self._pairs.items()}

    def figures(self, rows: NDArray[np.int64]) -> dict[str, float]:
        """The same of some of the pictures, numbered in the order they were fed.

        Its bias grows as pictures become fewer; resampling repeats some, so bootstrap values lie above the figure.
        """
        return {reading: self._distance(reading, rows, resampled) for reading in self._pairs}

    def _distance(self, reading: str, rows: NDArray[np.int64], distance: Callable[[Tensor, Tensor], float]) -> float:
        pairs = self._pairs[reading]
        if len(rows) < 2 or not pairs:
            return float("nan")
        original, again = (torch.cat([pair[side] for pair in pairs])[torch.tensor(rows)] for side in range(2))
        return distance(original, again)


def _count(pairs: list[tuple[Tensor, Tensor]]) -> int:
    return sum(len(original) for original, _ in pairs)


def _card(reading: str, network: Network | str, width: int) -> MetricCard:
    words = {
        "self2": "pictures synthesised twice, the second time with every condition taken from the first, and of the "
        "original (target) pictures",
        "swap_back": "pictures on which an expression was put and taken off again (driven by the identity photograph), "
        "and of the identity photographs",
    }
    return MetricCard(
        name=f"aFID, {reading} (biased)",
        definition=f"Frechet distance between the features of {words[reading]}: "
        "||m1 - m2||^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))",
        unit=f"squared distance of {width}-d embeddings",
        better="lower",
        source=f"arXiv:2409.07271, figure 4, read as {reading}; torchmetrics; features of {called(network)}, "
        f"{comparability(network)}",
        note=f"biased upwards under 2,048 pictures; its covariances have full rank only above {width}",
    )
