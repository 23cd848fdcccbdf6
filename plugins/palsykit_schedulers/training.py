"""The forward process q(x_t | x_0) of training."""

from typing import Annotated, Literal

from diffusers import DDPMScheduler
from pydantic import Field


def ddpm(
    *,
    timesteps: Annotated[int, Field(ge=2)] = 1000,
    schedule: Literal["linear", "scaled_linear", "squaredcos_cap_v2"] = "linear",
    beta_start: Annotated[float, Field(gt=0, lt=1)] = 1e-4,
    beta_end: Annotated[float, Field(gt=0, lt=1)] = 2e-2,
    prediction: Literal["epsilon", "v_prediction", "sample"] = "epsilon",
) -> DDPMScheduler:
    """q(x_t | x_{t-1}) = N(sqrt(1 - beta_t) x_{t-1}, beta_t I) (Ho et al., arXiv:2006.11239, eq. 2).

    Args:
        timesteps: T.
        schedule: of beta; ``squaredcos_cap_v2`` is Nichol and Dhariwal's cosine (arXiv:2102.09672), which ignores
            beta_start and beta_end.
        beta_start: beta at t = 0 for the linear schedules (scaled_linear is linear in sqrt(beta)).
        beta_end: beta at t = T - 1 for the linear schedules.
        prediction: what the denoiser predicts: the noise, v = sqrt(abar) eps - sqrt(1 - abar) x_0 (Salimans and Ho,
            arXiv:2202.00512), or x_0.

    Raises:
        ValueError: beta_end is below beta_start.
    """
    if beta_end < beta_start:
        raise ValueError(f"ddpm: beta_end {beta_end} is below beta_start {beta_start}; noise must not decrease")
    return DDPMScheduler(
        num_train_timesteps=timesteps,
        beta_start=beta_start,
        beta_end=beta_end,
        beta_schedule=schedule,
        prediction_type=prediction,
    )
