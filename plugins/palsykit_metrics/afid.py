"""aFID: what is lost when a synthesised face is synthesised once more (CFCPalsy, arXiv:2409.07271, figure 4)."""

import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance

from palsykit.interfaces import FaceBatch, Images, MetricCard, Network
from palsykit_metrics.reading import embeddings


class Embedding(nn.Module):
    """A shared network as the feature extractor that torchmetrics asks for; its weights stay the run's."""

    def __init__(self, network: Network | str, width: int):
        super().__init__()
        self.num_features = width
        self.network = network  # no submodule: a shared network is no nn.Module

    def forward(self, image: Tensor) -> Tensor:
        """image [B, 3, H, W] in [-1, 1] -> [B, D]."""
        return embeddings(self.network, image)


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
        # one process measures; the others of a distributed training are gone by then
        self._distance = FrechetInceptionDistance(feature=Embedding(network, width), sync_on_compute=False)

    def update(self, batch: FaceBatch, images: Images) -> None:
        """Counts a batch; one without a target has no originals and is left out."""
        if batch.target is None or images.regenerated is None:
            return
        self._distance.to(batch.target.image.device)
        self._distance.update(batch.target.image, real=True)
        self._distance.update(images.regenerated, real=False)

    def compute(self) -> dict[str, float]:
        """{"afid": value}; NaN of fewer than two pictures, which have no covariance."""
        if int(self._distance.real_features_num_samples) < 2:
            return {"afid": float("nan")}
        with torch.no_grad():
            return {"afid": float(self._distance.compute())}
