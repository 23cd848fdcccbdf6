"""Plain conditional diffusion: the only loss is that of the predicted noise."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from palsykit import ConditionalDiffusion, FaceBatch, TrainingData
from palsykit.diffusion.objective import denoising_pass, draw_noise, one_group
from palsykit.diffusion.windows import check_codec, check_side, draw_window


class DiffusionTrainer:
    """L(theta) = E ||eps - eps_theta(X_t, t)||^2 (DDPM, arXiv:2006.11239, eq. 14; CFCPalsy's first term).

    With ``window``, most steps train on a part of the pictures: a square about forehead, brows, eyes and mouth, where
    expressions show. A step then costs a fraction of one on whole pictures (as in Patch Diffusion, Wang et al.,
    arXiv:2304.12526).

    Args:
        data: the training data.
        min_snr: gamma of min-SNR loss weighting (arXiv:2303.09556); None gives every time step the same weight.
        window: side in px of the square; None: whole pictures. The denoiser must work at this size, too. With a codec
            the latents are cut, at whole latents.
        whole: share of the steps on whole pictures, with a window.

    Raises:
        ValueError: the window is larger than the pictures, or not a multiple of the codec's factor.
    """

    def __init__(
        self,
        data: TrainingData,
        *,
        min_snr: float | None = None,
        window: Annotated[int, Field(ge=16)] | None = None,
        whole: Annotated[float, Field(ge=0, le=1)] = 0.2,
    ):
        check_side(window, data.image_size)
        self.min_snr, self.window, self.whole = min_snr, window, whole

    def groups(self, model: ConditionalDiffusion) -> dict[str, list[nn.Parameter]]:
        """One optimiser for all trainable parameters."""
        group = one_group(model)
        check_codec(self.window, model)
        return group

    def losses(
        self, model: ConditionalDiffusion, batch: FaceBatch, generator: torch.Generator, phase: str
    ) -> dict[str, Tensor]:
        """{"noise": scalar}."""
        assert batch.target is not None  # true for all training batches
        x_0 = model.codec.encode(batch.target.image)
        noise, t = draw_noise(model, x_0, generator)
        conditioning = model.fuse(model.drop(model.encode(batch), generator))
        window = draw_window(model, batch.target, self.window, self.whole, generator)
        if window is not None:
            x_0, noise, conditioning = window.cut(x_0), window.cut(noise), window.within(conditioning)
        return {"noise": denoising_pass(model, x_0, conditioning, noise, t, self.min_snr).loss}
