"""The fusion ``gated_sum``: a gated sum of all conditions at each token position."""

from collections.abc import Mapping

import torch
from torch import nn

from palsykit.interfaces import Conditioning, Encoded, TokenSpec


class GatedSum(nn.Module):
    """The gated multimodal unit (Arevalo et al., arXiv:1702.01992), at each token position.

    h_c = tanh(W_c x_c), z_c = sigmoid(U_c [x_1, ..., x_k]), h = sum_c z_c * h_c. The paper fuses one vector per
    modality. Here token p of each condition is fused with token p of the others; if the tokens are feature maps on the
    same grid, these show the same place of the picture. All conditions must have the same number of tokens.

    Shapes: conditions [B, T, W_c] -> one stream "gated" [B, T, width].

    Args:
        inputs: number and width of each condition's tokens; the numbers must be equal.
        width: width of the resulting tokens.

    Raises:
        ValueError: conditions have different numbers of tokens.
    """

    def __init__(self, inputs: Mapping[str, TokenSpec], *, width: int = 256) -> None:
        super().__init__()
        if len({spec.tokens for spec in inputs.values()}) != 1:
            counts = ", ".join(f"{name} {spec.tokens}" for name, spec in inputs.items())
            raise ValueError(
                f"gated_sum adds tokens position by position; expected equal numbers of tokens, found {counts}; change "
                "the encoders' tokens, or use concatenation"
            )
        self.token_width = width
        total = sum(spec.width for spec in inputs.values())
        self.value = nn.ModuleDict({name: nn.Linear(spec.width, width) for name, spec in inputs.items()})
        self.gate = nn.ModuleDict({name: nn.Linear(total, width) for name in inputs})

    def forward(self, conditions: dict[str, Encoded]) -> Conditioning:
        """One stream "gated" [B, T, width]."""
        all_tokens = torch.cat([conditions[name].tokens for name in self.value], dim=-1)  # [B, T, sum of W_c]
        terms = [
            torch.sigmoid(self.gate[name](all_tokens)) * torch.tanh(self.value[name](conditions[name].tokens))
            for name in self.value
        ]
        return Conditioning({"gated": torch.stack(terms).sum(dim=0)})
