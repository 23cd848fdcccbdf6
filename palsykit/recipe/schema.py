"""The sections and settings of a recipe that core defines. The keys inside a part are defined by its plugin.

Every model is strict and refuses unknown keys.
"""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from palsykit.recipe.ranges import file_name

SIDE = 4096
"""Largest side of a picture in px; larger ones do not fit into the memory of any machine that trains."""

ROWS = 65_536
"""Most rows of a batch."""

Seed = Annotated[int, Field(ge=-(2**63), lt=2**63)]


Name = Annotated[str, AfterValidator(file_name)]


class Block(BaseModel):
    """Base of every core-owned block.

    Attributes:
        named_files: files or folders are called by the names of such blocks in a mapping, so those lead nowhere else.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    named_files: ClassVar[bool] = True


class PartBlock(BaseModel):
    """``{use: name, key: value, ...}``: a part; the keys that its plugin defines are in ``parameters``."""

    model_config = ConfigDict(frozen=True)
    use: str
    parameters: dict[str, Any] = Field(default_factory=dict)


class NetworkBlock(PartBlock):
    """A network. It reads pictures of ``image_size`` px, to which core resizes every other; null: the recipe's size."""

    image_size: Annotated[int, Field(ge=16, le=SIDE)] | None = None


class ConditionBlock(PartBlock):
    """An encoder and how core uses it.

    Attributes:
        source: the view that it reads.
        beside: further views, for an encoder that compares views; "rest" is the driver's person at rest.
        drop: probability that training replaces it by its learnt null tokens (classifier-free guidance, Ho and
            Salimans, arXiv:2207.12598).
    """

    source: Literal["identity", "driver"]
    beside: tuple[Literal["identity", "driver", "rest"], ...] = ()
    drop: Annotated[float, Field(ge=0, lt=1)] = 0.0


class MapBlock(PartBlock):
    """A map and how core uses it.

    Attributes:
        error: root mean squared error of the map, if it is a picture in [-1, 1] and serves as the guess that the
            denoiser corrects; at most one map of a recipe has it.
        drops_with: a condition; when training drops that, it also drops the map.
    """

    error: Annotated[float, Field(gt=0)] | None = None
    drops_with: str | None = None


class FusionBlock(PartBlock):
    """A fusion. If it makes no pooled vector, core passes on that of the condition ``pooled_from``; null: none."""

    pooled_from: str | None = "identity"


class Optimisation(Block):
    """Settings of the training loop, for the main model and for fits.

    Attributes:
        start: a safetensors file with the initial weights, of a model or network with the same architecture.
        skip_not_finite: how many steps may be left out because their loss or gradient is not finite; then it stops.
        flip: probability that a pair of photographs is mirrored, with landmarks and side; only if the data's labels
            allow it (palsykit.faces.flip).
        precision: of the forward pass; auto: bf16 where the hardware multiplies it. fp16 scales the loss.
        optimiser: adamw8bit keeps its moments in 8 bits (bitsandbytes).
        gradient_checkpointing: compute the denoiser's activations again in the backward pass, for less memory.
        compile: compile denoiser and networks with torch.compile; their numbers round differently.
        workers: processes that read pictures ahead, with the same numbers; 0: the training process reads them. None: 0
            on a CPU; with a GPU as many as there are processors beside it, at most 8.
    """

    steps: Annotated[int, Field(ge=0, le=10**9)] = 1000
    batch_size: Annotated[int, Field(ge=1, le=ROWS)] = 16
    lr: Annotated[float, Field(gt=0, le=10)] = 1e-4
    weight_decay: Annotated[float, Field(ge=0, le=100)] = 0.01
    warmup: Annotated[int, Field(ge=0, le=10**9)] = 0
    decay: Literal["none", "cosine"] = "none"
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.999
    accumulate: Annotated[int, Field(ge=1, le=ROWS)] = 1
    clip: Annotated[float, Field(gt=0)] | None = 1.0
    skip_not_finite: Annotated[int, Field(ge=0)] = 0
    flip: Annotated[float, Field(ge=0, le=1)] = 0.0
    precision: Literal["auto", "bf16", "fp16", "fp32"] = "auto"
    optimiser: Literal["adamw", "adamw8bit"] = "adamw"
    gradient_checkpointing: bool = False
    compile: bool = False
    workers: Annotated[int, Field(ge=0, le=256)] | None = None
    checkpoint_every: Annotated[int, Field(ge=1)] = 500
    log_every: Annotated[int, Field(ge=1)] = 10
    start: Path | None = None


