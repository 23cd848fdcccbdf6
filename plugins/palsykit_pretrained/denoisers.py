"""The denoisers ``pretrained_unet`` and ``pretrained_dit``: published weights with palsykit's conditions as inputs."""

from copy import deepcopy
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from typing_extensions import TypedDict

from palsykit.files.weights import tensors_digest
from palsykit.foreign.diffusers_models import load
from palsykit.interfaces import AttentionBackend, Conditioning, ConditioningSpec
from palsykit_pretrained import lora
from palsykit_pretrained.layouts import PIXART, UNET, Layout


class OnlyLora(TypedDict):
    """``{lora: {rank: 16}}``."""

    lora: lora.Lora


Train = Literal["all", "attention"] | OnlyLora


class Pretrained(nn.Module):
    """A pretrained text-to-image denoiser whose text is replaced by the fusion's tokens.

    The tokens, all streams concatenated along T, go where text tokens were, through a learnt linear map if their width
    is another. Maps and pooled vector have inputs that are zero at first, so that training starts from the pretrained
    prediction (as ControlNet's zero convolutions, Zhang et al., arXiv:2302.05543): the maps' convolution is added to
    the first one, which is what further input channels would be, and the pooled vector's linear map to the embedded
    time. Both are outside diffusers' model, whose layout stays the published one.

    Args:
        model: diffusers' model.
        layout: where it takes its inputs.
        conditioning: widths of tokens and pooled vector, channels of maps and x_t.
        image_size: side of x_t.
        train: what of the model is trained; the new inputs always are.

    Attributes:
        pretrained_part: the attribute with diffusers' model, which a run saves separately; None with an adapter.

    Raises:
        ValueError: the model needs inputs that a recipe does not have, or x_t has other channels than it reads.
        PalsykitError: peft is missing.
    """

    def __init__(self, model: Any, layout: Layout, conditioning: ConditioningSpec, image_size: int, train: Train):
        super().__init__()
        _check(model, layout, conditioning, image_size)
        # What of the model is trained.
        self.layout, self._frozen = layout, frozenset[str]()
        if isinstance(train, dict):
            lora.add(model, train["lora"])
            kept = (*model.named_parameters(), *model.named_buffers())
            self._frozen = frozenset(f"{layout.part}.{name}" for name, value in kept if not value.requires_grad)
        elif train == "attention":
            for name, parameter in model.named_parameters():
                parameter.requires_grad_(".attn1." in name or ".attn2." in name)
        self.pretrained_part = None if isinstance(train, dict) else layout.part
        self.add_module(layout.part, model)
        # New inputs.
        width, self.spatial = layout.token_width(model), conditioning.spatial
        self.tokens = None if width == conditioning.token_width else nn.Linear(conditioning.token_width, width)
        self.pooled = self.maps = None
        if conditioning.pooled_width is not None:
            self.pooled = _zero(nn.Linear(conditioning.pooled_width, layout.time_width(model)))
        if self.spatial:
            first = model.get_submodule(layout.first)
            shape = {name: getattr(first, name) for name in ("kernel_size", "stride", "padding")}
            self.maps = _zero(nn.Conv2d(self.spatial, first.out_channels, **shape, bias=False))
        self._added: dict[str, Tensor] = {}
        model.get_submodule(layout.first).register_forward_hook(self._add_maps)
        model.get_submodule(layout.time).register_forward_hook(self._add_pooled)

    @cached_property
    def fingerprint(self) -> str:
        """The first 12 digits of the SHA-256 of the weights that an adapter leaves frozen; "" without an adapter."""
        own = super().state_dict()
        kept = {name: own[name] for name in sorted(self._frozen) if name in own}  # not what is never saved
        return tensors_digest(kept)[:12] if kept else ""

    @property
    def model(self) -> Any:
        """diffusers' model."""
        return self.get_submodule(self.layout.part)

    def forward(self, x_t: Tensor, t: Tensor, conditioning: Conditioning) -> Tensor:
        """x_t [B, C, H, W], t [B] int64, tokens [B, T, W] per stream, pooled [B, P] -> prediction [B, C, H, W]."""
        if (channels := 0 if conditioning.spatial is None else conditioning.spatial.shape[1]) != self.spatial:
            raise ValueError(f"built for maps of {self.spatial} channels; the conditioning's have {channels}")
        tokens = torch.cat([conditioning.tokens[name] for name in sorted(conditioning.tokens)], dim=1)
        if self.tokens is not None:
            tokens = self.tokens(tokens)
        if self.maps is not None and conditioning.spatial is not None:
            self._added["maps"] = self.maps(conditioning.spatial.to(x_t))
        if self.pooled is not None:
            if conditioning.pooled is None:
                raise ValueError(f"built for a pooled vector of width {self.pooled.in_features}; found none")
            self._added["pooled"] = self.pooled(conditioning.pooled)
        try:
            return self.layout.call(self.model, x_t, t, tokens)
        finally:
            self._added.clear()

    def save_adapter(self, folder: Path) -> None:
        """Write the adapter as ``pytorch_lora_weights.safetensors``, which diffusers' ``load_lora_weights`` reads."""
        lora.save(self.model, self.layout.part, folder)

    def load_adapter(self, folder: Path) -> dict[str, Tensor]:
        """The entries of the state dict that are in an adapter's folder."""
        return lora.load(folder)

    def state_dict(self, *, destination: Any = None, prefix: str = "", keep_vars: bool = False) -> Any:
        """The weights that training can change: with an adapter, those that stay as they were read are left out."""
        state = super().state_dict(destination=destination, prefix=prefix, keep_vars=keep_vars)
        for name in self._frozen:
            state.pop(prefix + name, None)
        return state

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        own = super().state_dict()
        for name in self._frozen:
            if name in own:
                state_dict.setdefault(prefix + name, own[name])
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Pretrained":
        """A copy, as for the EMA, shares the frozen weights instead of needing their memory again."""
        named = {**dict(self.named_parameters()), **dict(self.named_buffers())}
        memo |= {id(named[name]): named[name] for name in self._frozen if name in named}
        made = self.__class__.__new__(self.__class__)
        memo[id(self)] = made
        made.__dict__ = deepcopy(self.__dict__, memo)
        return made

    def _add_maps(self, module: nn.Module, arguments: Any, output: Tensor) -> Tensor:
        return output + self._added["maps"] if "maps" in self._added else output

    def _add_pooled(self, module: nn.Module, arguments: Any, output: Tensor) -> Tensor:
        return output + self._added["pooled"].to(output) if "pooled" in self._added else output


