"""The diffusion model: encoders, fusion and denoiser in one module, used by training and synthesis."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from palsykit.devices import sent
from palsykit.diffusion.codec import CodecSpace
from palsykit.diffusion.guess import corrected, output_scale
from palsykit.errors import PalsykitError
from palsykit.interfaces import ConditionEncoder, Conditioning, Denoiser, Encoded, FaceBatch, Fusion, Guess, Map
from palsykit.networks import computed_once
from palsykit.seeds import uniform


@dataclass(frozen=True)
class Condition:
    """An encoder, the view it reads ("identity" or "driver") and the probability that training drops it.

    ``beside``: names of the views passed to its ``extract`` as further arguments.
    """

    encoder: ConditionEncoder
    source: str
    drop: float = 0.0
    beside: tuple[str, ...] = ()


@dataclass(frozen=True)
class Overlay:
    """A map and how core uses it.

    Attributes:
        map: gives channels aligned with the picture.
        error: root mean squared error of a map that is the guess, which the denoiser corrects; else None. In units of
            the space in which diffusion runs: of pictures in [-1, 1], or of the codec's latents.
        drops_with: when training drops this condition, it also drops the map; None: never.
    """

    map: Map
    error: float | None = None
    drops_with: str | None = None


@dataclass
class EncodedBatch:
    """Encoded conditions and maps of B rows. ``a | b`` takes everything in b, and the rest from a.

    Attributes:
        conditions: by name.
        maps: by name, each [B, C, H, W], over the picture or over the codec's latents.
        guess: made from the map that has an error.
    """

    conditions: dict[str, Encoded]
    maps: dict[str, Tensor]
    guess: Guess | None = None

    def __or__(self, other: "EncodedBatch") -> "EncodedBatch":
        guess = self.guess if other.guess is None else other.guess
        return EncodedBatch(self.conditions | other.conditions, self.maps | other.maps, guess)


class ConditionalDiffusion(nn.Module):
    """Encoders -> fusion -> denoiser, with the forward process of a diffusers scheduler.

    A condition with ``drop`` > 0 has learnt null tokens, which mean "unknown" in training and in classifier-free
    guidance (Ho and Salimans, arXiv:2207.12598). A map that drops with it has a learnt null value per channel. Frozen
    networks that encoders and maps read are not part of this module.

    Args:
        conditions: by name, in the recipe's order.
        fusion: combines the encoders' outputs.
        denoiser: predicts the quantity that ``scheduler.config.prediction_type`` names.
        scheduler: a diffusers training scheduler with ``alphas_cumprod``, ``add_noise`` and ``get_velocity``.
        maps: by name, in the order of the denoiser's channels.
        pooled_from: the condition whose pooled vector is passed on if the fusion makes none.
        codec: between pictures and the space of x_t; None: x_t is a picture.

    Raises:
        PalsykitError: two maps have an ``error``, or a map with an ``error`` is not a picture.
    """

    def __init__(
        self,
        conditions: Mapping[str, Condition],
        fusion: Fusion,
        denoiser: Denoiser,
        scheduler: Any,
        maps: Mapping[str, Overlay] | None = None,
        pooled_from: str | None = None,
        codec: CodecSpace | None = None,
    ):
        # Conditions, fusion, denoiser and maps.
        super().__init__()
        self.views = {name: (condition.source, *condition.beside) for name, condition in conditions.items()}
        self.drops = {name: condition.drop for name, condition in conditions.items()}
        self.encoders = nn.ModuleDict({name: cast(nn.Module, c.encoder) for name, c in conditions.items()})
        self.fusion, self.denoiser = cast(nn.Module, fusion), cast(nn.Module, denoiser)
        self.maps, self.pooled_from = dict(maps or {}), pooled_from
        self.guess, self.codec = guessing(self.maps), codec or CodecSpace()
        self.channels = {name: self.codec.map_channels(o.map, name == self.guess) for name, o in self.maps.items()}
        # Learnt nulls of the conditions that training drops, and of the maps that drop with them.
        self.null_tokens, self.null_pooled, self.null_spatial = (nn.ParameterDict() for _ in range(3))
        for name, condition in conditions.items():
            if condition.drop > 0:
                spec = condition.encoder.spec
                self.null_tokens[name] = nn.Parameter(torch.randn(spec.tokens, spec.width) * 0.02)
                if spec.pooled is not None:
                    self.null_pooled[name] = nn.Parameter(torch.randn(spec.pooled) * 0.02)
                if channels := [self.channels[key] for key in self._dropped_with(name)]:
                    self.null_spatial[name] = nn.Parameter(torch.randn(sum(channels)) * 0.02)
        # Forward process.
        self.scheduler = scheduler
        self.prediction_type: str = scheduler.config.prediction_type
        self.timesteps: int = scheduler.config.num_train_timesteps
        self.register_buffer("alphas_cumprod", scheduler.alphas_cumprod.float(), persistent=False)

    def encode(self, batch: FaceBatch, reading: str | None = None, grad: bool = False) -> EncodedBatch:
        """Encode conditions and maps.

        Args:
            batch: B rows.
            reading: the name of a view: encode only the conditions and maps that read it; None: all.
            grad: let gradients reach the views' images. If False, features and maps are computed without a graph and
                in full precision, so that frozen networks can use their caches.
        """
        with computed_once():
            names = [name for name, views in self.views.items() if reading is None or reading in views]
            conditions = {name: self._encoded(name, batch, grad) for name in names}
            with _frozen(batch, grad):
                maps = {
                    name: self._laid(name, overlay.map(*(getattr(batch, view) for view in overlay.map.views)), grad)
                    for name, overlay in self.maps.items()
                    if reading is None or reading in overlay.map.views
                }
        guess = None
        if self.guess is not None and (image := maps.get(self.guess)) is not None:
            error = self.maps[self.guess].error
            assert error is not None  # self.guess names a map with an error
            guess = Guess(image, torch.full_like(image[:, 0, 0, 0], error))
        return EncodedBatch(conditions, maps, guess)

    def _laid(self, name: str, values: Tensor, grad: bool) -> Tensor:
        return self.codec.lay(self.maps[name].map, values, name == self.guess, grad)

    def _encoded(self, name: str, batch: FaceBatch, grad: bool) -> Encoded:
        encoder = self.encoders[name]
        with _frozen(batch, grad):
            features: dict[str, Tensor] = encoder.extract(*(getattr(batch, view) for view in self.views[name]))  # type: ignore[operator]
            if not grad:
                features = {key: value.float() for key, value in features.items()}
        return cast(ConditionEncoder, encoder)(features)

    def drop(self, encoded: EncodedBatch, generator: torch.Generator) -> EncodedBatch:
        """Replace conditions by their null tokens at random: one draw per row and condition from a CPU generator.

        A map that drops with a condition is replaced in the same rows.
        """
        masks = {}
        for name, condition in encoded.conditions.items():
            if self.drops[name] > 0:
                keep = uniform((len(condition.tokens),), generator) >= self.drops[name]
                masks[name] = sent(keep, condition.tokens.device)
        return self._select(encoded, masks)

    def without(self, encoded: EncodedBatch) -> EncodedBatch:
        """The unconditional input for guidance: null tokens and maps for every condition that has them.

        Raises:
            ValueError: no condition was trained with ``drop`` > 0.
        """
        if not self.null_tokens:
            raise ValueError("no condition was trained with drop > 0, so guidance other than 1 is not possible")
        return self._select(
            encoded,
            {
                name: torch.zeros(len(c.tokens), dtype=torch.bool, device=c.tokens.device)
                for name, c in encoded.conditions.items()
                if name in self.null_tokens
            },
        )

    def _select(self, encoded: EncodedBatch, masks: Mapping[str, Tensor]) -> EncodedBatch:
        """Put nulls into ``encoded`` in the rows where a condition's mask [B] is False."""
        conditions = dict(encoded.conditions)
        for name, keep in masks.items():
            tokens, pooled = conditions[name].tokens, conditions[name].pooled
            tokens = torch.where(keep[:, None, None], tokens, self.null_tokens[name].to(tokens.dtype))
            if pooled is not None:
                pooled = torch.where(keep[:, None], pooled, self.null_pooled[name].to(pooled.dtype))
            conditions[name] = Encoded(tokens, pooled)
        maps, guess = dict(encoded.maps), encoded.guess
        for name, keep in masks.items():
            maps |= self._select_maps(name, maps, keep)
            if guess is not None and self.guess in self._dropped_with(name):
                error = torch.where(keep, guess.error, torch.full_like(guess.error, self.codec.spread))
                guess = Guess(guess.image * keep.to(guess.image)[:, None, None, None], error)
        return EncodedBatch(conditions, maps, guess)

    def _select_maps(self, condition: str, maps: Mapping[str, Tensor], keep: Tensor) -> dict[str, Tensor]:
        """The maps that drop with a condition, with nulls in the rows where ``keep`` [B] is False."""
        names = self._dropped_with(condition)
        present = [name for name in names if name in maps]
        if not present:
            return {}
        channels = {name: self.channels[name] for name in names}
        null = torch.split_with_sizes(self.null_spatial[condition], [*channels.values()])
        nulls = torch.cat([values for name, values in zip(names, null, strict=True) if name in present])
        values = torch.cat([maps[name] for name in present], dim=1)
        values = torch.where(keep[:, None, None, None], values, nulls.to(values.dtype)[:, None, None])
        selected = torch.split_with_sizes(values, [channels[name] for name in present], dim=1)
        return dict(zip(present, selected, strict=True))

    def _dropped_with(self, condition: str) -> list[str]:
        return [name for name, overlay in self.maps.items() if overlay.drops_with == condition]

    def fuse(self, encoded: EncodedBatch) -> Conditioning:
        """The input of the denoiser: the fusion's output, with maps, guess and pooled vector added."""
        conditioning = cast(Fusion, self.fusion)(encoded.conditions)
        if conditioning.pooled is None and self.pooled_from is not None:
            conditioning = replace(conditioning, pooled=encoded.conditions[self.pooled_from].pooled)
        maps = [encoded.maps[name] for name in self.maps if name in encoded.maps]
        return replace(conditioning, spatial=torch.cat(maps, dim=1) if maps else None, guess=encoded.guess)

    def predict(self, x_t: Tensor, t: Tensor, conditioning: Conditioning) -> Tensor:
        """x_t [B, C, H, W], t [B] int64 -> noise, velocity or sample [B, C, H, W], as ``prediction_type`` says.

        With a guess, the denoiser predicts a correction to it, which ``corrected`` turns into the prediction.
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
        """Derivative of the prediction with respect to the denoiser's output: [B]; 1 without a guess."""
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
        """The target of ``predict``: noise, x_0, or v = sqrt(abar) noise - sqrt(1 - abar) x_0 (arXiv:2202.00512)."""
        if self.prediction_type == "epsilon":
            return noise
        if self.prediction_type == "sample":
            return x_0
        signal, sigma = self.signal_and_noise(t)
        return signal * noise - sigma * x_0

    def predict_x0(self, prediction: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        """x0_hat from a prediction at x_t; for noise, (x_t - sqrt(1 - abar) eps) / sqrt(abar).

        It is clipped to [-1, 1], unless a codec's latents have no bounds. ``codec.decode`` makes it a picture.
        """
        signal, sigma = self.signal_and_noise(t)
        if self.prediction_type == "epsilon":
            estimate = (x_t - sigma * prediction) / signal
        elif self.prediction_type == "sample":
            estimate = prediction
        else:
            estimate = signal * x_t - sigma * prediction
        return estimate.clamp(-1, 1) if self.codec.bounded else estimate

    def signal_and_noise(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """sqrt(abar_t) and sqrt(1 - abar_t), each [B, 1, 1, 1]."""
        abar = cast(Tensor, self.alphas_cumprod)[t].view(-1, 1, 1, 1)
        return abar.sqrt(), (1 - abar).sqrt()


def guessing(maps: Mapping[str, Overlay]) -> str | None:
    """The name of the map that is the guess, if there is one.

    Raises:
        PalsykitError: two maps have an ``error``, or a map with an ``error`` is not a picture.
    """
    names = [name for name, overlay in maps.items() if overlay.error is not None]
    if len(names) > 1:
        raise PalsykitError(f"maps {', '.join(names)} have an error; expected at most one: the guess")
    for name in names:
        if (channels := maps[name].map.channels) != 3:
            raise PalsykitError(f"map {name} has an error and {channels} channels; expected 3 for the guess")
    return names[0] if names else None


@contextmanager
def _frozen(batch: FaceBatch, grad: bool) -> Iterator[None]:
    """Disable gradients and autocast, unless ``grad``."""
    if grad:
        yield
    else:
        with torch.no_grad(), torch.autocast(batch.identity.image.device.type, enabled=False):
            yield
