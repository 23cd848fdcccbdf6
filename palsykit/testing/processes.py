"""Contracts of codecs, schedulers (forward process), samplers (reverse process) and attention backends."""

import tempfile
from collections.abc import Mapping
from typing import Any

import torch
from diffusers import DDPMScheduler
from torch import Tensor

from palsykit.seeds import generator
from palsykit.testing import shared
from palsykit.testing.result import Check, NotChecked, Unmet, require
from palsykit.testing.shared import HALF, ROWS_APART, Harness, Shapes, Tensors, distance
from palsykit.testing.stand_ins import faces
from palsykit.testing.subject import ROWS, Subject

PREDICTIONS = ("epsilon", "v_prediction", "sample")
RECOVERED = 0.05
"""Largest pixel error, in the range [-1, 1], of a picture sampled with a perfect denoiser."""


def scheduler_checks(subject: Subject) -> list[Check]:
    """The scheduler is a forward process that the model, the samplers and the run's folder can use."""
    scheduler = subject.build()
    return [
        ("has what the model reads", lambda: scheduler_members(scheduler)),
        ("noise grows until no picture is left", lambda: noise_grows(scheduler)),
        ("add_noise is q(x_t | x_0)", lambda: adds_noise(scheduler)),
        ("is restored from its saved config", lambda: scheduler_round_trip(scheduler)),
    ]


def scheduler_members(scheduler: Any) -> None:
    """It has alphas_cumprod, betas, add_noise, config.prediction_type and config.num_train_timesteps."""
    lacking = [
        name for name in ("alphas_cumprod", "betas", "add_noise", "save_pretrained") if not hasattr(scheduler, name)
    ]
    config: Any = getattr(scheduler, "config", None)
    require(
        not lacking and getattr(config, "prediction_type", None) in PREDICTIONS,
        f"a diffusers scheduler with betas, alphas_cumprod, add_noise and a prediction_type of {PREDICTIONS}",
        f"{type(scheduler).__name__} without {', '.join(lacking) or 'such a prediction_type'}",
        "return a scheduler of diffusers; for your own betas DDPMScheduler(trained_betas=...)",
    )
    steps, count = config.num_train_timesteps, len(scheduler.alphas_cumprod)
    mend = "set num_train_timesteps to the number of betas"
    require(count == steps, f"as many alphas_cumprod as num_train_timesteps = {steps}", count, mend)


def noise_grows(scheduler: Any) -> None:
    """abar falls strictly from near 1 to near 0, and stays above 0."""
    abar = scheduler.alphas_cumprod.double()
    falls, seen = (
        bool((abar.diff() < 0).all() & (abar > 0).all() & (abar < 1).all()),
        f"{abar[0]:.4g} ... {abar[-1]:.4g}",
    )
    require(falls, "alphas_cumprod that fall within (0, 1)", seen, "correct the betas")
    require(
        abar[0] >= 0.9 and abar[-1] <= 0.1,
        "abar above 0.9 at t = 0 and below 0.1 at t = T - 1, because sampling starts from pure noise",
        seen,
        "start with smaller betas, end with larger ones, or use more",
    )


