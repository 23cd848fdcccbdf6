"""FID with any network's features: the Frechet distance between generated and true pictures."""

import numpy as np
import torch
from numpy.typing import NDArray

from palsykit.interfaces import FaceBatch, Images, MetricCard, Network
from palsykit_metrics.features import FEW, Features
from palsykit_metrics.frechet import frechet, resampled


class Fid:
    """Frechet distance between Gaussians fitted to the features of generated and of true (target) pictures.

    ||m1 - m2||^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) (Heusel et al., arXiv:1706.08500, eq. 6), by torchmetrics in float64.
    Its bias falls with the number of pictures (Chong and Forsyth, arXiv:1911.07023): under 2,048 its card says biased.

    Args:
        network: whose features; only FID's own Inception gives figures that compare with published ones.
    """

    needs: frozenset[str] = frozenset()

    def __init__(self, *, network: Network | str = "recognition"):
        self._features = Features(network)

    @property
    def card(self) -> MetricCard:
        """Says how many pictures there are by now, and whether that is too few."""
        few = len(self._features) < FEW
        return MetricCard(
            name="FID (biased)" if few else "FID",
            definition="Frechet distance of the features of generated and of true pictures: "
            "||m1 - m2||^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))",
            unit="squared feature units",
            better="lower",
            source=f"Heusel et al., arXiv:1706.08500, eq. 6; torchmetrics; {self._features.extractor}",
            note=self._features.counted + (f"; BIASED upwards under {FEW:,}: read KID beside it" if few else ""),
        )

    def update(self, batch: FaceBatch, images: Images) -> None:
        """Counts a batch; one without a target is left out."""
        self._features.add(batch, images)

    def compute(self) -> dict[str, float]:
        """{"fid": value}; NaN of fewer than two pictures, which have no covariance."""
        if len(self._features) < 2:
            return {"fid": float("nan")}
        return {"fid": frechet(self._features.real, self._features.generated)}

    def figures(self, rows: NDArray[np.int64]) -> dict[str, float]:
        """{"fid": value} of some of the pictures, numbered as fed, for a bootstrap; repeated rows raise its bias."""
        if len(self._features) < 2 or len(rows) < 2:
            return {"fid": float("nan")}
        chosen = torch.tensor(rows)
        return {"fid": resampled(self._features.real[chosen], self._features.generated[chosen])}
