"""FID with any network's features: the Frechet distance between generated and true pictures."""

import math
from dataclasses import replace
from typing import ClassVar

from torch import Tensor

from palsykit.interfaces import FaceBatch, Images, MetricCard, Network
from palsykit_metrics.features import FEW, count_pictures, extractor, read_features, true_and_generated
from palsykit_metrics.frechet import frechet, frechet_of_few


class Fid:
    """Frechet distance between Gaussians fitted to the features of generated and true (target) pictures.

    ||m1 - m2||^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) (Heusel et al., arXiv:1706.08500, eq. 6), by torchmetrics in float64.
    The bias falls with the number of pictures (Chong and Forsyth, arXiv:1911.07023): below 2,048 the card says biased.

    Args:
        network: gives the features; only FID's own Inception gives figures that compare with published ones.
    """

    quick = False
    beside: ClassVar[dict[str, str]] = {"kid": "FID is biased for few pictures"}

    def __init__(self, *, network: Network | str = "recognition"):
        self._network = network
        self.card = MetricCard(
            name="FID",
            definition="Frechet distance between the features of generated and true pictures: "
            "||m1 - m2||^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))",
            unit="squared feature units",
            better="lower",
            source=f"Heusel et al., arXiv:1706.08500, eq. 6; torchmetrics; {extractor(network)}",
        )

    def read(self, batch: FaceBatch, images: Images) -> dict[str, Tensor]:
        """{"features": [B, 2, D]}."""
        return read_features(self._network, batch, images)

    def describe(self, rows: dict[str, Tensor]) -> dict[str, MetricCard]:
        """The card with the number of pictures, and a warning if they are too few."""
        count, note = count_pictures(rows)
        if count >= FEW:
            return {"fid": replace(self.card, note=note)}
        note = f"{note}; BIASED upwards below {FEW:,} pictures: also read KID"
        return {"fid": replace(self.card, name="FID (biased)", note=note)}

    def figures(self, rows: dict[str, Tensor]) -> dict[str, float]:
        """{"fid": value}; NaN with fewer than two pictures, which have no covariance."""
        true, generated = true_and_generated(rows["features"])
        return {"fid": frechet(true, generated) if len(true) > 1 else math.nan}

    def bootstrap_figures(self, rows: dict[str, Tensor]) -> dict[str, float]:
        """The same figure, computed faster if there are few pictures; repeated rows raise its bias."""
        true, generated = true_and_generated(rows["features"])
        return {"fid": frechet_of_few(true, generated) if len(true) > 1 else math.nan}
