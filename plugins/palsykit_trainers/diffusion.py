"""Plain conditional diffusion: the only loss is that of the predicted noise."""

import torch
from torch import Tensor, nn

from palsykit import ConditionalDiffusion, FaceBatch, TrainingData
from palsykit.diffusion.objective import denoising_pass, draw_noise, one_group


class DiffusionTrainer:
    """L(theta) = E ||eps - eps_theta(X_t, t)||^2 (DDPM, arXiv:2006.11239, eq. 14; CFCPalsy's first term).

    Args:
        data: the training data; not used.
        min_snr: gamma of min-SNR loss weighting (arXiv:2303.09556); None gives every time step the same weight.
    """

    def __init__(self, data: TrainingData, *, min_snr: float | None = None):
        self.min_snr = min_snr

    def groups(self, model: ConditionalDiffusion) -> dict[str, list[nn.Parameter]]:
        """One optimiser for all trainable parameters."""
        return one_group(model)

    def losses(
        self, model: ConditionalDiffusion, batch: FaceBatch, generator: torch.Generator, phase: str
    ) -> dict[str, Tensor]:
        """{"noise": scalar}."""
        assert batch.target is not None  # true for all training batches
        noise, t = draw_noise(model, batch.target.image, generator)
        conditioning = model.fuse(model.drop(model.encode(batch), generator))
        return {"noise": denoising_pass(model, batch.target.image, conditioning, noise, t, self.min_snr).loss}
