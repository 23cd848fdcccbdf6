"""The fusion ``modulation``: FiLM; the other conditions scale and shift the tokens of one condition."""

from collections.abc import Mapping

import torch
from torch import nn

from palsykit.interfaces import Conditioning, Encoded, TokenSpec
from palsykit.recipe.ranges import Width


class Modulation(nn.Module):
    """FiLM (Perez et al., arXiv:1709.07871): gamma F + beta, with gamma and beta from the other conditions.

    In the paper a question modulates the channels of feature maps inside a network. Here the other conditions
    (expression, landmarks), each averaged over its tokens, modulate the channels of one condition's tokens (identity).
    As in the paper, one gamma and one beta apply to all positions, so the others cannot act on single positions. We
    predict gamma - 1, so that the tokens are almost unchanged at the start of the training.

    Shapes: conditions [B, T_c, W_c] -> one stream "modulated" [B, T_of, width].

    Args:
        inputs: number and width of each condition's tokens; any are allowed; at least one condition besides ``of``.
        of: the condition whose tokens are modulated.
        width: width of the resulting tokens.

    Raises:
        ValueError: ``of`` is not a condition, or it is the only one.
    """

    def __init__(
        self,
        inputs: Mapping[str, TokenSpec],
        *,
        of: str = "identity",
        width: Width = 256,
    ) -> None:
        super().__init__()
        if of not in inputs or len(inputs) < 2:
            raise ValueError(f"modulation: expected {of!r} and another condition, found {', '.join(inputs)}")
        self.token_width = width
        self.of = of
        self.by = [name for name in inputs if name != of]
        self.project = nn.Linear(inputs[of].width, width)
        self.film = nn.Linear(sum(inputs[name].width for name in self.by), 2 * width)

    def forward(self, conditions: dict[str, Encoded]) -> Conditioning:
        """One stream "modulated" [B, T, width]."""
        summary = torch.cat([conditions[name].tokens.mean(dim=1) for name in self.by], dim=-1)  # [B, sum of W_c]
        scale, shift = self.film(summary)[:, None].chunk(2, dim=-1)  # each [B, 1, width]
        tokens = (1 + scale) * self.project(conditions[self.of].tokens) + shift
        return Conditioning({"modulated": tokens})
