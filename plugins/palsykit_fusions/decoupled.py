"""The fusion ``decoupled``: each condition a token stream of its own, which the denoiser attends to separately."""

from collections.abc import Mapping

from torch import nn

from palsykit.interfaces import Conditioning, Encoded, TokenSpec


class Decoupled(nn.Module):
    """IP-Adapter's decoupled cross-attention (Ye et al., arXiv:2308.06721): one softmax a condition, added up.

    In one softmax over all tokens, conditions compete, and the one with the loudest keys wins; here each has keys and
    values of its own in every cross-attention of the denoiser, which must know streams (``unet`` does; one that does
    not concatenates them). As IP-Adapter's image projection: a linear map and a LayerNorm make tokens of one width. It
    adapts a frozen text-to-image model with one image stream and a weight; here all streams are trained together.

    Shapes: conditions [B, T_c, W_c] -> a stream a condition, under its name, [B, T_c, width].

    Args:
        inputs: every condition's tokens, of any count and width.
        width: of the resulting tokens.
    """

    def __init__(self, inputs: Mapping[str, TokenSpec], *, width: int = 256) -> None:
        super().__init__()
        self.token_width = width
        self.streams = tuple(inputs)
        self.project = nn.ModuleDict(
            {name: nn.Sequential(nn.Linear(spec.width, width), nn.LayerNorm(width)) for name, spec in inputs.items()}
        )

    def forward(self, conditions: dict[str, Encoded]) -> Conditioning:
        """A stream [B, T_c, width] for each condition."""
        tokens = {name: project(conditions[name].tokens) for name, project in self.project.items()}
        return Conditioning(tokens)