class Training(Optimisation):
    """The main model's training.

    Attributes:
        start_without: modules that keep their own initial weights, such as "fusion" or "encoders.landmark". The file
            or the model may lack them; the file's weights for them are ignored.
    """

    start_without: tuple[str, ...] = ()


class FitBlock(Optimisation):
    """Fit one network before the main training, unless it has weights.

    ``data`` defaults to the recipe's; either is read at the network's own size.
    """

    network: str
    trainer: PartBlock
    data: PartBlock | None = None


class Generation(Block):
    """The pictures to synthesise for the report and the metrics: held-out identities x their photographs.

    Attributes:
        split: the split of the identities.
        identities: how many identities; None for all.
        seed: of the noise, together with each photograph's key.
        guidance: classifier-free guidance strength; 1 is none.
        batch_size: rows per batch; does not change the pictures.
        checkpoint: the weights that the run keeps in model/ and generates from: those of the last step, or of the
            step that was best by ``watch.best``.
    """

    split: Literal["train", "validation", "test"] = "test"
    identities: Annotated[int, Field(ge=1, le=10**6)] | None = 8
    seed: Seed = 0
    guidance: Annotated[float, Field(ge=0, le=100)] = 1.0
    batch_size: Annotated[int, Field(ge=1, le=ROWS)] = 16
    checkpoint: Literal["last", "best"] = "last"


class Watch(Block):
    """Looks at the main model while it trains: pictures and losses of people of the split validation, a live page.

    Looking changes no weight: it draws from random streams of its own.

    Attributes:
        every: steps between two looks; there is one before the first step and one after the last, too.
        identities: how many people to make pictures of.
        losses: whether to compute the trainer's losses on validation photographs, at the same noise in every look.
        best: the figure by which the best weights are kept (checkpoints/train/best): the sum of the validation losses,
            or the root mean squared error of the pictures; both of the averaged weights. null: none are kept.
        alarms: whether to look for copies of training photographs, loss terms that are flat or dominate, and
            conditions that are ignored.
        network: the network by whose embedding copies are found; null: the one called recognition, if there is one.
    """

    every: Annotated[int, Field(ge=1, le=10**9)] = 500
    identities: Annotated[int, Field(ge=1, le=64)] = 4
    losses: bool = True
    best: Literal["validation_loss", "picture_error"] | None = "validation_loss"
    alarms: bool = True
    network: str | None = None


Tracker = Literal["tensorboard", "wandb", "trackio", "mlflow"]


class Settings(Block):
    """A complete recipe.

    Attributes:
        codec: between pictures and the space in which diffusion runs; null: diffusion runs on the pictures.
        poser: makes the driver view for an expression given by name; not used in training or evaluation.
        watch: looks at the model while it trains; null: none. Does not change results.
        tracking: further places for the training log and for what ``watch`` sees, one or several; does not change
            results.
    """

    name: Name | None = None
    about: str = ""
    seed: Annotated[Seed, Field(ge=0)] = 0
    image_size: Annotated[int, Field(ge=16, le=SIDE)] = 64
    data: PartBlock
    networks: dict[str, NetworkBlock] = Field(default_factory=dict)
    fits: list[FitBlock] = Field(default_factory=list)
    conditions: dict[str, ConditionBlock] = Field(default_factory=dict)
    maps: dict[str, MapBlock] = Field(default_factory=dict)
    fusion: FusionBlock | None = None
    codec: PartBlock | None = None
    denoiser: PartBlock | None = None
    scheduler: PartBlock | None = None
    sampler: PartBlock | None = None
    trainer: PartBlock | None = None
    train: Training = Training()
    synthesiser: PartBlock | None = None
    poser: PartBlock | None = None
    generate: Generation = Generation()
    metrics: dict[str, PartBlock] = Field(default_factory=dict)
    watch: Watch | None = None
    tracking: Tracker | tuple[Tracker, ...] | None = None
