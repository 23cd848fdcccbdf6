"""Token streams with keys and values of their own: IP-Adapter's decoupled cross-attention."""

from collections.abc import Sequence
from typing import Any

from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.attention_processor import Attention
from torch import Tensor, nn


class DecoupledAttention(nn.Module):
    """sum_s softmax(Q K_s^T / sqrt(d)) V_s (Ye et al., arXiv:2308.06721): a query for all, keys and values a stream's.

    hidden [B, N, C], tokens a stream [B, T_s, W] -> [B, N, C]. IP-Adapter adds its image stream to a frozen text stream
    with a weight; here every stream is trained from the start and counts alike, so there is none. Each stream's
    attention is a diffusers layer whose query and output maps are the identity (both are shared, out here): attention
    backends find it and set it as they set any other.

    Args:
        like: the cross-attention that it takes the place of.
        token_width: W.
        streams: their names, in the order in which their tokens come.
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
        """hidden [B, N, C], one [B, T_s, W] a stream -> [B, N, C]; the mask is diffusers' and not used."""
        query = self.to_q(hidden)
        pairs = zip(self.streams.values(), encoder_hidden_states, strict=True)
        mixed = sum(layer(query, encoder_hidden_states=tokens) for layer, tokens in pairs)
        for layer in self.to_out:
            mixed = layer(mixed)
        assert isinstance(mixed, Tensor)
        return mixed


def decouple(unet: nn.Module, token_width: int, streams: Sequence[str]) -> None:
    """Every cross-attention of a diffusers U-Net gets keys and values for each stream."""
    for block in unet.modules():
        if isinstance(block, BasicTransformerBlock):
            block.attn2 = DecoupledAttention(block.attn2, token_width, streams)
