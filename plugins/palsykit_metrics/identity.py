"""Whether the picture shows the same person."""

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from palsykit.interfaces import FaceBatch, Images, MetricCard, Network
from palsykit_metrics.reading import called, embeddings


class IdentitySimilarity:
    """Cosine between the generated face's embedding and the identity photograph's, and the target's.

    CFCPalsy's released test script has the same two. The target is the same person with the expression asked for, so
    the second is what a perfect synthesis would bring to 1.

    Args:
        network: the recognition network.
    """

    def __init__(self, *, network: Network | str = "recognition"):
        self.network = network
        self.card = MetricCard(
            name="Identity similarity",
            definition="cosine of face embeddings: generated with identity photograph, and with target",
            unit="-1 to 1",
            better="higher",
            source=f"embeddings by {called(network)}",
            note="comparable between runs with the same network weights only; the training saw the same network where "
            "it is a condition or a loss",
        )

    def read(self, batch: FaceBatch, images: Images) -> dict[str, Tensor]:
        """{"identity_similarity": [B], "identity_similarity_to_target": [B], NaN without a target}."""
        generated = embeddings(self.network, images.generated)
        with_identity = cosine_similarity(generated, embeddings(self.network, batch.identity.image))
        if batch.target is None:
            with_target = torch.full_like(with_identity, torch.nan)
        else:
            with_target = cosine_similarity(generated, embeddings(self.network, batch.target.image))
        return {"identity_similarity": with_identity, "identity_similarity_to_target": with_target}
