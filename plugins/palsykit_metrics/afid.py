"""aFID: what is lost when a synthesised face is synthesised once more (CFCPalsy, arXiv:2409.07271, figure 4)."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance

from palsykit.interfaces import FaceBatch, Images, MetricCard, Network
from palsykit_metrics.reading import embeddings


class Given(nn.Module):
    """The feature extractor that torchmetrics asks for, where the features are there already."""

    def __init__(self, width: int):
        super().__init__()
        self.num_features = width

    def forward(self, features: Tensor) -> Tensor:
        """[B, D] -> [B, D]."""
        return features


class Afid:
    """Frechet distance between face embeddings of the twice-synthesised pictures and of the originals.

    ||m1 - m2||^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) (Heusel et al., arXiv:1706.08500, eq. 6), by torchmetrics in float64.
    The paper's uses Inception features; these are a face-recognition network's, so the figures are not comparable.

    Args:
        network: the recognition network.

    Raises:
        ValueError: for a network without embedding.
    """

    needs = frozenset({"regenerated"})

    def __init__(self, *, network: Network | str = "recognition"):
        name = getattr(network, "name", network)
        width = getattr(network, "embedding_width", None)
        if width is None:
            raise ValueError(
                f"afid: network {name!r} gives no embedding; name a recognition network by the key network"
            )
        self.card = MetricCard(
            name="aFID",
            definition="Frechet distance between the features of twice-synthesised and of original (target) pictures",
            unit=f"squared distance of {width}-d embeddings",
            better="lower",
            source=f"arXiv:2409.07271, figure 4; features of this run's network {name!r}, "
            "NOT comparable with Inception-based FID",
            note=f"biased upwards under 2,048 pictures; its covariances have full rank only above {width}",
        )
        self._network, self._width = network, width
        self._real: list[Tensor] = []
        self._again: list[Tensor] = []

    def update(self, batch: FaceBatch, images: Images) -> None:
        """Counts a batch; one without a target has no originals and is left out."""
        if batch.target is None or images.regenerated is None:
            return
        self._real.append(embeddings(self._network, batch.target.image))
        self._again.append(embeddings(self._network, images.regenerated))

    def compute(self) -> dict[str, float]:
        """{"afid": value}; NaN of fewer than two pictures, which have no covariance."""
        return self.figures(np.arange(sum(len(part) for part in self._real)))

    def figures(self, rows: NDArray[np.int64]) -> dict[str, float]:
        """{"afid": value} of some of the pictures, numbered in the order they were fed.

        Its bias grows as pictures become fewer; resampling repeats some, so bootstrap values lie above the figure.
        """
        if len(rows) < 2:
            return {"afid": float("nan")}
        # one process measures; the others of a distributed training are gone by then
        distance = FrechetInceptionDistance(feature=Given(self._width), sync_on_compute=False)
        chosen = torch.tensor(rows)
        distance.update(torch.cat(self._real).cpu()[chosen], real=True)
        distance.update(torch.cat(self._again).cpu()[chosen], real=False)
        with torch.no_grad():
            return {"afid": float(distance.compute())}
