"""The forward process is the paper's."""

import math

import torch

from palsykit_schedulers.training import ddpm


def test_default_is_the_papers_linear_schedule():
    scheduler = ddpm()
    expected = torch.cumprod(1 - torch.linspace(1e-4, 2e-2, 1000, dtype=torch.float64), dim=0)
    torch.testing.assert_close(scheduler.alphas_cumprod.double(), expected, atol=1e-6, rtol=1e-4)
    assert scheduler.config.prediction_type == "epsilon"


def test_noising_is_closed_form():
    scheduler = ddpm()
    x_0, eps, t = torch.rand(4, 3, 8, 8), torch.randn(4, 3, 8, 8), torch.tensor([0, 10, 500, 999])
    abar = scheduler.alphas_cumprod[t].view(-1, 1, 1, 1)
    torch.testing.assert_close(scheduler.add_noise(x_0, eps, t), abar.sqrt() * x_0 + (1 - abar).sqrt() * eps)


def test_cosine_schedule_follows_nichol_and_dhariwal():
    scheduler = ddpm(schedule="squaredcos_cap_v2")

    def f(t):
        return math.cos((t / 1000 + 0.008) / 1.008 * math.pi / 2) ** 2

    assert math.isclose(scheduler.alphas_cumprod[499].item(), f(500) / f(0), rel_tol=1e-3)
