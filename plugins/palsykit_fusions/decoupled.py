"""The fusion ``decoupled``: one token stream per condition; the denoiser attends to each separately."""

from collections.abc import Mapping

from torch import nn

from palsykit.interfaces import Conditioning, Encoded, TokenSpec


class Decoupled(nn.Module):
    """IP-Adapter's decoupled cross-attention (Ye et al., arXiv:2308.06721): one softmax per condition; results add up.

    In a single softmax over all tokens, conditions compete, and the one with the largest keys wins. Here each condition
    has its own keys and values in every cross-attention of the denoiser. The denoiser must support streams: ``unet``
    does; others concatenate them. As in IP-Adapter's image projection, a linear map and a LayerNorm give all tokens the
    same width. IP-Adapter adapts a frozen text-to-image model with one weighted image stream; here all streams are
    trained together.

    Shapes: conditions [B, T_c, W_c] -> one stream [B, T_c, width] per condition, with its name.

    Args:
        inputs: number and width of each condition's tokens; any are allowed.
        width: width of the resulting tokens.
    """

    def __init__(self, inputs: Mapping[str, TokenSpec], *, width: int = 256) -> None:
        super().__init__()
        self.token_width = width
        self.streams = tuple(inputs)
        self.project = nn.ModuleDict(
            {name: nn.Sequential(nn.Linear(spec.width, width), nn.LayerNorm(width)) for name, spec in inputs.items()}
        )

    def forward(self, conditions: dict[str, Encoded]) -> Conditioning:
        """One stream [B, T_c, width] per condition."""
        tokens = {name: project(conditions[name].tokens) for name, project in self.project.items()}
        return Conditioning(tokens)