def adds_noise(scheduler: Any) -> None:
    """add_noise gives sqrt(abar_t) x_0 + sqrt(1 - abar_t) noise for each row."""
    x_0, noise = faces(3, 8, "x_0").image, torch.randn(3, 3, 8, 8, generator=generator("noise"))
    t = torch.tensor([0, len(scheduler.alphas_cumprod) // 2, len(scheduler.alphas_cumprod) - 1])
    abar = scheduler.alphas_cumprod.float()[t].view(-1, 1, 1, 1)
    expected = abar.sqrt() * x_0 + (1 - abar).sqrt() * noise
    gap, formula = distance(scheduler.add_noise(x_0, noise, t), expected), "sqrt(abar_t) x_0 + sqrt(1 - abar_t) noise"
    require(gap <= ROWS_APART, formula, f"{gap:.1e} apart", "keep diffusers' add_noise")


def scheduler_round_trip(scheduler: Any) -> None:
    """save_pretrained and from_pretrained give the same process: the run's folder stores the config only."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            scheduler.save_pretrained(folder)
        except TypeError as error:
            raise Unmet("a config that JSON can store", str(error), "use lists and numbers, not arrays") from None
        again = type(scheduler).from_pretrained(folder)
    require(
        distance(again.alphas_cumprod, scheduler.alphas_cumprod) <= 1e-6,
        "the same alphas_cumprod from the saved config",
        "others",
        "pass betas to the constructor (trained_betas); do not assign them to the finished scheduler",
    )


def sampler_checks(subject: Subject) -> list[Check]:
    """The sampler finds the picture that a perfect denoiser knows, for every kind of prediction."""
    x_0 = faces(3, 8, "x_0").image
    harness = sampler_harness(subject, "epsilon", 0.9 * x_0)
    harness.build(0)
    return [
        *shared.by_row(harness),
        ("recovers the picture of a perfect denoiser", lambda: recovers(subject, x_0)),
        ("stays in [-1, 1]", lambda: shared.in_range(sampler_harness(subject, "sample", 3 * x_0))),
        ("does not clip latents", lambda: keeps_latents(subject, 3 * x_0)),
    ]


def sampler_harness(subject: Subject, kind: str, truth: Tensor, bounded: bool = True) -> Harness:
    """Samples with a denoiser that always predicts ``truth`` [B, C, H, W], in the form of ``kind``."""
    scheduler: Any = DDPMScheduler(prediction_type=kind, clip_sample=bounded)  # type: ignore[no-untyped-call]

    def sample(sampler: Any, inputs: Mapping[str, Tensor]) -> Tensors:
        truth = inputs["x_0"]

        def predict(x_t: Tensor, t: Tensor) -> Tensor:
            abar = scheduler.alphas_cumprod[t.long().cpu()].view(-1, 1, 1, 1)
            noise = (x_t - abar.sqrt() * truth) / (1 - abar).sqrt()
            velocity: Tensor = abar.sqrt() * noise - (1 - abar).sqrt() * truth
            predictions: dict[str, Tensor] = {"epsilon": noise, "sample": truth, "v_prediction": velocity}
            return predictions[kind]

        generators = [generator("row", row) for row in inputs["row"].tolist()]
        noise = torch.stack([torch.randn(truth.shape[1:], generator=g) for g in generators])
        return {"picture": sampler.sample(predict, noise, generators)}

    inputs = {"x_0": truth, "row": torch.arange(len(truth))}
    return Harness(lambda _: subject.build(scheduler), inputs, sample, lambda *_: {"picture": truth.shape}, "noise is")


def recovers(subject: Subject, x_0: Tensor) -> None:
    """A denoiser that knows x_0 gives x_0."""
    for kind in PREDICTIONS:
        harness = sampler_harness(subject, kind, x_0)
        gap = float((harness.run(harness.build(0))["picture"] - x_0).abs().max())
        require(
            gap <= RECOVERED,
            f"x_0 from a denoiser that knows it, prediction {kind}",
            f"{gap:.2f} off",
            "read prediction_type and betas from the training scheduler, and end at t = 0",
        )


def keeps_latents(subject: Subject, latents: Tensor) -> None:
    """With ``config.clip_sample = False`` in the training scheduler, values beyond [-1, 1] are kept."""
    harness = sampler_harness(subject, "epsilon", latents, bounded=False)
    gap = float((harness.run(harness.build(0))["picture"] - latents).abs().max())
    require(
        gap <= 3 * RECOVERED,
        "latents beyond [-1, 1] where the training scheduler's config.clip_sample is False",
        f"{gap:.2f} off",
        'clip only if training_scheduler.config.get("clip_sample", True)',
    )


def codec_checks(subject: Subject) -> list[Check]:
    """Latents and pictures have the promised shapes, row by row; the codec is differentiable and frozen."""
    size = subject.image_size
    part = subject.build(size)
    inputs = {"image": faces(ROWS, size, "image").image}

    def call(codec: Any, inputs: Mapping[str, Tensor]) -> Tensors:
        latents = codec.encode(inputs["image"])
        return {"latents": latents, "picture": codec.decode(latents)}

    def expected(codec: Any, outputs: Tensors) -> Shapes:
        channels: Any = getattr(codec, "channels", None)
        factor: Any = getattr(codec, "factor", None)
        require(
            isinstance(channels, int) and isinstance(factor, int) and factor > 0 and size % factor == 0,
            f"channels and factor (numbers) after __init__, and a factor that divides {size} px",
            f"{channels!r} and {factor!r}",
            "set self.channels and self.factor, by which core builds the denoiser",
        )
        return {"latents": (ROWS, channels, size // factor, size // factor), "picture": (ROWS, 3, size, size)}

    harness = Harness(subject.maker(size), inputs, call, expected, "channels and factor say")
    return [
        *shared.by_row(harness),
        ("says its range", lambda: codec_range(part, call(part, inputs)["latents"])),
        ("gradients pass in both directions", lambda: codec_gradients(part, inputs["image"])),
    ]


def codec_range(codec: Any, latents: Tensor) -> None:
    """``bounded`` is true of its latents, and ``spread`` is a positive number."""
    bounded, spread = getattr(codec, "bounded", None), getattr(codec, "spread", None)
    require(
        isinstance(bounded, bool) and isinstance(spread, float) and spread > 0,
        "bounded (true or false) and spread (a positive float)",
        f"{bounded!r} and {spread!r}",
        "set them: spread is the standard deviation of photographs' latents, about 1 if they are scaled",
    )
    if bounded:
        largest = float(latents.detach().abs().max())
        require(largest <= 1 + shared.SAME, "latents in [-1, 1], as bounded says", f"{largest:.2f}", "bounded = False")


def codec_gradients(codec: Any, image: Tensor) -> None:
    """Latents have a gradient with respect to the picture, and the decoded picture with respect to the latents."""
    with torch.enable_grad():
        pixels = image.clone().requires_grad_()
        latents = codec.encode(pixels)
        inner = latents.detach().requires_grad_()
        picture = codec.decode(inner)
        for name, output, source in (("encode", latents, pixels), ("decode", picture, inner)):
            slope = None
            if output.requires_grad:
                (slope,) = torch.autograd.grad(output.square().sum(), source, allow_unused=True)
            found = slope is not None and bool(torch.isfinite(slope).all()) and float(slope.abs().max()) > 0
            mend = "remove no_grad, detach and rounding; core disables gradients where it does not need them"
            require(found, f"a gradient through {name}", "none", mend)


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
    one_line = reason is None or (isinstance(reason, str) and reason.strip() and "\n" not in reason)
    require(one_line, "None, or the reason in one line", repr(reason), "return a sentence that names the next step")


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
    gap = distance(layer(hidden, encoder_hidden_states=tokens), expected)
    require(gap <= HALF / 10, "the result of plain attention", f"{gap:.1%} apart", "check scale and head layout")
