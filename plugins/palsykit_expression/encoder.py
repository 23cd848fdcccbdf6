"""Which expression, as tokens: what an expression network sees beyond who it is."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from palsykit.interfaces import Encoded, FaceView, Network, TokenSpec


class ExpressionEncoder(nn.Module):
    """CFCPalsy's expression condition (arXiv:2409.07271): D = E_Face(X) - E_ID(X), spread over tokens.

    Both embeddings are L2-normalised before the subtraction, since two networks agree on directions but not on
    lengths. A learnt 1 -> T map makes the tokens: token_t = a_t D + b_t. We multiply D by the square root of its
    width, so that its entries are of order 1 (a LayerNorm in its place would discard the deviation's length), add a
    learnt positional embedding, and map linearly where ``width`` is not the embeddings'.

    Args:
        image_size: side of the images in px; the networks' own.
        face: the network trained on expressions.
        identity: the network trained on identities; its embedding is as wide as that of ``face``.
        tokens: how many; None for as many as the identity network's map has positions.
        width: width of the tokens.
    """

    def __init__(
        self,
        image_size: int,
        *,
        face: Network | str = "expression",
        identity: Network | str = "recognition",
        tokens: int | None = None,
        width: int = 512,
    ):
        super().__init__()
        assert not isinstance(face, str)  # core hands over the networks that the recipe names
        assert not isinstance(identity, str)
        vector = face.embedding_width
        if vector is None or vector != identity.embedding_width:
            raise ValueError(
                f"the expression encoder subtracts embeddings: expected two of one width, found {vector} (face) and "
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
        """Tokens [B, T, W]; no pooled vector: the paper's is identity's alone."""
        deviation = features["deviation"] * features["deviation"].shape[-1] ** 0.5
        spread = self.spread(deviation[..., None]).transpose(1, 2)  # (B, D, T) -> (B, T, D)
        return Encoded(self.project(spread) + self.position)
