"""The fusion ``dcface``: all identity tokens, and the other conditions as statistics of patches."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from palsykit.interfaces import Conditioning, Encoded, TokenSpec


class DcFace(nn.Module):
    """DCFace's dual condition (Kim et al., arXiv:2304.07060): identity tokens and patch-wise style statistics.

    A style's feature map is divided into k x k patches. Mean mu and standard deviation sigma of each patch give a token
    LayerNorm(W_1 mu + W_2 sigma + position); so do those of the whole map. These tokens are too coarse to show an
    identity. DCFace uses the map of an early layer of a fixed recognition network and one style picture. Here every
    condition except identity is a style, and its map is the square grid of its encoder's tokens.

    Shapes: identity [B, T, W], styles [B, n^2, W_c] -> "dual" [B, T + styles * (k^2 + 1), width].

    Args:
        inputs: tokens of ``identity`` and of one or more styles; a style's tokens are a square grid, which can be
            divided into k x k patches.
        identity: the condition whose tokens are all used.
        patches: k.
        width: width of the resulting tokens.

    Raises:
        ValueError: the identity is missing, there is no style, or a style's tokens are not such a grid.
    """

    def __init__(
        self, inputs: Mapping[str, TokenSpec], *, identity: str = "identity", patches: int = 2, width: int = 256
    ) -> None:
        super().__init__()
        self.styles = {name: math.isqrt(spec.tokens) for name, spec in inputs.items() if name != identity}
        if identity not in inputs or not self.styles:
            raise ValueError(f"dcface: expected {identity!r} and one or more styles, found {', '.join(inputs)}")
        for name, side in self.styles.items():
            if side**2 != inputs[name].tokens or side % patches or side < 2 * patches:
                raise ValueError(
                    f"dcface: {name} has {inputs[name].tokens} tokens; expected a square grid of {patches} x {patches} "
                    "patches with four tokens each or more; change its encoder's tokens, or patches"
                )
        self.token_width = width
        self.identity, self.patches = identity, patches
        self.project = nn.Linear(inputs[identity].width, width)
        self.mix = nn.ModuleDict({name: nn.Linear(2 * inputs[name].width, width) for name in self.styles})
        self.position = nn.ParameterDict(
            {name: nn.Parameter(torch.randn(patches**2 + 1, width) * 0.02) for name in self.styles}
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, conditions: dict[str, Encoded]) -> Conditioning:
        """One stream "dual": identity's tokens, then k^2 + 1 tokens per style."""
        styles = [
            self.norm(self.mix[name](self._statistics(conditions[name].tokens, side)) + self.position[name])
            for name, side in self.styles.items()
        ]
        tokens = torch.cat([self.project(conditions[self.identity].tokens), *styles], dim=1)
        return Conditioning({"dual": tokens})

    def _statistics(self, tokens: Tensor, side: int) -> Tensor:
        """[B, side^2, W] -> mean and standard deviation of each patch and of the whole map, [B, k^2 + 1, 2 W]."""
        k, step = self.patches, side // self.patches
        grid = tokens.float().unflatten(1, (k, step, k, step)).transpose(2, 3)  # [B, k, k, step, step, W]
        regions = (grid.flatten(3, 4).flatten(1, 2), tokens.float()[:, None])  # [B, k^2, n, W] and [B, 1, side^2, W]
        # 1e-6, because the slope of the root is infinite at 0, the variance of a uniform patch.
        statistics = [torch.cat([r.mean(2), (r.var(2, correction=0) + 1e-6).sqrt()], dim=-1) for r in regions]
        return torch.cat(statistics, dim=1).to(tokens.dtype)
