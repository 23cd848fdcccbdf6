"""The fusion ``gated_sum``: position by position, each condition says how much of it passes."""

from collections.abc import Mapping

import torch
from torch import nn

from palsykit.interfaces import Conditioning, Encoded, TokenSpec


class GatedSum(nn.Module):
    """The gated multimodal unit (Arevalo et al., arXiv:1702.01992), at every token position.

    h_c = tanh(W_c x_c), z_c = sigmoid(U_c [x_1, ..., x_k]), h = sum_c z_c * h_c. The paper fuses one vector a modality;
    here position p of every condition is fused with position p of the others, which is the same place of the picture
    where the tokens are feature maps of one grid. So all conditions need equally many tokens.

    Shapes: conditions [B, T, W_c] -> one stream "gated" [B, T, width].

    Args:
        inputs: every condition's tokens, equally many of any width.
        width: of the resulting tokens.

    Raises:
        ValueError: conditions differ in their number of tokens.
    """

    def __init__(self, inputs: Mapping[str, TokenSpec], *, width: int = 256) -> None:
        super().__init__()
        if len({spec.tokens for spec in inputs.values()}) != 1:
            found = ", ".join(f"{name} {spec.tokens}" for name, spec in inputs.items())
            raise ValueError(
                f"gated_sum adds tokens position by position; expected equally many, found {found}; change the "
                "encoders' tokens, or use concatenation"
            )
        self.token_width = width
        total = sum(spec.width for spec in inputs.values())
        self.value = nn.ModuleDict({name: nn.Linear(spec.width, width) for name, spec in inputs.items()})
        self.gate = nn.ModuleDict({name: nn.Linear(total, width) for name in inputs})

    def forward(self, conditions: dict[str, Encoded]) -> Conditioning:
        """One stream "gated" [B, T, width]."""
        everything = torch.cat([conditions[name].tokens for name in self.value], dim=-1)  # [B, T, sum of W_c]
        passed = [
            torch.sigmoid(self.gate[name](everything)) * torch.tanh(self.value[name](conditions[name].tokens))
            for name in self.value
        ]
        return Conditioning({"gated": torch.stack(passed).sum(dim=0)})