def _zero(module: Any) -> Any:
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    return module


def _check(model: Any, layout: Layout, conditioning: ConditioningSpec, image_size: int) -> None:
    config = model.config
    if (reason := layout.refusal(config)) is not None:
        raise ValueError(f"{type(model).__name__}: {reason}; name another model")
    if config.in_channels != conditioning.channels:
        raise ValueError(
            f"{type(model).__name__} reads {config.in_channels} channels, and x_t has {conditioning.channels}; "
            "name the codec that it was trained with (codec: {use: autoencoder, weights: FOLDER}), or another model"
        )
    patch = config.get("patch_size", 1)
    if image_size % patch:
        raise ValueError(f"{type(model).__name__}: patches of {patch} do not tile x_t of side {image_size}")


def _built(
    layout: Layout,
    conditioning: ConditioningSpec,
    image_size: int,
    weights: Path,
    config: Path | None,
    train: Train,
    attention: AttentionBackend | None,
) -> Pretrained:
    model = cast(Any, load(weights, layout.classes, config))
    if attention is not None:
        if reason := attention.available():
            raise ValueError(f"attention: it cannot run here: {reason}; leave the key out")
        attention.apply(model)
    return Pretrained(model, layout, conditioning, image_size, train)


def pretrained_unet(
    conditioning: ConditioningSpec,
    image_size: int,
    *,
    weights: Path,
    config: Path | None = None,
    train: Train = "all",
    attention: AttentionBackend | None = None,
) -> Pretrained:
    """diffusers' UNet2DConditionModel in the layouts of Stable Diffusion 1.5 and 2.1 and of Arc2Face.

    Shapes: x_t [B, C, H, W], t [B], streams [B, T, W], pooled [B, P], maps [B, M, H, W] -> prediction [B, C, H, W].

    Args:
        conditioning: widths of tokens and pooled vector, channels of maps and x_t.
        image_size: side of x_t.
        weights: the model's folder, a pipeline's folder that contains it, or a .safetensors file.
        config: for a file: the folder with its config.json; null: beside the file.
        train: ``all``; ``attention``, the attention layers; or ``{lora: {rank: 16}}``, an adapter of these. Then a run
            saves the adapter only, and needs ``weights`` also when it is opened.
        attention: a backend; null: PyTorch's own.

    Raises:
        PalsykitError: the model or peft is missing.
        ValueError: the model needs other inputs or channels, or the backend cannot run.
    """
    return _built(UNET, conditioning, image_size, weights, config, train, attention)


def pretrained_dit(
    conditioning: ConditioningSpec,
    image_size: int,
    *,
    weights: Path,
    config: Path | None = None,
    train: Train = "all",
    attention: AttentionBackend | None = None,
) -> Pretrained:
    """diffusers' PixArtTransformer2DModel: a DiT with cross-attention (PixArt-alpha, arXiv:2310.00426).

    Shapes: x_t [B, C, H, W], t [B], streams [B, T, W], pooled [B, P], maps [B, M, H, W] -> prediction [B, C, H, W]. The
    model gives 2 C channels: the second half is a learnt variance, which is not used.

    Args:
        conditioning: widths of tokens and pooled vector, channels of maps and x_t.
        image_size: side of x_t.
        weights: as for ``pretrained_unet``.
        config: as for ``pretrained_unet``.
        train: as for ``pretrained_unet``.
        attention: as for ``pretrained_unet``.

    Raises:
        PalsykitError: the model or peft is missing.
        ValueError: the model needs other inputs or channels, or the backend cannot run.
    """
    return _built(PIXART, conditioning, image_size, weights, config, train, attention)


MOVED = {"checkpointing": "write train: {gradient_checkpointing: true}, which computes activations again"}
pretrained_unet.former_keys = pretrained_dit.former_keys = MOVED  # type: ignore[attr-defined]
