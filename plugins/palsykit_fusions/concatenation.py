"""The fusion ``concatenation``: the tokens of all conditions in one stream."""

from collections.abc import Mapping

import torch
from torch import nn

from palsykit.interfaces import Conditioning, Encoded, TokenSpec


class Concatenation(nn.Module):
    """All tokens in one stream, which the denoiser's cross-attention reads (Rombach et al., arXiv:2112.10752).

    Latent diffusion has one encoder. For several conditions we add a learnt vector per condition to its tokens, as
    BERT's segment embedding (arXiv:1810.04805) does. This is the baseline for other fusions: conditions do not interact
    before the denoiser.

    Shapes: conditions [B, T_c, W_c] -> one stream "all" [B, sum of T_c, width], in the recipe's order.

    Args:
        inputs: number and width of each condition's tokens; any are allowed.
        width: width of the resulting tokens.
    """

    def __init__(self, inputs: Mapping[str, TokenSpec], *, width: int = 256) -> None:
        super().__init__()
        self.token_width = width
        self.project = nn.ModuleDict({name: nn.Linear(spec.width, width) for name, spec in inputs.items()})
        self.whose = nn.ParameterDict({name: nn.Parameter(torch.randn(width) * 0.02) for name in inputs})

    def forward(self, conditions: dict[str, Encoded]) -> Conditioning:
        """One stream "all" [B, T, width]."""
        tokens = [self.project[name](conditions[name].tokens) + self.whose[name] for name in self.project]
        return Conditioning({"all": torch.cat(tokens, dim=1)})
