"""A denoiser, what conditions it and how: the one module that trainers train and that synthesis runs."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from palsykit.diffusion.features import FeatureCache
from palsykit.diffusion.guess import corrected, output_scale
from palsykit.interfaces import (
    ConditionEncoder,
    Conditioning,
    Denoiser,
    Encoded,
    FaceBatch,
    FaceView,
    Fusion,
    Guess,
)

UNGUESSED = 0.5
"""The error of a guess that is a grey picture: about the standard deviation of photographs in [-1, 1]."""


@dataclass(frozen=True)
class Condition:
    """An encoder, the view it reads ("identity" or "driver") and the probability that training drops it.

    ``beside`` names the views that its ``extract`` is given as further arguments.
    """

    encoder: ConditionEncoder
    source: str
    drop: float = 0.0
    beside: tuple[str, ...] = ()


class ConditionalDiffusion(nn.Module):
    """Encoders -> fusion -> denoiser, with the forward process of a diffusers scheduler.

    A condition with ``drop`` > 0 has learnt null tokens, which stand for "unknown" in training and in classifier-free
    guidance (Ho and Salimans, arXiv:2207.12598). Frozen networks that encoders read are no part of this module.

    Args:
        conditions: by name, in the recipe's order.
        fusion: combines what the encoders give.
        denoiser: predicts what ``scheduler.config.prediction_type`` names.
        scheduler: a diffusers training scheduler with ``alphas_cumprod``, ``add_noise`` and ``get_velocity``.
    """

    def __init__(self, conditions: Mapping[str, Condition], fusion: Fusion, denoiser: Denoiser, scheduler: Any):
        super().__init__()
        self.sources = {name: condition.source for name, condition in conditions.items()}
        self.besides = {name: condition.beside for name, condition in conditions.items()}
        self.drops = {name: condition.drop for name, condition in conditions.items()}
        self.encoders = nn.ModuleDict({name: cast(nn.Module, c.encoder) for name, c in conditions.items()})
        self.fusion, self.denoiser = cast(nn.Module, fusion), cast(nn.Module, denoiser)
        self.null_tokens, self.null_pooled, self.null_spatial = (nn.ParameterDict() for _ in range(3))
        guessing = [name for name, condition in conditions.items() if condition.encoder.spec.guess]
        if len(guessing) > 1:
            raise ValueError(f"conditions {', '.join(guessing)} guess the picture; expected one at most that does")
        for name, condition in conditions.items():
            if condition.drop > 0:
                spec = condition.encoder.spec
                self.null_tokens[name] = nn.Parameter(torch.randn(spec.tokens, spec.width) * 0.02)
                if spec.pooled is not None:
                    self.null_pooled[name] = nn.Parameter(torch.randn(spec.pooled) * 0.02)
                if spec.spatial:
                    self.null_spatial[name] = nn.Parameter(torch.randn(spec.spatial) * 0.02)
        self.scheduler = scheduler
        self.prediction_type: str = scheduler.config.prediction_type
        self.timesteps: int = scheduler.config.num_train_timesteps
        self.register_buffer("alphas_cumprod", scheduler.alphas_cumprod.float(), persistent=False)
        self.cache = FeatureCache()

    def encode(
        self,
        batch: FaceBatch,
        only: Iterable[str] | None = None,
        grad: bool = False,
    ) -> dict[str, Encoded]:
        """What each condition says of its view.

        Args:
            batch: B rows.
            only: names of conditions; all of them by default.
            grad: let gradients reach the views' images; features are then computed afresh, else taken from the cache.
        """
        encoded = {}
        for name in self.encoders if only is None else only:
            views: list[FaceView | None] = [getattr(batch, view) for view in (self.sources[name], *self.besides[name])]
            encoder = cast(ConditionEncoder, self.encoders[name])
            extract: Callable[..., dict[str, Tensor]] = encoder.extract
            features = extract(*views) if grad else self.cache.features(name, views, extract)
            encoded[name] = encoder(features)
        return encoded

    def drop(self, encoded: dict[str, Encoded], generator: torch.Generator) -> dict[str, Encoded]:
        """Replace conditions by their null tokens, each row and condition by its own draw from a CPU generator."""
        result = {}
        for name, condition in encoded.items():
            if self.drops[name] > 0:
                keep = torch.rand(len(condition.tokens), generator=generator) >= self.drops[name]
                condition = self._select(name, condition, keep.to(condition.tokens.device))
            result[name] = condition
        return result

    def without(self, encoded: dict[str, Encoded]) -> dict[str, Encoded]:
        """The unconditional side of guidance: null tokens for every condition that has them.

        Raises:
            ValueError: where no condition was trained with ``drop`` > 0.
        """
        if not self.null_tokens:
            raise ValueError(
                "no condition was trained with drop > 0, so guidance other than 1 has nothing to guide from"
            )
        nobody = {
            name: torch.zeros(len(c.tokens), dtype=torch.bool, device=c.tokens.device) for name, c in encoded.items()
        }
        return {n: self._select(n, c, nobody[n]) if n in self.null_tokens else c for n, c in encoded.items()}

    def _select(self, name: str, condition: Encoded, keep: Tensor) -> Encoded:
        null = self.null_tokens[name].to(condition.tokens.dtype)
        tokens = torch.where(keep[:, None, None], condition.tokens, null)
        pooled = condition.pooled
        if pooled is not None:
            pooled = torch.where(keep[:, None], pooled, self.null_pooled[name].to(pooled.dtype))
        guess, spatial = condition.guess, condition.spatial
        if guess is not None:
            error = torch.where(keep, guess.error, torch.full_like(guess.error, UNGUESSED))
            guess = Guess(guess.image * keep.to(guess.image)[:, None, None, None], error)
        if spatial is not None:
            nothing = self.null_spatial[name].to(spatial.dtype)[:, None, None]
            spatial = torch.where(keep[:, None, None, None], spatial, nothing)
        return Encoded(tokens, pooled, spatial, guess)

    def fuse(self, encoded: dict[str, Encoded]) -> Conditioning:
        """The fusion strategy's answer to every condition, and beside it their maps, in the conditions' order."""
        conditioning = cast(Fusion, self.fusion)(encoded)
        maps = [encoded[name].spatial for name in self.encoders]
        if found := [spatial for spatial in maps if spatial is not None]:
            conditioning = replace(conditioning, spatial=torch.cat(found, dim=1))
        guesses = [condition.guess for condition in encoded.values() if condition.guess is not None]
        return replace(conditioning, guess=guesses[0]) if guesses else conditioning

    def predict(self, x_t: Tensor, t: Tensor, conditioning: Conditioning) -> Tensor:
        """x_t [B, 3, H, W], t [B] int64 -> noise, velocity or sample [B, 3, H, W], as ``prediction_type`` says.

        With a guess the denoiser says how the guess is wrong (palsykit.diffusion.guess).
        """
        output = cast(Denoiser, self.denoiser)(x_t, t, conditioning)
        if conditioning.guess is None:
            return output
        signal, sigma = self.signal_and_noise(t)
        velocity = corrected(conditioning.guess, output.float(), x_t, signal, sigma)
        if self.prediction_type == "v_prediction":
            return velocity
        return signal * x_t - sigma * velocity if self.prediction_type == "sample" else sigma * x_t + signal * velocity

    def gain(self, t: Tensor, conditioning: Conditioning) -> Tensor:
        """By how much a change of the denoiser's output changes the prediction: [B], 1 without a guess."""
        if conditioning.guess is None:
            return torch.ones(len(t), device=t.device)
        signal, sigma = (share.flatten() for share in self.signal_and_noise(t))
        gain = output_scale(conditioning.guess.error, signal, sigma)
        if self.prediction_type == "v_prediction":
            return gain
        return gain * (sigma if self.prediction_type == "sample" else signal)

    def add_noise(self, x_0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """q(x_t | x_0): sqrt(abar_t) x_0 + sqrt(1 - abar_t) noise (DDPM, arXiv:2006.11239, eq. 4)."""
        signal, sigma = self.signal_and_noise(t)
        return signal * x_0 + sigma * noise

    def objective(self, x_0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """What ``predict`` should say: noise, x_0, or v = sqrt(abar) noise - sqrt(1 - abar) x_0 (arXiv:2202.00512)."""
        if self.prediction_type == "epsilon":
            return noise
        if self.prediction_type == "sample":
            return x_0
        signal, sigma = self.signal_and_noise(t)
        return signal * noise - sigma * x_0

    def predict_x0(self, prediction: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        """x0_hat from a prediction at x_t, clipped to [-1, 1]; for noise, (x_t - sqrt(1 - abar) eps) / sqrt(abar)."""
        signal, sigma = self.signal_and_noise(t)
        if self.prediction_type == "epsilon":
            estimate = (x_t - sigma * prediction) / signal
        elif self.prediction_type == "sample":
            estimate = prediction
        else:
            estimate = signal * x_t - sigma * prediction
        return estimate.clamp(-1, 1)

    def signal_and_noise(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """sqrt(abar_t) and sqrt(1 - abar_t), each [B, 1, 1, 1]."""
        abar = cast(Tensor, self.alphas_cumprod)[t].view(-1, 1, 1, 1)
        return abar.sqrt(), (1 - abar).sqrt()
