"""CFCPalsy's cross-fusion: every condition is queried by another one."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from palsykit.interfaces import Conditioning, Encoded, TokenSpec
from palsykit.recipe.ranges import Layers, Width

PAPER_RING = {"identity": "landmark", "expression": "identity", "landmark": "expression"}
"""Key/value condition -> query condition."""


class CrossAttention(nn.Module):
    """Multi-head attention with linear maps for keys, values and output, but none for queries.

    source [B, S, W] gives keys and values, query [B, T, W] the queries; the result is [B, T, W].
    """

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)

    def forward(self, source: Tensor, query: Tensor) -> Tensor:
        """softmax(Q K^T / sqrt(W / heads)) V in each head; heads are concatenated, then mapped linearly."""
        q, k, v = (
            x.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, T, W) -> (B, heads, T, W / heads)
            for x in (query, self.key(source), self.value(source))
        )
        heads = F.scaled_dot_product_attention(q, k, v)
        mixed: Tensor = self.output(heads.transpose(1, 2).flatten(2))
        return mixed


class CrossFusion(nn.Module):
    """Cross-fusion (CFCPalsy, arXiv:2409.07271): three cross-attentions, concatenated along the tokens.

    Identity is queried by landmark, expression by identity, landmark by expression. Each result has as many tokens as
    its query: 3 x 49 = 147 at 112 px. The paper maps them linearly to 1024 channels, 512 for keys and 512 for values,
    which its U-Net appends to those of its self-attention. A diffusers U-Net computes keys and values itself, so we map
    to one stream of tokens of width ``output``. The released code does not train these maps; here they are trained.

    Args:
        inputs: number and width of each condition's tokens; tokens of another width than ``width`` are projected first.
        heads: attention heads; a divisor of ``width``.
        width: width of the attentions.
        output: width of the resulting tokens.
        ring: key/value condition -> query condition; every condition must be in it.
    """

    def __init__(
        self,
        inputs: Mapping[str, TokenSpec],
        *,
        heads: Layers = 4,
        width: Width = 512,
        output: Width = 512,
        ring: dict[str, str] = PAPER_RING,
    ):
        super().__init__()
        _check_ring(ring, inputs)
        if heads < 1 or width % heads:
            raise ValueError(f"{heads} heads cannot share a width of {width}; expected a divisor of it")
        self.ring, self.token_width = dict(ring), output
        self.project = nn.ModuleDict(
            {name: nn.Linear(spec.width, width) for name, spec in inputs.items() if spec.width != width}
        )
        self.attention = nn.ModuleDict({source: CrossAttention(width, heads) for source in ring})
        self.output = nn.Linear(width, output)

    def forward(self, conditions: dict[str, Encoded]) -> Conditioning:
        """One stream "fused" [B, T, output] in the ring's order."""
        tokens = {
            name: self.project[name](encoded.tokens) if name in self.project else encoded.tokens
            for name, encoded in conditions.items()
        }
        results = [self.attention[source](tokens[source], tokens[query]) for source, query in self.ring.items()]
        return Conditioning(tokens={"fused": self.output(torch.cat(results, dim=1))})


def _check_ring(ring: Mapping[str, str], inputs: Mapping[str, TokenSpec]) -> None:
    named = {*ring, *ring.values()}
    if unknown := sorted(named - set(inputs)):
        raise ValueError(f"ring names {', '.join(unknown)}, but the conditions are {', '.join(inputs)}")
    if unread := [name for name in inputs if name not in named]:
        raise ValueError(
            f"ring {dict(ring)} leaves {', '.join(unread)} unread; put it in (key/value: query) or drop the condition"
        )
