"""The built-in synthesiser: sample pictures with a diffusion model."""

from collections.abc import Sequence

import torch
from torch import Tensor

from palsykit.diffusion.model import ConditionalDiffusion
from palsykit.interfaces import FaceBatch, Predict, Sampler
from palsykit.seeds import generator


class DiffusionSynthesiser:
    """Sample pictures with a ConditionalDiffusion.

    Args:
        model: trained, in eval mode.
        sampler: the reverse process.
        guidance: classifier-free guidance strength w: prediction = null + w (conditioned - null); 1 is none.
    """

    def __init__(self, model: ConditionalDiffusion, sampler: Sampler, guidance: float = 1.0):
        self.model, self.sampler, self.guidance = model, sampler, guidance

    @torch.inference_mode()
    def generate(self, batch: FaceBatch, seeds: Sequence[int]) -> Tensor:
        """Make one image per row, [B, 3, H, W] in [-1, 1]; row i depends only on row i of the batch and seeds[i]."""
        generators = [generator("noise", seed) for seed in seeds]
        shape, device = self.model.codec.shape(batch.identity.image), batch.identity.image.device
        noise = torch.stack([torch.randn(shape, generator=g) for g in generators]).to(device)
        x_0 = self.sampler.sample(self._predictor(batch), noise, generators)
        return self.model.codec.decode(x_0).clamp(-1, 1)

    def _predictor(self, batch: FaceBatch) -> Predict:
        model = self.model
        encoded = model.encode(batch)
        conditioned = model.fuse(encoded)
        null = model.fuse(model.without(encoded)) if self.guidance != 1 else None

        def predict(x_t: Tensor, t: Tensor) -> Tensor:
            with torch.autocast(x_t.device.type, enabled=False):  # in bf16 a row would depend on the other rows
                prediction = model.predict(x_t, t, conditioned).float()
                if null is not None:
                    unguided = model.predict(x_t, t, null).float()
                    prediction = unguided + self.guidance * (prediction - unguided)
            return prediction

        return predict
