"""Exponential moving average (EMA) of the trained model: parameters and buffers."""

from collections import defaultdict
from itertools import chain

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from palsykit.training.sharded import here


class Averaged(AveragedModel):
    """EMA copy of a model: ema = d ema + (1 - d) model, with d = min(decay, (1 + n) / (10 + n)) at update n.

    With this ramp the average of a short run forgets the initial weights. The copy is in eval mode, without gradients.
    torch's own update counts on the device, for which the host would wait in every step.
    """

    def __init__(self, model: nn.Module, decay: float):
        super().__init__(model, use_buffers=True)
        self.decay = decay
        self.module.eval().requires_grad_(False)

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """Take the model's present weights into the average."""
        n = int(self.n_averaged)  # on the CPU
        own, other = (chain(module.parameters(), module.buffers()) for module in (self.module, model))
        pairs: dict[torch.dtype, tuple[list[Tensor], list[Tensor]]] = defaultdict(lambda: ([], []))
        for average, value in zip(map(here, own), map(here, other), strict=True):
            if n == 0:
                average.copy_(value)
            else:
                pairs[average.dtype][0].append(average)
                pairs[average.dtype][1].append(value.detach())
        average_of = get_ema_multi_avg_fn(min(self.decay, (1 + n) / (10 + n)))  # type: ignore[no-untyped-call]
        for averages, values in pairs.values():
            average_of(averages, values, n)
        self.n_averaged += 1
