"""Features of true and generated pictures from any network, for distances between two sets of pictures."""

import torch
from torch import Tensor

from palsykit.interfaces import FaceBatch, Images, Network
from palsykit.metrics import to_8_bit
from palsykit_metrics.reading import comparability, describe_network

FEW = 2048
"""With fewer pictures, the covariance of Inception's 2,048 features lacks full rank, and FID is called biased."""


def read_features(network: Network | str, batch: FaceBatch, images: Images) -> dict[str, Tensor]:
    """{"features": [B, 2, D]} of targets and generated pictures, both in 8 bits; NaN without a target.

    Features are the network's embedding, not normalised; without an embedding, the mean of its last feature map.
    """
    true = None if batch.target is None else _features(network, batch.target.image)
    generated = _features(network, images.generated)
    return {"features": torch.stack([torch.full_like(generated, torch.nan) if true is None else true, generated], 1)}


def true_and_generated(pairs: Tensor) -> tuple[Tensor, Tensor]:
    """[N, 2, D] -> (true [M, D], generated [M, D]) of the rows that have a true picture."""
    true, generated = pairs[~pairs[:, 0].isnan().any(1)].unbind(1)
    return true.contiguous(), generated.contiguous()


def extractor(network: Network | str) -> str:
    """Describe the features for a card: the network, its output, the hash of its weights, comparability."""
    width = getattr(network, "embedding_width", None)
    what = "mean of the last feature map" if width is None else f"{width}-d embedding"
    return f"features: {what} of {describe_network(network)}, {comparability(network)}"


def count_pictures(rows: dict[str, Tensor]) -> tuple[int, str]:
    """The number of pictures of each kind, and a note for a card that says so."""
    count = len(true_and_generated(rows["features"])[0])
    return count, f"{count} true and {count} generated pictures, 8-bit as saved"


@torch.no_grad()
def _features(network: Network | str, image: Tensor) -> Tensor:
    """image [B, 3, H, W] in [-1, 1] -> features [B, D], float64 on the CPU."""
    if isinstance(network, str):
        raise TypeError(f"found the name {network!r}, expected the network of this name from the recipe's networks")
    output = network(to_8_bit(image) * 2 - 1)
    features = output.map.mean(dim=(2, 3)) if output.embedding is None else output.embedding
    return features.double().cpu()
