"""Every sampler against data whose best denoiser is known in closed form."""

import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler

from palsykit_schedulers.samplers import Ancestral, Ddim, DpmSolver
from palsykit_schedulers.training import ddpm

SAMPLERS = {
    "ddim": lambda s, **k: Ddim(s, **k),
    "ddim trailing": lambda s, **k: Ddim(s, **{"spacing": "trailing", "eta": 0.0, **k}),
    "dpm_solver": lambda s, **k: DpmSolver(s, **k),
    "dpm_solver karras": lambda s, **k: DpmSolver(s, karras=True, **k),
    "dpm_solver first order": lambda s, **k: DpmSolver(s, **{"order": 1, "steps": 40, **k}),
    "ddpm": lambda s, **k: Ancestral(s, **{"steps": 200, **k}),
}
SCHEDULES = ("linear", "squaredcos_cap_v2")
PREDICTIONS = ("epsilon", "v_prediction", "sample")


def gaussian_denoiser(scheduler, mean, std):
    """The exact prediction for data N(mean, std^2): E[x_0 | x_t] by Bayes, turned into what the scheduler asks for."""

    def predict(x_t, t):
        abar = scheduler.alphas_cumprod[t].view(-1, 1, 1, 1)
        alpha, sigma = abar.sqrt(), (1 - abar).sqrt()
        x_0 = mean + alpha * std**2 / (alpha**2 * std**2 + sigma**2) * (x_t - alpha * mean)
        eps = (x_t - alpha * x_0) / sigma
        return {"epsilon": eps, "v_prediction": alpha * eps - sigma * x_0, "sample": x_0}[
            scheduler.config.prediction_type
        ]

    return predict


def noise_and_generators(rows, side=16):
    generators = [torch.Generator().manual_seed(100 + row) for row in range(rows)]
    return torch.cat([torch.randn(1, 3, side, side, generator=g) for g in generators]), generators


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("name", SAMPLERS)
def test_recovers_a_point(name, schedule):
    scheduler = ddpm(schedule=schedule)
    point = torch.linspace(-0.9, 0.9, 3 * 256).view(1, 3, 16, 16)
    noise, generators = noise_and_generators(2)
    images = SAMPLERS[name](scheduler).sample(gaussian_denoiser(scheduler, point, 0.0), noise, generators)
    assert (images - point).abs().max() < 0.02


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("name", SAMPLERS)
def test_recovers_a_gaussian(name, schedule):
    """The spread comes with the number of steps: the last step of all of them is a mean and draws nothing."""
    scheduler = ddpm(schedule=schedule)
    noise, generators = noise_and_generators(16)
    images = SAMPLERS[name](scheduler, steps=500).sample(gaussian_denoiser(scheduler, 0.2, 0.2), noise, generators)
    assert images.mean().item() == pytest.approx(0.2, abs=0.01)
    assert images.std().item() == pytest.approx(0.2, rel=0.05)


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_row_does_not_depend_on_its_neighbours(name):
    scheduler = ddpm()
    predict = gaussian_denoiser(scheduler, 0.1, 0.3)
    noise, generators = noise_and_generators(4)
    together = SAMPLERS[name](scheduler).sample(predict, noise, generators)
    noise, generators = noise_and_generators(4)
    alone = [SAMPLERS[name](scheduler).sample(predict, noise[i : i + 1], generators[i : i + 1]) for i in range(4)]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=0)
    assert not torch.allclose(together[0], together[1], atol=0.1)


@pytest.mark.parametrize("name", SAMPLERS)
def test_prediction_types_agree(name):
    images = []
    for prediction in PREDICTIONS:
        scheduler = ddpm(prediction=prediction)
        noise, generators = noise_and_generators(2)
        sampler = SAMPLERS[name](scheduler)
        images.append(sampler.sample(gaussian_denoiser(scheduler, -0.1, 0.2), noise, generators))
    for other in images[1:]:
        torch.testing.assert_close(other, images[0], atol=5e-3, rtol=0)


def test_a_sampler_can_be_used_twice():
    scheduler = ddpm()
    sampler, predict = DpmSolver(scheduler), gaussian_denoiser(scheduler, 0.0, 0.2)
    noise, generators = noise_and_generators(1)
    first = sampler.sample(predict, noise, generators)
    assert torch.equal(first, sampler.sample(predict, noise, generators))


def test_eta_draws_noise_and_zero_does_not():
    scheduler = ddpm()
    predict = gaussian_denoiser(scheduler, 0.0, 0.2)
    noise, _ = noise_and_generators(1)

    def image(eta, seed):
        return Ddim(scheduler, eta=eta).sample(predict, noise, [torch.Generator().manual_seed(seed)])

    assert torch.equal(image(0.0, 1), image(0.0, 2))
    assert not torch.allclose(image(1.0, 1), image(1.0, 2), atol=0.05)


def test_pictures_stay_in_range_when_predictions_do_not():
    for name, build in SAMPLERS.items():
        scheduler = ddpm(prediction="sample")
        noise, generators = noise_and_generators(1)
        images = build(scheduler).sample(lambda x_t, t: torch.full_like(x_t, 3.0), noise, generators)
        assert images.abs().max() <= 1, name
        assert images.min() > 0.99, name


def test_half_precision_predictions_are_stepped_in_float32():
    scheduler = ddpm()
    predict = gaussian_denoiser(scheduler, 0.0, 0.2)
    noise, generators = noise_and_generators(1)
    images = DpmSolver(scheduler).sample(lambda x_t, t: predict(x_t, t).bfloat16(), noise, generators)
    assert images.dtype == torch.float32


def test_karras_does_not_spend_its_steps_in_pure_noise():
    seen = []
    scheduler = ddpm(schedule="squaredcos_cap_v2", prediction="v_prediction")
    predict = gaussian_denoiser(scheduler, 0.0, 0.2)
    noise, generators = noise_and_generators(1)
    DpmSolver(scheduler, karras=True).sample(lambda x, t: seen.append(t.item()) or predict(x, t), noise, generators)
    assert len(seen) == 15
    assert sum(t < 500 for t in seen) >= 5


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Ddim(ddpm(), steps=30), r"does not divide 1000; use one of \[20, 25, 40, 50\]"),
        (lambda: DpmSolver(ddpm(timesteps=10)), "steps 15 is more than the training's 10"),
        (lambda: Ddim(FlowMatchEulerDiscreteScheduler()), "FlowMatchEulerDiscreteScheduler has no betas"),
        (lambda: ddpm(beta_start=0.1, beta_end=0.01), "beta_end 0.01 is below"),
    ],
)
def test_refusals_say_why(build, message):
    with pytest.raises(ValueError, match=message):
        build()
