"""IP-Adapter's decoupled cross-attention: each token stream has its own keys and values."""

from collections.abc import Sequence
from typing import Any

from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.attention_processor import Attention
from torch import Tensor, nn


class DecoupledAttention(nn.Module):
    """sum_s softmax(Q K_s^T / sqrt(d)) V_s (Ye et al., arXiv:2308.06721): shared queries, keys and values per stream.

    hidden [B, N, C], tokens [B, T_s, W] per stream -> [B, N, C]. IP-Adapter adds a weighted image stream to a frozen
    text stream; here all streams are trained from the start, so they have no weights. The attention of each stream is a
    diffusers layer, so attention backends find it like any other; its query and output maps are the identity, because
    this module has the shared ones.

    Args:
        like: the cross-attention to replace.
        token_width: W.
        streams: names, in the order of their tokens.
    """

    def __init__(self, like: Attention, token_width: int, streams: Sequence[str]):
        super().__init__()
        self.to_q, self.to_out = like.to_q, like.to_out
        inner, heads = like.to_q.out_features, like.heads
        self.streams = nn.ModuleDict(
            {
                name: Attention(query_dim=inner, cross_attention_dim=token_width, heads=heads, dim_head=inner // heads)
                for name in streams
            }
        )
        for layer in self.streams.values():
            layer.to_q = nn.Identity()
            layer.to_out = nn.ModuleList([nn.Identity(), nn.Identity()])

    def forward(self, hidden: Tensor, encoder_hidden_states: Sequence[Tensor], attention_mask: Any = None) -> Tensor:
        """hidden [B, N, C], tokens [B, T_s, W] per stream -> [B, N, C]; diffusers' mask is not used."""
        query = self.to_q(hidden)
        pairs = zip(self.streams.values(), encoder_hidden_states, strict=True)
        mixed = sum(layer(query, encoder_hidden_states=tokens) for layer, tokens in pairs)
        for layer in self.to_out:
            mixed = layer(mixed)
        assert isinstance(mixed, Tensor)
        return mixed


def decouple(unet: nn.Module, token_width: int, streams: Sequence[str]) -> None:
    """Give every cross-attention of a diffusers U-Net separate keys and values for each stream, in place."""
    for block in unet.modules():
        if isinstance(block, BasicTransformerBlock):
            block.attn2 = DecoupledAttention(block.attn2, token_width, streams)
