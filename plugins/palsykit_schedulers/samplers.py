"""Reverse processes: from x_T ~ N(0, I) to a picture, through diffusers' schedulers.

All of them read the betas and the prediction type of the training scheduler, clip the final picture to [-1, 1] and,
with ``clip``, every step's estimate of x_0 as well. Each row has its own generator; a step that draws noise draws
it row by row, so a row's pixels do not depend on its neighbours. Predictions are taken to float32 before a step.
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
"""log(alpha / sigma) below which DPM-Solver++ does not start."""


class Ddim:
    """DDIM (Song et al., arXiv:2010.02502); the defaults are CFCPalsy's released sampling: 50 steps, eta 1.

    Args:
        steps: must divide the training's T: DDIMScheduler jumps by T // steps whatever its time steps are.
        eta: 0 is deterministic, 1 draws DDPM's noise.
        spacing: ``leading`` takes t = 0, T/steps, ... and so starts below T - 1 (980 of 1000 for 50 steps);
            ``trailing`` starts at T - 1 and ends at T/steps - 1 (Lin et al., arXiv:2305.08891, section 3.3).
        clip: x_0 estimates to [-1, 1].
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
            raise ValueError(f"ddim: steps {steps} does not divide {timesteps}; near it: {near}; or use dpm_solver")
        self.steps, self.eta = steps, eta
        self._scheduler = lambda: DDIMScheduler(**process, clip_sample=clip, timestep_spacing=spacing)

    def sample(self, predict: Predict, noise: Tensor, generators: Sequence[Generator]) -> Tensor:
        """noise [B, 3, H, W], one CPU generator a row -> images [B, 3, H, W] in [-1, 1]."""
        return _walk(self._scheduler(), self.steps, predict, noise, eta=self.eta, generator=list(generators))


class Ancestral:
    """DDPM's ancestral sampling (Ho et al., arXiv:2006.11239, algorithm 2), with steps left out if asked.

    The noise added has the posterior's variance; beta_t's, the paper's other choice, leaves noise in the picture when
    steps are left out.

    Args:
        steps: None for all T of training.
        clip: x_0 estimates to [-1, 1].
    """

    def __init__(
        self,
        training_scheduler: Any,
        *,
        steps: Steps | None = None,
        clip: bool = True,
    ):
        process = _process(training_scheduler, steps)
        self.steps = steps or process["num_train_timesteps"]
        self._scheduler = lambda: DDPMScheduler(
            **process, clip_sample=clip, variance_type="fixed_small", timestep_spacing="trailing"
        )

    def sample(self, predict: Predict, noise: Tensor, generators: Sequence[Generator]) -> Tensor:
        """noise [B, 3, H, W], one CPU generator a row -> images [B, 3, H, W] in [-1, 1]."""
        return _walk(self._scheduler(), self.steps, predict, noise, generator=list(generators))


class DpmSolver:
    """DPM-Solver++(2M) (Lu et al., arXiv:2211.01095): deterministic, second order, multistep; 15 to 25 steps do.

    The walk starts where log(alpha / sigma) is LAMBDA_MIN: the cosine schedule's last steps have next to no
    signal and divide by it (diffusers' advice); the linear schedule's T - 1 is just inside that bound.

    Args:
        steps: evaluations of the denoiser.
        order: 1 is DDIM with eta 0, 2 is 2M.
        karras: noise levels spaced as Karras et al. (arXiv:2206.00364, eq. 5), rho 7, instead of evenly in t.
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
        self.steps = steps
        self._keys = dict(process, solver_order=order, use_karras_sigmas=karras, thresholding=clip)

    def _scheduler(self) -> DPMSolverMultistepScheduler:
        scheduler = DPMSolverMultistepScheduler(
            **self._keys, algorithm_type="dpmsolver++", sample_max_value=1.0, lambda_min_clipped=LAMBDA_MIN
        )
        # lambda_min_clipped bounds the even spacing only; Karras' reads its bound here, or spends its steps at t > 990
        scheduler.register_to_config(sigma_max=min(math.exp(-LAMBDA_MIN), float(scheduler.sigmas.max())))
        return scheduler

    def sample(self, predict: Predict, noise: Tensor, generators: Sequence[Generator]) -> Tensor:
        """noise [B, 3, H, W] -> images [B, 3, H, W] in [-1, 1]; the generators are not drawn from."""
        return _walk(self._scheduler(), self.steps, predict, noise)


def _process(training_scheduler: Any, steps: int | None) -> dict[str, Any]:
    """The training's forward process as keys that every diffusers scheduler with betas takes."""
    betas = getattr(training_scheduler, "betas", None)
    if betas is None:
        found = type(training_scheduler).__name__
        raise ValueError(f"sampler: {found} has no betas (flow matching?); use a scheduler with betas, such as ddpm")
    if steps is not None and steps > len(betas):
        raise ValueError(f"sampler: steps {steps} is more than the training's {len(betas)} time steps")
    return {
        "num_train_timesteps": len(betas),
        "trained_betas": betas.tolist(),
        "prediction_type": training_scheduler.config.prediction_type,
    }


def _walk(scheduler: Any, steps: int, predict: Predict, noise: Tensor, **options: Any) -> Tensor:
    """Runs ``scheduler`` from x_T = noise to x_0; ``options`` go to each of its steps."""
    scheduler.set_timesteps(steps)
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(0)  # else it is looked up by t, and equal rounded t lose the first step
    x_t = noise.float()
    for t in scheduler.timesteps:
        prediction = predict(x_t, t.to(noise.device).expand(len(noise))).float()
        x_t = scheduler.step(prediction, t, x_t, **options).prev_sample
    return x_t.clamp(-1, 1)
