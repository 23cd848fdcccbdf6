"""One denoising pass and its loss, for all diffusion trainers."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from palsykit.devices import sent
from palsykit.diffusion.model import ConditionalDiffusion
from palsykit.errors import PalsykitError
from palsykit.interfaces import Conditioning
from palsykit.seeds import integers, normal


@dataclass
class Pass:
    """One denoising pass: t [B], the noisy x_t, the estimate x0_hat [B, C, H, W], mean loss, errors [B].

    With a codec x_t and x0_hat are latents.
    """

    t: Tensor
    x_t: Tensor
    x0_hat: Tensor
    loss: Tensor
    errors: Tensor


def one_group(model: nn.Module) -> dict[str, list[nn.Parameter]]:
    """One parameter group with all trainable parameters of a diffusion model.

    Raises:
        PalsykitError: the model is not a diffusion model.
    """
    if not isinstance(model, ConditionalDiffusion):
        raise PalsykitError(
            f"the trainer needs a diffusion model, and the model is a {type(model).__name__}; name a trainer that can "
            "train it, or give conditions, fusion, denoiser and scheduler instead of synthesiser"
        )
    return {"model": [p for p in model.parameters() if p.requires_grad]}


def draw_noise(model: ConditionalDiffusion, like: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw standard normal noise with the shape of ``like`` and one uniform time step per row."""
    noise = normal(like.shape, generator, like.device)
    t = sent(integers(0, model.timesteps, (len(like),), generator), like.device)
    return noise, t


def denoising_pass(
    model: ConditionalDiffusion,
    x_0: Tensor,
    conditioning: Conditioning,
    noise: Tensor,
    t: Tensor,
    min_snr: float | None = None,
) -> Pass:
    """E ||target - prediction||^2 at x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) noise (DDPM, arXiv:2006.11239, eq. 14).

    Args:
        model: makes the prediction.
        x_0: [B, C, H, W]: pictures, or a codec's latents.
        conditioning: of the same B rows.
        noise: [B, C, H, W].
        t: [B].
        min_snr: gamma of min-SNR weighting (Hang et al., arXiv:2303.09556), or None for equal weights.
    """
    x_t = model.add_noise(x_0, noise, t)
    prediction = model.predict(x_t, t, conditioning).float()
    errors = (prediction - model.objective(x_0, noise, t)).square().mean(dim=(1, 2, 3))
    errors = errors / model.gain(t, conditioning).square()  # with a guess: the error of the denoiser's own output
    if min_snr is not None:
        errors = errors * _min_snr_weight(model, t, min_snr)
    return Pass(t, x_t, model.predict_x0(prediction, x_t, t), errors.mean(), errors)


def _min_snr_weight(model: ConditionalDiffusion, t: Tensor, gamma: float) -> Tensor:
    signal, sigma = model.signal_and_noise(t)
    snr = (signal / sigma).square().flatten()
    clipped = snr.clamp(max=gamma)
    return {"epsilon": clipped / snr, "sample": clipped, "v_prediction": clipped / (snr + 1)}[model.prediction_type]
