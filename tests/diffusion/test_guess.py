"""A guess, corrected: the posterior mean before the denoiser says anything, and what it says is of unit size."""

import pytest
import torch
from diffusers import DDPMScheduler
from torch import nn

from palsykit.diffusion.guess import corrected, output_scale
from palsykit.diffusion.model import Condition, ConditionalDiffusion, Overlay
from palsykit.diffusion.objective import denoising_pass
from palsykit.interfaces import Conditioning, Encoded, FaceBatch, FaceView, Guess, TokenSpec

SIZE = 8


class Silent(nn.Module):
    """A condition that says nothing."""

    def __init__(self):
        super().__init__()
        self.spec = TokenSpec(1, 4)

    def extract(self, view):
        return {"tokens": torch.zeros(len(view), 1, 4)}

    def forward(self, features):
        return Encoded(features["tokens"])


class Picture:
    """The identity picture."""

    channels, views = 3, ("identity",)

    def __call__(self, view):
        return view.image


class Tokens(nn.Module):
    token_width = 4

    def forward(self, conditions):
        return Conditioning({"all": torch.cat([c.tokens for c in conditions.values()], 1)})


class Constant(nn.Module):
    """A denoiser that says one thing."""

    def __init__(self, said=0.0):
        super().__init__()
        self.said = nn.Parameter(torch.tensor(float(said)))

    def forward(self, x_t, t, conditioning):
        return self.said.expand_as(x_t)


def model(said=0.0, prediction="v_prediction"):
    scheduler = DDPMScheduler(prediction_type=prediction, beta_schedule="squaredcos_cap_v2")
    maps = {"picture": Overlay(Picture(), error=0.1)}
    return ConditionalDiffusion({"who": Condition(Silent(), "identity")}, Tokens(), Constant(said), scheduler, maps)


def faces(rows=4):
    torch.manual_seed(0)
    identity = torch.rand(rows, 3, SIZE, SIZE) * 2 - 1
    return FaceBatch(FaceView.of_images(identity), FaceView.of_images(identity))


@pytest.mark.parametrize("t", [1, 100, 500, 999])
def test_a_silent_denoiser_leaves_the_posterior_mean(t):
    """Of Gaussian x_0 ~ N(p, s^2) seen through noise, by Bayes."""
    built, batch, steps = model(), faces(), torch.tensor([t] * 4)
    guess = built.fuse(built.encode(batch)).guess
    signal, sigma = (share.double() for share in built.signal_and_noise(steps))
    generator = torch.Generator().manual_seed(t)
    x_t = torch.randn(4, 3, SIZE, SIZE, generator=generator).double()
    velocity = corrected(guess, torch.zeros_like(x_t), x_t, signal, sigma)
    p, s = guess.image.double(), 0.1
    by_bayes = (p / s**2 + signal / sigma**2 * x_t) / (1 / s**2 + signal**2 / sigma**2)
    torch.testing.assert_close(signal * x_t - sigma * velocity, by_bayes, atol=1e-5, rtol=0)


def test_what_the_denoiser_has_to_say_is_of_unit_size_at_every_time():
    torch.manual_seed(0)
    built, s = model(), 0.1
    for t in (5, 50, 200, 600, 990):
        steps = torch.full((512,), t)
        signal, sigma = built.signal_and_noise(steps)
        p = torch.rand(512, 3, SIZE, SIZE) * 2 - 1
        x_0, noise = p + s * torch.randn_like(p), torch.randn_like(p)
        x_t = signal * x_0 + sigma * noise
        guess = Guess(p, torch.full((512,), s))
        known = corrected(guess, torch.zeros_like(p), x_t, signal, sigma)
        to_say = (signal * noise - sigma * x_0 - known) / output_scale(torch.tensor(s), signal, sigma)
        assert to_say.std().item() == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("prediction", ["v_prediction", "epsilon", "sample"])
def test_every_prediction_type_says_the_same_picture(prediction):
    batch, t = faces(), torch.tensor([20, 300, 700, 980])
    x_t = torch.randn(4, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    pictures = []
    for kind in ("v_prediction", prediction):
        built = model(0.3, kind)
        signal, sigma = built.signal_and_noise(t)
        said = built.predict(x_t, t, built.fuse(built.encode(batch)))
        pictures.append({"v_prediction": signal * x_t - sigma * said, "sample": said,
                         "epsilon": (x_t - sigma * said) / signal}[kind])  # fmt: skip
    torch.testing.assert_close(pictures[1], pictures[0], atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("prediction", ["v_prediction", "epsilon", "sample"])
def test_the_loss_is_of_what_the_denoiser_says(prediction):
    """A change of its output by d changes each row's error by (2 d + d^2) or so, whatever the time."""
    batch, t = faces(), torch.tensor([20, 300, 700, 980])
    noise = torch.randn(4, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    x_0 = batch.identity.image
    built = model(0.0, prediction)
    conditioning = built.fuse(built.encode(batch))

    def errors(said):
        with torch.no_grad():
            built.denoiser.said.fill_(said)
            return denoising_pass(built, x_0, conditioning, noise, t).errors

    curvature = errors(1.0) + errors(-1.0) - 2 * errors(0.0)
    torch.testing.assert_close(curvature, torch.full((4,), 2.0), atol=2e-3, rtol=2e-3)


def test_without_a_guess_the_denoisers_word_is_the_prediction():
    built = model(0.25)
    x_t, t = torch.randn(2, 3, SIZE, SIZE), torch.tensor([3, 900])
    conditioning = Conditioning({"all": torch.zeros(2, 1, 4)})
    assert torch.equal(built.predict(x_t, t, conditioning), torch.full_like(x_t, 0.25))
    assert torch.equal(built.gain(t, conditioning), torch.ones(2))
