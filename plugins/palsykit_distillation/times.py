"""The times of a student's sampler, and of its teacher between them."""

import torch
from torch import Tensor

from palsykit import ConditionalDiffusion

CLEAN = -1
"""The time without noise."""


def grid(timesteps: int, steps: int, substeps: int) -> Tensor:
    """int64 [steps, substeps + 1]: for each of the student's steps its time, the teacher's, and the next step's time.

    The student's times are those of DDIM with ``trailing`` spacing (Lin et al., arXiv:2305.08891): T - 1 is the first,
    then every T / steps; the last step ends at ``CLEAN``.

    Raises:
        ValueError: ``steps`` does not divide ``timesteps``, or there are fewer time steps than the teacher takes.
    """
    if timesteps % steps:
        raise ValueError(f"distillation: steps {steps} does not divide the training's {timesteps} time steps")
    if steps * substeps > timesteps:
        raise ValueError(
            f"distillation: {steps} steps of {substeps} substeps are more than the training's {timesteps} time steps"
        )
    jump = timesteps // steps
    firsts = torch.arange(timesteps - 1, CLEAN, -jump)
    return torch.stack([firsts - round(jump * part / substeps) for part in range(substeps + 1)], dim=1)


def levels(model: ConditionalDiffusion, t: Tensor) -> tuple[Tensor, Tensor]:
    """Signal and noise [B, 1, 1, 1] at times t [B]; 1 and 0 where t is ``CLEAN``."""
    signal, sigma = model.signal_and_noise(t.clamp(min=0))
    clean = (t == CLEAN).view(-1, 1, 1, 1)
    return torch.where(clean, torch.ones_like(signal), signal), torch.where(clean, torch.zeros_like(sigma), sigma)
