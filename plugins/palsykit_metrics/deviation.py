"""Does the picture show the requested expression? Compared by expression embeddings without the identity's share."""

import torch
import torch.nn.functional as F
from torch import Tensor

from palsykit.interfaces import FaceBatch, Images, MetricCard, Network
from palsykit_metrics.reading import describe_network, embeddings


class ExpressionCosine:
    """Cosine of the expression deviations E_Face(X) - E_ID(X) (CFCPalsy, arXiv:2409.07271) of two pictures.

    The generated picture is compared with the target and with the identity photograph; if the synthesis moved nothing,
    it is nearer to the latter. Both embeddings are normalised to length 1 before the subtraction, as in palsykit's
    expression condition. The released test script has the same two figures, but subtracts without normalisation.

    Args:
        face: the network trained on expressions.
        identity: the network trained on identities; its embedding is as wide as that of ``face``.

    Raises:
        ValueError: the embeddings have different widths.
    """

    def __init__(self, *, face: Network | str = "expression", identity: Network | str = "recognition"):
        width, other = (getattr(network, "embedding_width", None) for network in (face, identity))
        if width is None or width != other:
            raise ValueError(
                f"expression_cosine subtracts embeddings: expected two of equal width, found {width} (face) and "
                f"{other} (identity); name networks with the same embedding"
            )
        self._face, self._identity = face, identity
        source = f"arXiv:2409.07271; E_Face by {describe_network(face)}, E_ID by {describe_network(identity)}"

        def card(name: str, of: str, better: str, note: str) -> MetricCard:
            deviation = "D = E_Face / |E_Face| - E_ID / |E_ID|"
            return MetricCard(
                name, f"cosine of {deviation} in generated and in {of} picture", "-1 to 1", better, source, note
            )

        note = "compare only with the same network weights; do not judge a model with a network that conditions it"
        self.card = card("Expression cosine", "target", "higher", note)
        self.cards = {
            "expression_cosine_to_identity": card(
                "Expression cosine to identity picture", "identity", "lower", f"{note}; 1 if nothing was changed"
            )
        }

    def read(self, batch: FaceBatch, images: Images) -> dict[str, Tensor]:
        """{"expression_cosine": [B], NaN without a target, "expression_cosine_to_identity": [B]}."""
        generated = self._deviation(images.generated)
        to_identity = F.cosine_similarity(generated, self._deviation(batch.identity.image))
        if batch.target is None:
            to_target = torch.full_like(to_identity, torch.nan)
        else:
            to_target = F.cosine_similarity(generated, self._deviation(batch.target.image))
        return {"expression_cosine": to_target, "expression_cosine_to_identity": to_identity}

    def _deviation(self, image: Tensor) -> Tensor:
        """image [B, 3, H, W] -> D [B, W]."""
        face, identity = (F.normalize(embeddings(network, image), dim=-1) for network in (self._face, self._identity))
        return face - identity
