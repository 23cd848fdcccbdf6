"""Where diffusers' denoisers take their inputs: tokens, time, and the places at which palsykit adds maps and vector."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import PixArtTransformer2DModel, UNet2DConditionModel
from torch import Tensor

from palsykit.training.precision import for_convolutions, keeping_order

LATENT_PX = 8
"""Side in px of a latent of PixArt's autoencoder; its transformer is told the picture's size."""


@dataclass(frozen=True)
class Layout:
    """One kind of denoiser.

    Attributes:
        part: the name of diffusers' folder for it.
        classes: diffusers' classes, by name.
        first: the first convolution, which reads x_t; maps are added to what it gives.
        time: the module that embeds the time; the pooled vector is added to what it gives.
        token_width: of a model: the width of its text tokens.
        time_width: of a model: the width of its embedded time.
        call: (model, x_t, t, tokens) -> prediction.
        refusal: of a model's configuration: why it cannot be used, or None.
    """

    part: str
    classes: dict[str, Any]
    first: str
    time: str
    token_width: Callable[[Any], int]
    time_width: Callable[[Any], int]
    call: Callable[[Any, Tensor, Tensor, Tensor], Tensor]
    refusal: Callable[[Any], str | None]


def _call_unet(model: Any, x_t: Tensor, t: Tensor, tokens: Tensor) -> Tensor:
    x_t = for_convolutions(x_t)
    with keeping_order(x_t):
        prediction: Tensor = model(x_t, t, encoder_hidden_states=tokens, return_dict=False)[0]
    return prediction


def _call_pixart(model: Any, x_t: Tensor, t: Tensor, tokens: Tensor) -> Tensor:
    size = torch.full((len(x_t), 2), float(x_t.shape[-1] * LATENT_PX), device=x_t.device, dtype=x_t.dtype)
    ratio = torch.ones(len(x_t), 1, device=x_t.device, dtype=x_t.dtype)
    sizes = {"resolution": size, "aspect_ratio": ratio} if model.use_additional_conditions else {}
    named = {"resolution": None, "aspect_ratio": None} | sizes
    output = model(x_t, tokens, t, added_cond_kwargs=named, return_dict=False)[0]
    return output[:, : x_t.shape[1]]  # type: ignore[no-any-return]  # what follows is a learnt variance


def _refuse_unet(config: Any) -> str | None:
    for key in ("addition_embed_type", "class_embed_type", "encoder_hid_dim_type", "time_cond_proj_dim"):
        if config.get(key) is not None:
            return f"its configuration has {key}: {config[key]}, which asks for inputs that palsykit does not have"
    width = config.cross_attention_dim
    return None if isinstance(width, int) else f"its blocks read tokens of different widths, {width}"


def _refuse_pixart(config: Any) -> str | None:
    return None if config.out_channels in (None, config.in_channels, 2 * config.in_channels) else "other channels out"


UNET = Layout(
    "unet",
    {"UNet2DConditionModel": UNet2DConditionModel},
    "conv_in",
    "time_embedding",
    lambda model: int(model.config.cross_attention_dim),
    lambda model: int(model.time_embedding.linear_2.out_features),
    _call_unet,
    _refuse_unet,
)
PIXART = Layout(
    "transformer",
    {"PixArtTransformer2DModel": PixArtTransformer2DModel},
    "pos_embed.proj",
    "adaln_single.emb",
    lambda model: int(model.config.caption_channels or model.config.cross_attention_dim),
    lambda model: int(model.inner_dim),
    _call_pixart,
    _refuse_pixart,
)
