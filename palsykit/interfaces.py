"""The records and protocols between core and plugins, with their shapes.

Symbols: B batch, H = W image side in px, T tokens, W token width, P pooled width, C channels. Images are float32 in
[-1, 1]; landmarks are iBUG 68 in px of that image.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from palsykit.faces.records import FaceDataset, FaceRecord
from palsykit.faces.views import FaceBatch, FaceView, ViewName
from palsykit.metrics import Images, Metric, MetricCard


@dataclass(frozen=True)
class TokenSpec:
    """What an encoder gives: ``tokens`` tokens of width ``width``, and a pooled vector of width ``pooled`` or none."""

    tokens: int
    width: int
    pooled: int | None = None


@dataclass
class Guess:
    """What a map takes the picture for, before anything is denoised.

    Attributes:
        image: [B, 3, H, W] in [-1, 1].
        error: [B], how far it is from the truth on average: root mean squared, in the picture's units. 0.5 with a grey
            image is what is known of any picture.
    """

    image: Tensor
    error: Tensor


@dataclass
class Encoded:
    """A condition: tokens [B, T, W] and pooled [B, P] or None, as the TokenSpec says."""

    tokens: Tensor
    pooled: Tensor | None = None


@dataclass
class Conditioning:
    """What a denoiser is conditioned on.

    Attributes:
        tokens: named streams, each [B, T, W]; one stream for most fusions, several for decoupled attention.
        pooled: [B, P] or None: the fusion's own; core passes on a condition's where the fusion makes none.
        spatial: [B, C, H, W] or None: the recipe's maps side by side in its order, from core.
        guess: the map that has an ``error``; core corrects it by what the denoiser says.
    """

    tokens: dict[str, Tensor]
    pooled: Tensor | None = None
    spatial: Tensor | None = None
    guess: Guess | None = None


@dataclass(frozen=True)
class ConditioningSpec:
    """What a denoiser is built for: the width of every token stream and of the pooled vector.

    ``streams`` names the token streams that want keys and values of their own; a denoiser that cannot give them any
    concatenates the streams along T. ``spatial`` counts the channels of the recipe's maps.
    """

    token_width: int
    pooled_width: int | None = None
    streams: tuple[str, ...] = ()
    spatial: int = 0


@dataclass
class NetworkOutput:
    """What a network sees in a picture; what it does not compute is None.

    Attributes:
        map: last feature map [B, C, h, w].
        embedding: [B, D], as the network gives it (not normalised).
        points: [B, 68, 2] px.
        logits: {"expression" | "side" | "severity" | ...: [B, K]}, from supervised heads that the network owns.
    """

    map: Tensor
    embedding: Tensor | None = None
    points: Tensor | None = None
    logits: dict[str, Tensor] = field(default_factory=dict)


class Network(Protocol):
    """A named ``nn.Module`` that conditions, losses and metrics share; frozen once it has weights or was fitted.

    In a factory's signature the annotation ``Network`` (or ``Network | str``) marks a parameter that the recipe gives
    by the name of an entry of ``networks``; the factory receives the shared instance, wrapped so that it is no
    submodule of the part: its weights are saved, moved and frozen by the run, once.

    A network that cannot be differentiated in the image (an ONNX graph, say) says so by a further attribute
    ``differentiable = False``: it serves conditions and judges; a loss that needs its gradient refuses it when built.
    """

    map_shape: tuple[int, int, int]
    embedding_width: int | None

    def __call__(self, image: Tensor) -> NetworkOutput:
        """image [B, 3, H, W] in [-1, 1] -> what it sees; differentiable in the image unless it says that it is not."""
        ...


class ConditionEncoder(Protocol):
    """Turns a view into tokens: a frozen ``extract`` and a trainable ``forward``; an ``nn.Module``.

    Shared networks remember what they saw, so that ``extract`` is cheap for a photograph that came before.

    An encoder that compares views takes further ones as ``extract``'s further arguments, which may have defaults; a
    recipe names them by the condition's key ``beside``. One that a batch lacks is None.
    """

    spec: TokenSpec

    def extract(self, view: FaceView) -> dict[str, Tensor]:
        """Features that no trainable weight touches, each [B, ...]; differentiable in ``view.image``."""
        ...

    def __call__(self, features: dict[str, Tensor]) -> Encoded:
        """The trainable part: features -> tokens as ``spec`` says."""
        ...


class Map(Protocol):
    """What lies over the picture, pixel by pixel: ``factory(image_size, *, ...)``; it has no trainable weights.

    A recipe names the views that it reads in keys of type ``ViewName``. Core puts its channels beside x_t, in the order
    of the recipe's ``maps``, drops it together with a condition (``drops_with``) and takes the one with an ``error``
    for the guess that the denoiser corrects.

    Attributes:
        channels: C.
        views: names of the views that it is called with, in order.
    """

    channels: int
    views: tuple[ViewName, ...]

    def __call__(self, *views: FaceView | None) -> Tensor:
        """[B, C, H, W], row by row, differentiable in the views' images; "rest" may be None, if a batch lacks it."""
        ...


