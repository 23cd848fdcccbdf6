"""Contracts of schedulers (forward process), samplers (reverse process) and attention backends."""

import tempfile
from typing import Any

import torch
from diffusers import DDPMScheduler
from torch import Tensor

from palsykit.seeds import generator
from palsykit.testing.modules import HALF, ROWS_APART, distance
from palsykit.testing.result import Check, NotChecked, Unmet
from palsykit.testing.stand_ins import faces
from palsykit.testing.subject import Subject

PREDICTIONS = ("epsilon", "v_prediction", "sample")
RECOVERED = 0.05
"""Largest pixel error, in the range [-1, 1], of a picture sampled with a perfect denoiser."""


def scheduler_checks(subject: Subject) -> list[Check]:
    """The scheduler is a forward process that the model, the samplers and the run's folder can use."""
    scheduler = subject.build()
    return [
        ("has what the model reads", lambda: scheduler_members(scheduler)),
        ("noise grows from a picture to none of it", lambda: noise_grows(scheduler)),
        ("add_noise is q(x_t | x_0)", lambda: adds_noise(scheduler)),
        ("comes back from its saved config", lambda: scheduler_round_trip(scheduler)),
    ]


def scheduler_members(scheduler: Any) -> None:
    """It has alphas_cumprod, betas, add_noise, config.prediction_type and config.num_train_timesteps."""
    lacking = [
        name for name in ("alphas_cumprod", "betas", "add_noise", "save_pretrained") if not hasattr(scheduler, name)
    ]
    config: Any = getattr(scheduler, "config", None)
    if lacking or getattr(config, "prediction_type", None) not in PREDICTIONS:
        raise Unmet(
            f"a diffusers scheduler with betas, alphas_cumprod, add_noise and a prediction_type of {PREDICTIONS}",
            f"{type(scheduler).__name__} without {', '.join(lacking) or 'such a prediction_type'}",
            "return a scheduler of diffusers; for your own betas DDPMScheduler(trained_betas=...)",
        )
    if len(scheduler.alphas_cumprod) != config.num_train_timesteps:
        raise Unmet(
            f"as many alphas_cumprod as num_train_timesteps = {config.num_train_timesteps}",
            str(len(scheduler.alphas_cumprod)),
            "set num_train_timesteps to the number of betas",
        )


def noise_grows(scheduler: Any) -> None:
    """abar falls strictly from near 1 to near 0, and stays above 0."""
    abar = scheduler.alphas_cumprod.double()
    if not bool((abar.diff() < 0).all()) or not bool(((abar > 0) & (abar < 1)).all()):
        raise Unmet("alphas_cumprod that fall within (0, 1)", f"{abar[0]:.4g} ... {abar[-1]:.4g}", "correct the betas")
    if abar[0] < 0.9 or abar[-1] > 0.1:
        raise Unmet(
            "abar above 0.9 at t = 0 and below 0.1 at t = T - 1, because sampling starts from pure noise",
            f"{abar[0]:.3g} and {abar[-1]:.3g}",
            "start with smaller betas, end with larger ones, or use more",
        )


