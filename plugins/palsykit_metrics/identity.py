"""Does the picture show the same person?"""

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from palsykit.interfaces import FaceBatch, Images, MetricCard, Network
from palsykit_metrics.reading import describe_network, embeddings


class IdentitySimilarity:
    """Cosine of the generated face's embedding with that of the identity photograph, and with that of the target.

    CFCPalsy's released test script has the same two figures. The target is the same person with the requested
    expression, so a perfect synthesis has 1 in the second figure, but not in the first.

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
            source=f"embeddings by {describe_network(network)}",
            note="compare only with the same network weights; biased if the same network is a condition or a loss of "
            "the training",
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
