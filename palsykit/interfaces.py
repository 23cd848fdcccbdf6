"""Records and protocols that core and plugins share, with the shapes of all tensors.

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
    """Output size of an encoder: ``tokens`` tokens of width ``width``; a pooled vector of width ``pooled``, or None."""

    tokens: int
    width: int
    pooled: int | None = None


@dataclass
class Guess:
    """An estimate of the picture, known before denoising; made from a map.

    Attributes:
        image: [B, C, H, W]: a picture in [-1, 1], or its latents.
        error: [B], root mean squared error of ``image``, in its units. A grey picture has about 0.5.
    """

    image: Tensor
    error: Tensor


@dataclass
class Encoded:
    """An encoded condition: tokens [B, T, W] and pooled [B, P] or None; sizes as in the encoder's TokenSpec."""

    tokens: Tensor
    pooled: Tensor | None = None


@dataclass
class Conditioning:
    """Everything a denoiser is conditioned on.

    Attributes:
        tokens: named streams, each [B, T, W]; one stream for most fusions, several for decoupled attention.
        pooled: [B, P] or None: from the fusion; if it makes none, core passes on a condition's.
        spatial: [B, C, H, W] or None: the recipe's maps, concatenated by core in the recipe's order.
        guess: from the map that has an ``error``; core corrects it with the denoiser's output.
    """

    tokens: dict[str, Tensor]
    pooled: Tensor | None = None
    spatial: Tensor | None = None
    guess: Guess | None = None


@dataclass(frozen=True)
class ConditioningSpec:
    """Input sizes of a denoiser: the width of every token stream and of the pooled vector.

    ``streams`` names the token streams that need their own keys and values; a denoiser that does not support this
    concatenates the streams along T. ``spatial`` is the number of channels of the recipe's maps. ``channels`` is that
    of x_t: 3, or the codec's.
    """

    token_width: int
    pooled_width: int | None = None
    streams: tuple[str, ...] = ()
    spatial: int = 0
    channels: int = 3


@dataclass
class NetworkOutput:
    """Output of a network for a picture; None for what it does not compute.

    Attributes:
        map: last feature map [B, C, h, w].
        embedding: [B, D], not normalised.
        points: [B, 68, 2] px.
        logits: {"expression" | "side" | "severity" | ...: [B, K]}, from the network's supervised heads.
        further: [B, 8, 2] px, pupils and nasolabial folds (palsykit.faces.landmarks.FURTHER).
    """

    map: Tensor
    embedding: Tensor | None = None
    points: Tensor | None = None
    logits: dict[str, Tensor] = field(default_factory=dict)
    further: Tensor | None = None


class Network(Protocol):
    """A named ``nn.Module`` that conditions, losses and metrics share; frozen once it has weights or is fitted.

    A factory's parameter annotated ``Network`` (or ``Network | str``) takes the name of an entry of ``networks`` in the
    recipe. The factory receives the shared instance, wrapped so that it is not a submodule of the part: the run saves,
    moves and freezes its weights once.

    A recipe says with ``image_size`` which size a network reads; otherwise it is the recipe's. The factory gets this
    size, and the module gets pictures of it. Core resizes the pictures that parts hand in, and scales the points back.

    A network that is not differentiable in the image (for example an ONNX graph) has the optional attribute
    ``differentiable = False``. Conditions and metrics can use it; a loss that needs its gradient refuses it when built.
    """

    map_shape: tuple[int, int, int]
    embedding_width: int | None

    def __call__(self, image: Tensor) -> NetworkOutput:
        """image [B, 3, H, W] in [-1, 1] -> output; differentiable in the image, unless ``differentiable`` is False."""
        ...


class ConditionEncoder(Protocol):
    """Turn a view into tokens: a frozen ``extract`` and a trainable ``forward``; an ``nn.Module``.

    Shared networks cache their outputs, so ``extract`` is cheap for a photograph that was seen before.

    If an encoder compares views, ``extract`` has further arguments, which may have defaults. A recipe names these views
    in the condition's key ``beside``. A view that a batch lacks is None.
    """

    spec: TokenSpec

    def extract(self, view: FaceView) -> dict[str, Tensor]:
        """Features computed without trainable weights, each [B, ...]; differentiable in ``view.image``."""
        ...

    def __call__(self, features: dict[str, Tensor]) -> Encoded:
        """The trainable part: features -> tokens, with the sizes in ``spec``."""
        ...


