"""Faster ways to compute on a CPU what torch computes slowly there in bf16; the same to the bit or up to rounding.

Measured with one thread of an Intel Xeon with AMX, 2 x 128 x 112 x 112 numbers (docs/lab-notes.md, 2026-11-29):

- backward pass of a group norm in bf16 with the channels last: 55 ms; in fp32 and back again 14 ms;
- backward pass of PReLU, which also computes what a frozen network's weights need: 14 ms; of other operations 3 ms;
- autocast casts a frozen weight in every call, because it caches only the casts of weights that have gradients;
- attention in bf16, forward and backward, 8 rows of 4 heads of 100 x 100 tokens: 20 ms; by plain products 6 ms.
"""

import contextlib
from collections.abc import Callable, Iterator, MutableMapping
from contextvars import ContextVar
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode
from torch.utils.checkpoint import checkpoint
from torch.utils.weak import WeakIdKeyDictionary

from palsykit.training.precision import has_channels_last, keeping_order

_active: ContextVar[bool] = ContextVar("_active", default=False)


@contextlib.contextmanager
def faster(device: torch.device) -> Iterator[None]:
    """The context for a forward pass with gradients: on a CPU torch's functions take the faster ways.

    Not for a model that is compiled: its compiler has ways of its own.
    """
    if device.type != "cpu":
        yield
        return
    token = _active.set(True)
    try:
        with _Faster():
            yield
    finally:
        _active.reset(token)


def recomputed(module: nn.Module, *inputs: Any) -> Any:
    """What ``module`` gives for ``inputs``, whose activations are computed again in the backward pass.

    For diffusers' ``enable_gradient_checkpointing``. They are computed again in the same ways and order, so the result
    has the same bits; torch's own function would leave these contexts, and refuses what then differs.
    """
    was_faster = _active.get()

    @contextlib.contextmanager
    def again() -> Iterator[None]:
        with faster(inputs[0].device) if was_faster else contextlib.nullcontext(), keeping_order(inputs[0]):
            yield

    return checkpoint(module, *inputs, use_reentrant=False, context_fn=lambda: (contextlib.nullcontext(), again()))


class _Faster(TorchFunctionMode):
    """Sends calls of some functions another way."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        way = None if torch.compiler.is_compiling() else _WAYS.get(function)
        return (way or function)(*args, **(kwargs or {}))


# Weights of frozen networks, under autocast.

_frozen: ContextVar[bool] = ContextVar("_frozen", default=False)


@contextlib.contextmanager
def frozen_weights() -> Iterator[None]:
    """The context in which a network is read whose weights never change: ``faster`` casts them once for all steps.

    Only its owner knows this. Weights without gradients may well change, such as those of an average.
    """
    token = _frozen.set(True)
    try:
        yield
    finally:
        _frozen.reset(token)


_casts: MutableMapping[Tensor, tuple[int, Tensor]] = WeakIdKeyDictionary()


def _cast_once(weight: Tensor) -> Tensor:
    """The weight in autocast's type, cast when it is first needed or was loaded anew; with a gradient as it is."""
    if weight.requires_grad or not weight.is_leaf or weight.dtype is not torch.float32 or weight.is_inference():
        return weight
    dtype = torch.get_autocast_dtype("cpu")
    version, cast = _casts.get(weight, (-1, weight))
    if version != weight._version or cast.dtype is not dtype:
        cast = weight.detach().to(dtype)
        _casts[weight] = weight._version, cast
    return cast


