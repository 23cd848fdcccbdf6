"""Exponential moving average (EMA) of the trained model: parameters and buffers."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def averaged(model: nn.Module, decay: float) -> AveragedModel:
    """EMA copy of ``model``: ema = d ema + (1 - d) model, with d = min(decay, (1 + n) / (10 + n)) at update n.

    With this ramp the average of a short run forgets the initial weights. The copy is in eval mode, without gradients.
    """
    ema = AveragedModel(model, multi_avg_fn=_ramped(decay), use_buffers=True)
    ema.module.eval().requires_grad_(False)
    return ema


def _ramped(decay: float) -> Callable[[Any, Any, Any], None]:
    @torch.no_grad()
    def average(ema: list[Tensor], current: list[Tensor], count: Tensor | int) -> None:
        n = float(count)
        get_ema_multi_avg_fn(min(decay, (1 + n) / (10 + n)))(ema, current, count)  # type: ignore[no-untyped-call]

    return average