def adds_noise(scheduler: Any) -> None:
    """add_noise gives sqrt(abar_t) x_0 + sqrt(1 - abar_t) noise for each row."""
    x_0, noise = faces(3, 8, "x_0").image, torch.randn(3, 3, 8, 8, generator=generator("noise"))
    t = torch.tensor([0, len(scheduler.alphas_cumprod) // 2, len(scheduler.alphas_cumprod) - 1])
    abar = scheduler.alphas_cumprod.float()[t].view(-1, 1, 1, 1)
    expected = abar.sqrt() * x_0 + (1 - abar).sqrt() * noise
    if (gap := distance(scheduler.add_noise(x_0, noise, t), expected)) > ROWS_APART:
        raise Unmet("sqrt(abar_t) x_0 + sqrt(1 - abar_t) noise", f"{gap:.1e} apart", "keep diffusers' add_noise")


def scheduler_round_trip(scheduler: Any) -> None:
    """save_pretrained and from_pretrained give the same process: the run's folder stores the config only."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            scheduler.save_pretrained(folder)
        except TypeError as error:
            raise Unmet("a config that JSON can store", str(error), "use lists and numbers, not arrays") from None
        again = type(scheduler).from_pretrained(folder)
    if distance(again.alphas_cumprod, scheduler.alphas_cumprod) > 1e-6:
        raise Unmet(
            "the same alphas_cumprod from the saved config",
            "others",
            "pass betas to the constructor (trained_betas); do not assign them to the finished scheduler",
        )


def sampler_checks(subject: Subject) -> list[Check]:
    """The sampler finds the picture that a perfect denoiser knows, for every kind of prediction."""
    subject.build(DDPMScheduler())  # type: ignore[no-untyped-call]
    return [
        ("finds what a perfect denoiser knows", lambda: recovers(subject)),
        ("deterministic, rows do not depend on their neighbours", lambda: rows_apart(subject)),
        ("keeps to [-1, 1]", lambda: in_range(subject)),
    ]


def _sampled(subject: Subject, kind: str, x_0: Tensor, rows: list[int], gain: float = 1.0) -> Tensor:
    """Pictures [len(rows), 3, H, W] sampled with a denoiser that always predicts ``gain`` x_0."""
    scheduler: Any = DDPMScheduler(prediction_type=kind)  # type: ignore[no-untyped-call]
    sampler = subject.build(scheduler)

    def predict(x_t: Tensor, t: Tensor) -> Tensor:
        abar = scheduler.alphas_cumprod[t.long().cpu()].view(-1, 1, 1, 1)
        truth = gain * x_0[rows]
        noise = (x_t - abar.sqrt() * truth) / (1 - abar).sqrt()
        velocity: Tensor = abar.sqrt() * noise - (1 - abar).sqrt() * truth
        predictions: dict[str, Tensor] = {"epsilon": noise, "sample": truth, "v_prediction": velocity}
        return predictions[kind]

    generators = [generator("row", row) for row in rows]
    noise = torch.stack([torch.randn(x_0.shape[1:], generator=g) for g in generators])
    pictures: Tensor = sampler.sample(predict, noise, generators)
    return pictures


def recovers(subject: Subject) -> None:
    """A denoiser that knows x_0 gives x_0."""
    x_0 = faces(2, 8, "x_0").image
    for kind in PREDICTIONS:
        result = _sampled(subject, kind, x_0, [0, 1])
        if result.shape != x_0.shape or float((result - x_0).abs().max()) > RECOVERED:
            same = result.shape == x_0.shape
            seen = f"{float((result - x_0).abs().max()):.2f} off" if same else f"{list(result.shape)}"
            raise Unmet(
                f"x_0 from a denoiser that knows it, prediction {kind}",
                seen,
                "read prediction_type and betas from the training scheduler, and end at t = 0",
            )


def rows_apart(subject: Subject) -> None:
    """A second call gives the same, and a row alone gives the same as in its batch."""
    x_0 = faces(3, 8, "x_0").image
    whole, again, alone = (_sampled(subject, "epsilon", x_0, rows, 0.9) for rows in ([0, 1, 2], [0, 1, 2], [2]))
    if not torch.equal(whole, again) or distance(alone[0], whole[2]) > ROWS_APART:
        raise Unmet(
            "a row's picture to depend on its own noise and generator only",
            "it changes from call to call, or with its neighbours",
            "draw noise row by row from generators[i], and keep no state between calls",
        )


def in_range(subject: Subject) -> None:
    """A denoiser that predicts too large values still gives pictures in [-1, 1]."""
    result = _sampled(subject, "sample", faces(2, 8, "x_0").image, [0, 1], 3.0)
    if not bool((result.abs() <= 1).all()):
        raise Unmet("pictures in [-1, 1]", f"{float(result.abs().max()):.2f}", "clamp the result")


def attention_checks(subject: Subject) -> list[Check]:
    """The backend says whether it can run here, and computes attention correctly."""
    subject.build()
    return [
        ("available() is None or a line", lambda: says_whether(subject)),
        ("computes softmax(Q K^T / sqrt(d)) V", lambda: attends(subject)),
    ]


def says_whether(subject: Subject) -> None:
    """available() gives None or a reason in one line, and does not raise."""
    reason = subject.build().available()
    if reason is not None and (not isinstance(reason, str) or not reason.strip() or "\n" in reason):
        raise Unmet("None, or the reason in one line", repr(reason), "return a sentence that names the next step")


def attends(subject: Subject) -> None:
    """A diffusers layer with this backend gives the same result as the formula."""
    backend = subject.build()
    if reason := backend.available():
        raise NotChecked(f"it cannot run here: {reason}")
    from diffusers.models.attention_processor import Attention  # after plugins: it imports every attention library

    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(0)
    layer = Attention(query_dim=32, cross_attention_dim=24, heads=2, dim_head=16).to(device).eval()
    hidden, tokens = torch.randn(2, 9, 32, device=device), torch.randn(2, 5, 24, device=device)
    backend.apply(layer)
    q, k, v = (m(x).unflatten(-1, (2, 16)).transpose(1, 2) for m, x in
               ((layer.to_q, hidden), (layer.to_k, tokens), (layer.to_v, tokens)))  # fmt: skip
    mixed = torch.softmax(q @ k.transpose(-1, -2) / 16**0.5, -1) @ v
    expected = layer.to_out[0](mixed.transpose(1, 2).flatten(2))
    if (gap := distance(layer(hidden, encoder_hidden_states=tokens), expected)) > HALF / 10:
        raise Unmet("the result of plain attention", f"{gap:.1%} apart", "check scale and head layout")
