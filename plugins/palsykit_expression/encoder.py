"""The expression condition: an expression embedding minus the identity embedding, as tokens."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from palsykit.interfaces import Encoded, FaceView, Network, TokenSpec
from palsykit.recipe.ranges import Width


class ExpressionEncoder(nn.Module):
    """CFCPalsy's expression condition (arXiv:2409.07271): D = E_Face(X) - E_ID(X), spread over tokens.

    Both embeddings are L2-normalised before the subtraction, because the lengths of two networks' embeddings are not
    comparable. A learnt 1 -> T map gives the tokens: token_t = a_t D + b_t. We multiply D by the square root of its
    width, so that its entries are of order 1 (a LayerNorm would discard the length of D). We add a learnt positional
    embedding, and a linear map if ``width`` differs from the embeddings' width.

    Args:
        image_size: side of the images in px, as the networks have it.
        face: the network trained on expressions.
        identity: the network trained on identities; its embedding is as wide as that of ``face``.
        tokens: number of tokens; None for the number of positions of the identity network's map.
        width: width of the tokens.

    Raises:
        ValueError: the embeddings have different widths, or a network gives none.
    """

    def __init__(
        self,
        image_size: int,
        *,
        face: Network | str = "expression",
        identity: Network | str = "recognition",
        tokens: Width | None = None,
        width: Width = 512,
    ):
        super().__init__()
        assert not isinstance(face, str)  # core replaces the names by the recipe's networks
        assert not isinstance(identity, str)
        vector = face.embedding_width
        if vector is None or vector != identity.embedding_width:
            raise ValueError(
                f"the expression encoder subtracts embeddings: expected two of equal width, found {vector} (face) and "
                f"{identity.embedding_width} (identity); give both networks the same embedding"
            )
        _, height, columns = identity.map_shape
        count = tokens or height * columns
        self.face, self.identity = face, identity
        self.spec = TokenSpec(count, width)
        self.spread = nn.Linear(1, count)
        self.project = nn.Linear(vector, width) if vector != width else nn.Identity()
        self.position = nn.Parameter(torch.randn(1, count, width) * 0.02)

    def extract(self, view: FaceView) -> dict[str, Tensor]:
        """{"deviation": [B, D]}, the difference of two vectors of length 1."""
        face, identity = self.face(view.image).embedding, self.identity(view.image).embedding
        assert face is not None
        assert identity is not None
        return {"deviation": F.normalize(face, dim=-1) - F.normalize(identity, dim=-1)}

    def forward(self, features: dict[str, Tensor]) -> Encoded:
        """Tokens [B, T, W]; no pooled vector: in the paper only identity has one."""
        deviation = features["deviation"] * features["deviation"].shape[-1] ** 0.5
        spread = self.spread(deviation[..., None]).transpose(1, 2)  # (B, D, T) -> (B, T, D)
        return Encoded(self.project(spread) + self.position)