class Map(Protocol):
    """Make channels aligned with the picture: ``factory(image_size, *, ...)``; it has no trainable weights.

    A recipe names the views that it reads in keys of type ``ViewName``. Core concatenates its channels to x_t, in the
    order of the recipe's ``maps``, and drops it together with a condition (``drops_with``). The map with an ``error``
    is the guess that the denoiser corrects.

    A guess that warps the identity picture may have a further method ``moves`` with the arguments of ``__call__``. It
    gives the landmarks in the picture and where they go, each [B, 68, 2] px. A synthesis can then be applied to a
    photograph at the photograph's own size (palsykit.photographs.edit).

    A map that is a picture in [-1, 1] has the optional attribute ``is_picture = True``: a codec then encodes it. Of
    other maps every pixel becomes a channel over the latents.

    Attributes:
        channels: C.
        views: names of the views that core passes to it, in order.
    """

    channels: int
    views: tuple[ViewName, ...]

    def __call__(self, *views: FaceView | None) -> Tensor:
        """[B, C, H, W], row by row, differentiable in the views' images; "rest" is None if the batch lacks it."""
        ...


class Fusion(Protocol):
    """Combine conditions: ``factory({condition: TokenSpec}, *, ...)``; an ``nn.Module``.

    Optional attributes:

    - ``pooled_width: int``: width of the pooled vector, if the fusion makes one; else core passes on that of the
      condition named in ``fusion.pooled_from``.
    - ``streams: tuple[str, ...]``: names of the token streams that need their own keys and values in the denoiser.
    """

    token_width: int

    def __call__(self, conditions: dict[str, Encoded]) -> Conditioning: ...


class Codec(Protocol):
    """Turn pictures into latents and back; an ``nn.Module`` or any object, frozen: ``factory(image_size, *, ...)``.

    Loss, guess and sampler work on the latents; conditions, metrics and results are pictures. Core gives float32
    without autocast, clips decoded pictures to [-1, 1], and keeps the latents of pictures that were seen.

    Attributes:
        channels: C.
        factor: H / h; divides ``image_size``.
        bounded: whether latents are in [-1, 1]; if so, estimates of x_0 are clipped.
        spread: standard deviation of photographs' latents about 0; that of pictures is 0.5.
    """

    channels: int
    factor: int
    bounded: bool
    spread: float

    def encode(self, image: Tensor) -> Tensor:
        """image [B, 3, H, W] in [-1, 1] -> latents [B, C, h, w], row by row; deterministic and differentiable."""
        ...

    def decode(self, latents: Tensor) -> Tensor:
        """latents [B, C, h, w] -> image [B, 3, H, W], row by row; differentiable."""
        ...


class Denoiser(Protocol):
    """Predict the quantity that the scheduler's ``prediction_type`` names; an ``nn.Module``.

    ``factory(conditioning: ConditioningSpec, image_size: int, *, ...)``; x_t has ``conditioning.channels`` channels,
    and ``image_size`` is its side: with a codec, the side of the latents. If a denoiser wraps a diffusers model, its
    optional attribute ``pretrained_part: str`` is the name of the attribute with that model, ``unet`` or
    ``transformer``. A run saves the model in a folder of this name, so that diffusers can load it.

    If it trains an adapter of frozen weights, its state dict lacks the frozen weights, ``pretrained_part`` is None, and
    it has ``save_adapter(folder)``, which writes the adapter as other libraries read it, ``load_adapter(folder)``,
    which gives those entries of its state dict, and ``fingerprint``, by which the frozen weights are known again.
    """

    def __call__(self, x_t: Tensor, t: Tensor, conditioning: Conditioning) -> Tensor:
        """x_t [B, C, H, W], t [B] int64 -> [B, C, H, W]."""
        ...


