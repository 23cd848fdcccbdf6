"""The denoiser ``unet``: diffusers' ``UNet2DConditionModel``, with size and conditions from the recipe."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from palsykit.interfaces import Conditioning, ConditioningSpec
from palsykit.recipe.ranges import Layers, Width
from palsykit.training.precision import for_convolutions, keeping_order
from palsykit_unet.attention import Sdpa, fastest, named
from palsykit_unet.streams import decouple

Tokens = Tensor | tuple[Tensor, ...]


class UNet(nn.Module):
    """Residual U-Net with cross-attention on the condition tokens; the pooled vector joins the time embedding.

    Token streams are concatenated along T in the order of their names. If the fusion requests streams with separate
    keys and values (``conditioning.streams``; IP-Adapter's decoupled cross-attention, arXiv:2308.06721), ``unet/`` has
    additional weights, which palsykit can load, but diffusers' own class cannot. The sum of time embedding and
    projected pooled vector scales and shifts the residual blocks' normalised activations. The mid-block always has
    attention.

    Maps are additional channels of the input (as in image-to-image diffusion: Saharia et al., Palette,
    arXiv:2111.05826).

    CFCPalsy's released U-Net has 112 px, 128 base channels with multipliers 1, 1, 2, 2, 4, 4, one block per level,
    attention at 7 px, 64 channels per head and 93.6 M parameters. The nearest equivalent here is
    ``channels: [128, 128, 256, 256, 512, 512], attention_at: [7], head_channels: 64`` at 112 px. Differences:
      - theirs has 7 px in its fifth and sixth level; diffusers' blocks halve at every level, so the sixth has 4 px;
      - theirs appends the tokens' keys and values (1024 = 512 + 512) to those of the self-attention; here
        cross-attention follows self-attention, each with its own linear maps, and a feed-forward layer follows both;
      - theirs resamples inside residual blocks; here strided convolutions, and interpolation + convolution, do it.

    Args:
        conditioning: width of the tokens, and of the pooled vector or None; names of decoupled streams; x_t's channels.
        image_size: side of x_t: of the pictures in px, or of the codec's latents.
        channels: of each level, from full resolution down; each level has half the side of the one above.
        layers: residual blocks per level (one more on the way up).
        attention_at: sides in px of the levels with attention.
        head_channels: width of an attention head; divides the channels of every level with attention.
        patch: side in px of the patches that become the U-Net's pixels; with 2 it works at half the side on 12 channels
            (pixel-unshuffle, Shi et al., arXiv:1609.05158), which allows more channels in the same time.
        attention: name of a backend to use (if it cannot run without CUDA: sdpa, with a note); "auto" is sdpa without
            CUDA, otherwise the fastest backend, measured with the first batch.

    Attributes:
        unet: the diffusers model, which a run saves separately (``pretrained_part``).

    Raises:
        ValueError: sizes do not fit each other, or the machine has CUDA, but the backend cannot run.
        PalsykitError: the backend is unknown.
    """

    pretrained_part = "unet"

    def __init__(
        self,
        conditioning: ConditioningSpec,
        image_size: int,
        *,
        channels: tuple[Width, ...] = (32, 64, 128, 128),
        layers: Layers = 1,
        attention_at: tuple[Width, ...] = (8,),
        head_channels: Width = 32,
        patch: Width = 1,
        attention: str = "auto",
    ):
        super().__init__()
        # Check the sizes.
        if image_size % patch:
            raise ValueError(f"unet: patches of {patch} px do not tile {image_size} px; expected a divisor")
        self.patch = patch
        sides = level_sides(image_size // patch, len(channels))
        _check_sizes(sides, channels, attention_at, head_channels)
        # Build diffusers' model.
        self.pooled_width, self.streams = conditioning.pooled_width, conditioning.streams
        self.spatial = conditioning.spatial
        self.choose_attention = attention == "auto" and torch.cuda.is_available()
        attends = [side in attention_at for side in sides]
        self.unet: Any = UNet2DConditionModel(
            sample_size=image_size // patch,
            in_channels=(conditioning.channels + conditioning.spatial) * patch**2,
            out_channels=conditioning.channels * patch**2,
            block_out_channels=tuple(channels),
            layers_per_block=layers,
            down_block_types=tuple("CrossAttnDownBlock2D" if yes else "DownBlock2D" for yes in attends),
            up_block_types=tuple("CrossAttnUpBlock2D" if yes else "UpBlock2D" for yes in reversed(attends)),
            norm_num_groups=math.gcd(32, *channels),
            cross_attention_dim=conditioning.token_width,
            # In spite of its name, this is the NUMBER of heads in these blocks of diffusers.
            attention_head_dim=tuple(max(1, width // head_channels) for width in channels),
            class_embed_type=None if conditioning.pooled_width is None else "projection",
            projection_class_embeddings_input_dim=conditioning.pooled_width,
            resnet_time_scale_shift="scale_shift",
        )
        # Replace its cross-attention for separate streams, and choose the attention backend.
        if self.streams:
            decouple(self.unet, conditioning.token_width, self.streams)
        (Sdpa() if attention == "auto" else named(attention)).apply(self.unet)

    def forward(self, x_t: Tensor, t: Tensor, conditioning: Conditioning) -> Tensor:
        """x_t [B, C, H, W], t [B] int64, tokens [B, T, W] per stream, pooled [B, P] -> prediction [B, C, H, W]."""
        if self.pooled_width is not None and conditioning.pooled is None:
            raise ValueError(f"unet: built for a pooled vector of width {self.pooled_width}; the conditioning has none")
        if (channels := 0 if conditioning.spatial is None else conditioning.spatial.shape[1]) != self.spatial:
            raise ValueError(f"unet: built for maps of {self.spatial} channels; the conditioning's have {channels}")
        tokens = self._tokens(conditioning.tokens)
        x_t = x_t if conditioning.spatial is None else torch.cat([x_t, conditioning.spatial.to(x_t)], dim=1)
        pooled = None if self.pooled_width is None else conditioning.pooled
        if self.choose_attention and x_t.is_cuda:
            self.choose_attention = False
            self._use_fastest(x_t.detach(), t, _detached(tokens), None if pooled is None else pooled.detach())
        return self._predict(x_t, t, tokens, pooled)

    def _tokens(self, streams: dict[str, Tensor]) -> Tokens:
        """All tokens [B, T, W], or one such tensor per decoupled stream, in the order that the U-Net was built with."""
        if not self.streams:
            return torch.cat([streams[name] for name in sorted(streams)], dim=1)
        if set(streams) != set(self.streams):
            raise ValueError(f"unet: built for the streams {', '.join(self.streams)}; found {', '.join(streams)}")
        return tuple(streams[name] for name in self.streams)

    def _predict(self, x_t: Tensor, t: Tensor, tokens: Tokens, pooled: Tensor | None) -> Tensor:
        x_t = for_convolutions(F.pixel_unshuffle(x_t, self.patch))
        with keeping_order(x_t):
            prediction = self.unet(x_t, t, encoder_hidden_states=tokens, class_labels=pooled, return_dict=False)[0]
        return F.pixel_shuffle(prediction, self.patch)

    def _use_fastest(self, x_t: Tensor, t: Tensor, tokens: Tokens, pooled: Tensor | None) -> None:
        """Choose the fastest backend by a forward pass, and a backward pass if gradients are on; sets no ``.grad``."""
        weights = [weight for weight in self.unet.parameters() if weight.requires_grad]

        def run() -> None:
            prediction = self._predict(x_t, t, tokens, pooled)
            if torch.is_grad_enabled() and weights:
                torch.autograd.grad(prediction.float().sum(), weights, allow_unused=True)

        fastest(self.unet, run)


def _detached(tokens: Tokens) -> Tokens:
    return tokens.detach() if isinstance(tokens, Tensor) else tuple(stream.detach() for stream in tokens)


def level_sides(image_size: int, levels: int) -> tuple[int, ...]:
    """The side of every level in px; halving rounds up, as a strided 3 x 3 convolution with padding 1 does."""
    return tuple(math.ceil(image_size / 2**level) for level in range(levels))


def _check_sizes(
    sides: tuple[int, ...], channels: tuple[int, ...], attention_at: tuple[int, ...], head_channels: int
) -> None:
    if unknown := sorted(set(attention_at) - set(sides)):
        raise ValueError(f"unet: attention_at {unknown}: no level has this side; the levels' sides are {list(sides)}")
    attending = [width for side, width in zip(sides, channels, strict=True) if side in attention_at]
    for width in [*attending, channels[-1]]:  # the mid-block has the last level's channels
        if width % head_channels:
            raise ValueError(
                f"unet: a level with attention has {width} channels; expected a multiple of head_channels = "
                f"{head_channels}"
            )
