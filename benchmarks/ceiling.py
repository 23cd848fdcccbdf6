"""The machine's ceiling: the fastest matrix product, convolution and copy; the seconds that a step needs at least."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

Clock = Callable[[], float]
ADAMW_AND_EMA = 10
"""Numbers per weight that are read or written at least: AdamW 7 (weight, gradient, two moments; three out), EMA 3."""


def clock(kind: str) -> Clock:
    """Seconds of the wall's clock, or of this process's CPU time per thread, which other programs do not lengthen.

    Waits until a GPU has finished.
    """

    def now() -> float:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return time.process_time() / torch.get_num_threads() if kind == "cpu" else time.perf_counter()

    return now


@dataclass(frozen=True)
class Rates:
    """What the machine reaches: FLOP per second in products and convolutions, bytes per second read and written."""

    product: float
    convolution: float
    copy: float


def rates(device: torch.device, dtype: torch.dtype, now: Clock, span: float = 0.15) -> Rates:
    """The best of several shapes, each repeated for about ``span`` seconds."""
    large = device.type == "cuda"
    sides = (4096, 8192) if large else (512, 1024, 2048)
    shapes = [(64, 128, 112), (64, 256, 56), (64, 512, 28)] if large else [(2, 128, 112), (2, 256, 28), (4, 512, 14)]
    products = [_product(side, device, dtype, now, span) for side in sides]
    convolutions = [_convolution(*shape, device, dtype, now, span) for shape in shapes]
    numbers = 1 << (28 if large else 24)  # far more than a cache holds
    source, target = (torch.ones(numbers, device=device) for _ in range(2))
    copied = 8 * numbers / _best(lambda: target.copy_(source), now, span)
    return Rates(max(products), max(convolutions), copied)


def _product(side: int, device: torch.device, dtype: torch.dtype, now: Clock, span: float) -> float:
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    return 2 * side**3 / _best(lambda: a @ b, now, span)


def _convolution(
    batch: int, channels: int, side: int, device: torch.device, dtype: torch.dtype, now: Clock, span: float
) -> float:
    """The best of the usual order of channels and channels_last."""
    best = 0.0
    for order in (torch.contiguous_format, torch.channels_last):
        image = torch.randn(batch, channels, side, side, device=device, dtype=dtype).to(memory_format=order)
        weight = torch.randn(channels, channels, 3, 3, device=device, dtype=dtype).to(memory_format=order)
        with torch.no_grad():
            seconds = _best(partial(F.conv2d, image, weight, padding=1), now, span)
        best = max(best, 2 * 9 * channels**2 * side**2 * batch / seconds)
    return best


def _best(call: Callable[[], Tensor], now: Clock, span: float) -> float:
    """Seconds of the fastest of at least three calls."""
    best, end = float("inf"), time.perf_counter() + span
    call()
    for turn in range(1000):
        began = now()
        call()
        best = min(best, now() - began)
        if turn >= 2 and time.perf_counter() > end:
            break
    return max(best, 1e-9)


def count(step: Callable[[], object]) -> dict[str, float]:
    """FLOPs of a step by kind: of convolutions and of products (linear layers and attention), forward and backward."""
    with FlopCounterMode(display=False) as counter:
        step()
    found = {"convolution": 0.0, "product": 0.0}
    for operator, flops in counter.get_flop_counts()["Global"].items():
        found["convolution" if "convolution" in str(operator) else "product"] += flops
    return found


def least_seconds(flops: Mapping[str, float], weights: int, machine: Rates) -> float:
    """Seconds of a training step if all FLOPs ran at the machine's rates and each weight were touched once."""
    moved = 4 * ADAMW_AND_EMA * weights / machine.copy
    return flops["convolution"] / machine.convolution + flops["product"] / machine.product + moved