def _casting(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def call(*inputs: Any, **named: Any) -> Tensor:
        if _frozen.get() and len(inputs) > 1 and torch.is_autocast_enabled("cpu"):
            image, weight, *others = inputs
            inputs = (image, _cast_once(weight), *others)
        return function(*inputs, **named)

    return call


# Group norm.


def _group_norm(
    x: Tensor, groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    half = x.dtype is torch.bfloat16 and weight is not None and bias is not None
    if half and x.requires_grad and torch.is_grad_enabled() and has_channels_last(x):
        normalised: Tensor = _GroupNorm.apply(x, weight, bias, groups, eps)
        return normalised
    return F.group_norm(x, groups, weight, bias, eps)


class _GroupNorm(torch.autograd.Function):
    """Group norm of bf16 with the channels last [B, C, H, W], whose gradients are computed in full precision."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float) -> Tensor:
        normalised, mean, scale = torch.native_group_norm(x, weight, bias, *_sizes(x), groups, eps)
        ctx.save_for_backward(x, weight, bias, mean, scale)
        ctx.groups, ctx.eps = groups, eps
        return normalised

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        x, weight, bias, mean, scale = ctx.saved_tensors
        if torch.is_grad_enabled():  # for a second derivative, which torch's function below does not have
            again = F.group_norm(x.float(), ctx.groups, weight, bias, ctx.eps)
            found = torch.autograd.grad(again, (x, weight, bias), gradient.float(), create_graph=True)
        else:
            found = torch.ops.aten.native_group_norm_backward(
                gradient.float().contiguous(memory_format=torch.channels_last),
                x.float(),
                mean.float(),
                scale.float(),
                weight.float(),
                *_sizes(x),
                ctx.groups,
                ctx.needs_input_grad[:3],
            )
        typed = [None if g is None else g.to(of) for g, of in zip(found, (x, weight, bias), strict=True)]
        return *typed, None, None


def _sizes(x: Tensor) -> tuple[int, int, int]:
    rows, channels, height, width = x.shape
    return rows, channels, height * width


# PReLU with frozen slopes.


def _prelu(input: Tensor, weight: Tensor) -> Tensor:  # torch's names, by which it may be called
    if input.requires_grad and torch.is_grad_enabled() and not weight.requires_grad and input.dim() > 1:
        if torch.is_autocast_enabled("cpu") and input.dtype is not torch.float64:
            input = input.to(torch.get_autocast_dtype("cpu"))  # as autocast does for this function
        rectified: Tensor = _PReLU.apply(input, weight.to(input.dtype).view(1, -1, *(1 for _ in input.shape[2:])))
        return rectified
    return F.prelu(input, weight)


class _PReLU(torch.autograd.Function):
    """PReLU whose slopes, broadcast over [B, C, ...], have no gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, slope: Tensor) -> Tensor:
        ctx.save_for_backward(x, slope)
        rectified: Tensor = torch._prelu_kernel(x, slope)
        return rectified

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        # gradient where x > 0, else gradient * slope. No sum rounds, because one side is always 0.
        x, slope = ctx.saved_tensors
        sloped = gradient * slope
        positive = torch.ops.aten.threshold_backward
        if torch.is_grad_enabled():  # for a second derivative
            return sloped - positive(sloped, x, 0) + positive(gradient, x, 0), None
        part = positive(sloped, x, 0)  # in place from here on: new memory costs as much as the sums
        sloped.sub_(part)
        return sloped.add_(positive.grad_input(gradient, x, 0, grad_input=part)), None


# Attention.

_FEW = 1 << 15
"""Pairs of tokens up to which plain products were faster in bf16."""


def _attention(*inputs: Any, **named: Any) -> Tensor:
    few = len(inputs) > 1 and inputs[0].shape[-2] * inputs[1].shape[-2] <= _FEW
    if few and inputs[0].dtype is torch.bfloat16 and inputs[0].requires_grad and torch.is_grad_enabled():
        with sdpa_kernel(SDPBackend.MATH):
            return F.scaled_dot_product_attention(*inputs, **named)
    return F.scaled_dot_product_attention(*inputs, **named)


_WAYS: dict[Any, Callable[..., Tensor]] = {
    F.conv2d: _casting(F.conv2d),
    F.linear: _casting(F.linear),
    F.group_norm: _group_norm,
    F.prelu: _prelu,
    F.scaled_dot_product_attention: _attention,
}