class AttentionBackend(Protocol):
    """An implementation of a denoiser's attention.

    ``available()`` returns None if it can run on this machine, else the reason in one line. The optional method
    ``kernels() -> str`` names in one line the kernels used; the run shows it once.
    """

    def available(self) -> str | None: ...

    def apply(self, module: torch.nn.Module) -> None:
        """Make every diffusers attention layer of ``module`` use this backend."""
        ...


class Sampler(Protocol):
    """Sample images from noise: ``factory(training_scheduler, *, ...)``.

    Every row has its own generator, so its pixels do not depend on the other rows. Results are in [-1, 1], unless the
    training scheduler has ``config.clip_sample = False``: it then works on a codec's latents, which have no bounds.
    """

    def sample(self, predict: "Predict", noise: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        """noise [B, C, H, W] ~ N(0, I) -> x_0 [B, C, H, W]; ``predict`` is the conditioned denoiser."""
        ...


class Predict(Protocol):
    """The conditioned denoiser: x_t [B, C, H, W], t [B] -> prediction [B, C, H, W]."""

    def __call__(self, x_t: Tensor, t: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class TrainingData:
    """Facts on the data that a trainer gets when it is built.

    Attributes:
        image_size: side in px.
        records: the training records.
        subjects: the training subjects, sorted; a classifier's class i is subjects[i].
    """

    image_size: int
    records: Sequence[FaceRecord]
    subjects: tuple[str, ...]


class Trainer(Protocol):
    """Compute losses: ``factory(data: TrainingData, *, ...)``; an ``nn.Module`` if it owns modules, else any object.

    For the main model, ``model`` is a ConditionalDiffusion or, in a recipe without a denoiser, its TrainedSynthesiser;
    in ``fits`` it is the network to fit. A ConditionalDiffusion denoises ``model.codec.encode(pictures)``, and
    ``model.codec.decode`` gives pictures; without a codec both return what they are given.
    """

    def groups(self, model: Any) -> Mapping[str, Iterable[torch.nn.Parameter]]:
        """Parameter groups by name, one optimiser each; every trainable parameter is in exactly one group."""
        ...

    def losses(self, model: Any, batch: FaceBatch, generator: torch.Generator, phase: str) -> dict[str, Tensor]:
        """Weighted scalar loss terms; their sum is minimised over the group ``phase``. Draw only from ``generator``.

        ``generator`` is a CPU generator seeded by run, step and batch. Draw on the CPU, then move to the device: so all
        devices get the same numbers. Draw what belongs to a row with ``palsykit.seeds.normal``, ``uniform`` or
        ``integers``: then a row gets the same numbers in whatever process and part of a step it is. For an independent
        stream: ``palsykit.seeds.spawn(generator, "name")``.
        """
        ...


class Synthesiser(Protocol):
    """Make pictures: ``generate(batch, seeds)``. The one for diffusion is built in; baselines are plugins.

    ``factory(image_size, *, ...)``.
    """

    def generate(self, batch: FaceBatch, seeds: Sequence[int]) -> Tensor:
        """One image per row, [B, 3, H, W] in [-1, 1]; row i depends only on row i of the batch and on seeds[i]."""
        ...


class TrainedSynthesiser(Synthesiser, Protocol):
    """A synthesiser with trainable weights, an ``nn.Module``: the model to train in a recipe without a denoiser.

    A run saves its state dict. If its key ``weights`` is null, it needs a trainer. ``spec``: output sizes of encode.
    """

    spec: ConditioningSpec

    def encode(self, batch: FaceBatch) -> Conditioning:
        """Encode each row's conditions; differentiable in the trainable weights."""
        ...

    def __call__(self, image: Tensor, conditioning: Conditioning) -> Tensor:
        """Identity images [B, 3, H, W] -> pictures [B, 3, H, W] in [-1, 1]; differentiable in both."""
        ...


__all__ = [
    "AttentionBackend", "Codec", "ConditionEncoder", "Conditioning", "ConditioningSpec", "Denoiser", "Encoded",
    "FaceBatch", "FaceDataset", "FaceRecord", "FaceView", "Fusion", "Guess", "Images", "Map", "Metric",
    "MetricCard", "Network", "NetworkOutput", "Predict", "Sampler", "Synthesiser", "TokenSpec",
    "TrainedSynthesiser", "Trainer", "TrainingData", "ViewName",
]  # fmt: skip