class Fusion(Protocol):
    """Combines conditions: ``factory({condition: TokenSpec}, *, ...)``; an ``nn.Module``.

    A fusion that makes a pooled vector of its own says its width in a further attribute ``pooled_width: int``; else
    core passes on the pooled vector of the condition that the recipe names in ``fusion.pooled_from``.
    A fusion whose streams want keys and values of their own in the denoiser names them in a further attribute
    ``streams: tuple[str, ...]``.
    """

    token_width: int

    def __call__(self, conditions: dict[str, Encoded]) -> Conditioning: ...


class Denoiser(Protocol):
    """Predicts what the scheduler's ``prediction_type`` names; an ``nn.Module``.

    ``factory(conditioning: ConditioningSpec, image_size: int, *, ...)``. A denoiser that wraps a diffusers model names
    the attribute that holds it in a further attribute ``pretrained_part: str``. A run saves it so that diffusers can
    load it.
    """

    def __call__(self, x_t: Tensor, t: Tensor, conditioning: Conditioning) -> Tensor:
        """x_t [B, 3, H, W], t [B] int64 -> [B, 3, H, W]."""
        ...


class AttentionBackend(Protocol):
    """How a denoiser's attention is computed.

    ``available()`` gives None where it can run on this machine, else the reason why not, in one line. A backend may
    have a further method ``kernels() -> str``, which says in one line what computes; the run shows it once.
    """

    def available(self) -> str | None: ...

    def apply(self, module: torch.nn.Module) -> None:
        """Make every diffusers attention layer of ``module`` use this backend."""
        ...


class Sampler(Protocol):
    """Walks from noise to an image: ``factory(training_scheduler, *, ...)``.

    Every row has its own generator, so its pixels do not depend on its neighbours.
    """

    def sample(self, predict: "Predict", noise: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        """noise [B, 3, H, W] ~ N(0, I) -> images [B, 3, H, W] in [-1, 1]; ``predict`` is the conditioned denoiser."""
        ...


class Predict(Protocol):
    """The conditioned denoiser: x_t [B, 3, H, W], t [B] -> prediction [B, 3, H, W]."""

    def __call__(self, x_t: Tensor, t: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class TrainingData:
    """What a trainer may know of the data before training.

    Attributes:
        image_size: side in px.
        records: the training records.
        subjects: the training subjects, sorted; a classifier's class i is subjects[i].
    """

    image_size: int
    records: Sequence[FaceRecord]
    subjects: tuple[str, ...]


class Trainer(Protocol):
    """What is minimised: ``factory(data: TrainingData, *, ...)``; an ``nn.Module`` if it owns modules, else any object.

    For the main model ``model`` is a ConditionalDiffusion or, in a recipe without a denoiser, its TrainedSynthesiser;
    in ``fits`` it is the network being fitted.
    """

    def groups(self, model: Any) -> Mapping[str, Iterable[torch.nn.Parameter]]:
        """Parameters by name; one optimiser each. Every trainable parameter of model and trainer is in exactly one."""
        ...

    def losses(self, model: Any, batch: FaceBatch, generator: torch.Generator, phase: str) -> dict[str, Tensor]:
        """Weighted scalar terms whose sum is minimised over the group ``phase``; all randomness is ``generator``'s.

        ``generator`` is a CPU generator seeded by run, step and rank; draw on the CPU and move, for the same numbers
        on every device. A further independent stream: ``palsykit.seeds.spawn(generator, "name")``.
        """
        ...


class Synthesiser(Protocol):
    """Makes pictures: ``generate(batch, seeds)``; the diffusion one is built in, baselines are plugins.

    ``factory(image_size, *, ...)``.
    """

    def generate(self, batch: FaceBatch, seeds: Sequence[int]) -> Tensor:
        """One image a row, [B, 3, H, W] in [-1, 1]; row i depends on row i of the batch and on seeds[i] alone."""
        ...


class TrainedSynthesiser(Synthesiser, Protocol):
    """A synthesiser with trainable weights, an ``nn.Module``: in a recipe without a denoiser it is what is trained.

    A run keeps its state dict; with a key ``weights`` that is null it wants a trainer. ``spec`` says what encode gives.
    """

    spec: ConditioningSpec

    def encode(self, batch: FaceBatch) -> Conditioning:
        """What is asked of each row; differentiable in the trainable weights."""
        ...

    def __call__(self, image: Tensor, conditioning: Conditioning) -> Tensor:
        """Identity images [B, 3, H, W] -> pictures [B, 3, H, W] in [-1, 1]; differentiable in both."""
        ...


__all__ = [
    "AttentionBackend", "ConditionEncoder", "Conditioning", "ConditioningSpec", "Denoiser", "Encoded",
    "FaceBatch", "FaceDataset", "FaceRecord", "FaceView", "Fusion", "Guess", "Images", "Map", "Metric",
    "MetricCard", "Network", "NetworkOutput", "Predict", "Sampler", "Synthesiser", "TokenSpec",
    "TrainedSynthesiser", "Trainer", "TrainingData", "ViewName",
]  # fmt: skip
