"""bf16 autocast on hardware that multiplies bf16, fp16 where a recipe asks for it; full precision otherwise."""

import contextlib
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


def autocast_dtype(setting: str, device: torch.device) -> torch.dtype | None:
    """The autocast dtype for "auto", "bf16", "fp16" or "fp32"; None means full precision.

    "auto" never means fp16: its largest number is 65,504, and not every model keeps below it.
    """
    if setting == "fp16":
        return torch.float16
    if setting == "fp32" or (setting == "auto" and not multiplies_bf16(device)):
        return None
    return torch.bfloat16


def autocast(dtype: torch.dtype | None, device: torch.device) -> contextlib.AbstractContextManager[object]:
    """The context for a forward pass."""
    return torch.autocast(device.type, dtype=dtype) if dtype is not None else contextlib.nullcontext()


def for_convolutions(image: Tensor) -> Tensor:
    """[B, C, H, W] in the order of memory that convolutions want: with bf16 in a CPU's hardware the channels come last.

    There oneDNN works in that order, and copies input and output of every convolution that are in another one. The
    layers that follow keep the order. In full precision it would be slower; on a GPU, and under autocast on a CPU
    without bf16, it was not measured.
    """
    if image.device.type == "cpu" and torch.is_autocast_enabled("cpu") and multiplies_bf16(image.device):
        return image.contiguous(memory_format=torch.channels_last)
    return image


def has_channels_last(x: Tensor) -> bool:
    """Whether x [B, C, H, W] has its channels last in memory, and the usual order does not describe it as well."""
    return x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()


def keeping_order(x: Tensor) -> contextlib.AbstractContextManager[object]:
    """The context in which a U-Net of diffusers reads x: if its channels are last in memory, those of all layers are.

    Its residual blocks call ``contiguous`` on what a shortcut reads, and its attention on its result. Both would return
    to the usual order, and every layer that follows would work in it.
    """
    return _KeepOrder() if has_channels_last(x) else contextlib.nullcontext()


class _KeepOrder(TorchFunctionMode):
    """Makes ``contiguous`` leave pictures alone whose channels are last."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is Tensor.contiguous and not kwargs and has_channels_last(args[0]):
            return args[0]
        return function(*args, **(kwargs or {}))


def multiplies_bf16(device: torch.device) -> bool:
    """Whether the device has instructions for products of bf16; without them, bf16 is slower than fp32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return device.type == "cpu" and _processor_multiplies_bf16()


@cache
def _processor_multiplies_bf16() -> bool:
    flags = Path("/proc/cpuinfo")
    text = flags.read_text() if flags.exists() else ""
    return "avx512_bf16" in text or "amx_bf16" in text
