"""Samplers: the reverse process from x_T ~ N(0, I) to a picture, with diffusers' schedulers.

All of them read the betas and the prediction type of the training scheduler and clip the final picture to [-1, 1]; with
``clip`` they also clip every step's estimate of x_0. If the training scheduler's ``clip_sample`` is False, as for the
latents of a codec, nothing is clipped. Each row has its own generator, and noise is drawn row by row, so
a row's pixels do not depend on its neighbours. Predictions are converted to float32 before a step.
"""

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler
from pydantic import Field
from torch import Generator, Tensor

from palsykit.interfaces import Predict

Steps = Annotated[int, Field(ge=1)]
LAMBDA_MIN = -5.1
"""The smallest log(alpha / sigma) at which DPM-Solver++ starts."""


class Ddim:
    """DDIM (Song et al., arXiv:2010.02502); the defaults are CFCPalsy's released sampling: 50 steps, eta 1.

    Args:
        steps: a divisor of the training's T: DDIMScheduler always jumps by T // steps.
        eta: 0 is deterministic, 1 adds DDPM's noise.
        spacing: ``leading`` takes t = 0, T/steps, ... and so starts below T - 1 (980 of 1000 for 50 steps);
            ``trailing`` starts at T - 1 and ends at T/steps - 1 (Lin et al., arXiv:2305.08891, section 3.3).
        clip: x_0 estimates to [-1, 1]; has no effect on a codec's latents.
    """

    def __init__(
        self,
        training_scheduler: Any,
        *,
        steps: Steps = 50,
        eta: Annotated[float, Field(ge=0, le=1)] = 1.0,
        spacing: Literal["leading", "trailing"] = "leading",
        clip: bool = True,
    ):
        process = _process(training_scheduler, steps)
        timesteps = process["num_train_timesteps"]
        if timesteps % steps:
            near = [n for n in range(1, timesteps + 1) if timesteps % n == 0 and steps / 2 <= n <= 2 * steps]
            raise ValueError(f"ddim: steps {steps} does not divide {timesteps}; use one of {near}, or dpm_solver")
        self.steps, self.eta, self.bounded = steps, eta, _is_bounded(training_scheduler)
        clips = clip and self.bounded
        self._scheduler = lambda: DDIMScheduler(**process, clip_sample=clips, timestep_spacing=spacing)

    def sample(self, predict: Predict, noise: Tensor, generators: Sequence[Generator]) -> Tensor:
        """noise [B, C, H, W], one CPU generator per row -> x_0 [B, C, H, W]; pictures are in [-1, 1]."""
        x_0 = _walk(self._scheduler(), self.steps, predict, noise, eta=self.eta, generator=list(generators))
        return x_0.clamp(-1, 1) if self.bounded else x_0


class Ancestral:
    """DDPM's ancestral sampling (Ho et al., arXiv:2006.11239, algorithm 2), optionally with fewer steps.

    The noise has the posterior's variance. The paper's other choice, beta_t, leaves noise in the picture if steps are
    skipped.

    Args:
        steps: None for all T steps of training.
        clip: x_0 estimates to [-1, 1]; has no effect on a codec's latents.
    """

    def __init__(
        self,
        training_scheduler: Any,
        *,
        steps: Steps | None = None,
        clip: bool = True,
    ):
        process = _process(training_scheduler, steps)
        self.steps, self.bounded = steps or process["num_train_timesteps"], _is_bounded(training_scheduler)
        clips = clip and self.bounded
        self._scheduler = lambda: DDPMScheduler(
            **process, clip_sample=clips, variance_type="fixed_small", timestep_spacing="trailing"
        )

    def sample(self, predict: Predict, noise: Tensor, generators: Sequence[Generator]) -> Tensor:
        """noise [B, C, H, W], one CPU generator per row -> x_0 [B, C, H, W]; pictures are in [-1, 1]."""
        x_0 = _walk(self._scheduler(), self.steps, predict, noise, generator=list(generators))
        return x_0.clamp(-1, 1) if self.bounded else x_0


class DpmSolver:
    """DPM-Solver++(2M) (Lu et al., arXiv:2211.01095): deterministic, second order, multistep; needs 15 to 25 steps.

    It starts where log(alpha / sigma) is LAMBDA_MIN, as diffusers advises: the last steps of the cosine schedule have
    almost no signal and divide by it. The linear schedule's T - 1 is just inside this bound.

    Args:
        steps: evaluations of the denoiser.
        order: 1 is DDIM with eta 0, 2 is 2M.
        karras: noise levels spaced as in Karras et al. (arXiv:2206.00364, eq. 5) with rho 7, instead of evenly in t.
        clip: x_0 estimates to [-1, 1] (dynamic thresholding whose largest threshold is 1, which is clipping).
    """

    def __init__(
        self,
        training_scheduler: Any,
        *,
        steps: Steps = 15,
        order: Literal[1, 2] = 2,
        karras: bool = False,
        clip: bool = True,
    ):
        process = _process(training_scheduler, steps)
        self.steps, self.bounded = steps, _is_bounded(training_scheduler)
        clips = clip and self.bounded
        self._keys = dict(process, solver_order=order, use_karras_sigmas=karras, thresholding=clips)

    def _scheduler(self) -> DPMSolverMultistepScheduler:
        scheduler = DPMSolverMultistepScheduler(
            **self._keys, algorithm_type="dpmsolver++", sample_max_value=1.0, lambda_min_clipped=LAMBDA_MIN
        )
        # lambda_min_clipped limits the even spacing only. Karras' spacing needs sigma_max, or most steps have t > 990.
        scheduler.register_to_config(sigma_max=min(math.exp(-LAMBDA_MIN), float(scheduler.sigmas.max())))
        return scheduler

    def sample(self, predict: Predict, noise: Tensor, generators: Sequence[Generator]) -> Tensor:
        """noise [B, C, H, W] -> x_0 [B, C, H, W], pictures in [-1, 1]; the generators are not used."""
        x_0 = _walk(self._scheduler(), self.steps, predict, noise)
        return x_0.clamp(-1, 1) if self.bounded else x_0


def _process(training_scheduler: Any, steps: int | None) -> dict[str, Any]:
    """The training's forward process as arguments for any diffusers scheduler with betas.

    Raises:
        ValueError: the training scheduler has no betas, or fewer than ``steps``.
    """
    betas = getattr(training_scheduler, "betas", None)
    if betas is None:
        kind = type(training_scheduler).__name__
        raise ValueError(f"sampler: {kind} has no betas (flow matching?); use a scheduler with betas, such as ddpm")
    if steps is not None and steps > len(betas):
        raise ValueError(f"sampler: steps {steps} is more than the training's {len(betas)} time steps")
    return {
        "num_train_timesteps": len(betas),
        "trained_betas": betas.tolist(),
        "prediction_type": training_scheduler.config.prediction_type,
    }


def _is_bounded(training_scheduler: Any) -> bool:
    """Whether x_0 is in [-1, 1], as pictures are and the latents of most codecs are not."""
    return bool(training_scheduler.config.get("clip_sample", True))


def _walk(scheduler: Any, steps: int, predict: Predict, noise: Tensor, **options: Any) -> Tensor:
    """Run ``scheduler`` from x_T = noise to x_0; ``options`` are passed to each of its steps."""
    scheduler.set_timesteps(steps)
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(0)  # otherwise it is looked up by t, and equal rounded t skip the first step
    x_t = noise.float()
    for t in scheduler.timesteps:
        prediction = predict(x_t, t.to(noise.device).expand(len(noise))).float()
        x_t = scheduler.step(prediction, t, x_t, **options).prev_sample
    return x_t
