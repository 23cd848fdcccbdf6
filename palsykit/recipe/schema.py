"""What a recipe may say: the sections and settings that core owns. The keys inside a part are its plugin's own.

Every model is strict and refuses unknown keys; each field's description is what ``palsykit check`` prints for it.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Block(BaseModel):
    """Base of every core-owned block."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class PartBlock(BaseModel):
    """``{use: name, key: value, ...}``: a part and its plugin-owned keys, which stay in ``parameters``."""

    model_config = ConfigDict(frozen=True)
    use: str
    parameters: dict[str, Any] = Field(default_factory=dict)


class ConditionBlock(PartBlock):
    """An encoder and what core does with it.

    Attributes:
        source: the view it reads.
        beside: further views, for an encoder that compares; "rest" is the driver's person at rest.
        drop: probability with which training replaces it by its learnt null tokens (classifier-free guidance,
            Ho and Salimans, arXiv:2207.12598).
    """

    source: Literal["identity", "driver"]
    beside: tuple[Literal["identity", "driver", "rest"], ...] = ()
    drop: Annotated[float, Field(ge=0, lt=1)] = 0.0


class MapBlock(PartBlock):
    """What lies over the picture, and what core does with it.

    Attributes:
        error: root mean squared error of the map, a picture in [-1, 1]. A map with an error is the guess that the
            denoiser corrects; a recipe has at most one.
        drops_with: a condition; where training drops that, it drops the map, too.
    """

    error: Annotated[float, Field(gt=0)] | None = None
    drops_with: str | None = None


class FusionBlock(PartBlock):
    """A fusion, and whose pooled vector core passes on where the fusion makes none; null for none."""

    pooled_from: str | None = "identity"


class Optimisation(Block):
    """Settings of the one training loop, for the main model and for fits alike.

    Attributes:
        flip: probability with which a pair of photographs is seen in a mirror, landmarks and side with it; only where
            the data's labels allow it (palsykit.faces.flip).
    """

    steps: Annotated[int, Field(ge=0)] = 1000
    batch_size: Annotated[int, Field(ge=1)] = 16
    lr: Annotated[float, Field(gt=0)] = 1e-4
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    warmup: Annotated[int, Field(ge=0)] = 0
    decay: Literal["none", "cosine"] = "none"
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.999
    accumulate: Annotated[int, Field(ge=1)] = 1
    clip: Annotated[float, Field(gt=0)] | None = 1.0
    flip: Annotated[float, Field(ge=0, le=1)] = 0.0
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    checkpoint_every: Annotated[int, Field(ge=1)] = 500
    log_every: Annotated[int, Field(ge=1)] = 10


class Training(Optimisation):
    """The main model's training.

    Attributes:
        start: a safetensors file of a model of the same make to go on from.
        start_without: modules of the model that begin afresh all the same, such as "fusion" or "encoders.landmark";
            neither the file nor the model need have them, and what either has of them is left alone.
    """

    start: Path | None = None
    start_without: tuple[str, ...] = ()


class FitBlock(Optimisation):
    """Fits one network before the main training, unless it has weights; without ``data`` it uses the recipe's."""

    network: str
    trainer: PartBlock
    data: PartBlock | None = None


class Generation(Block):
    """The figure and the pictures that metrics see: held-out identities x their photographs.

    Attributes:
        split: whose identities.
        identities: how many of them; None for all.
        seed: seeds the noise, with each photograph's key.
        guidance: classifier-free guidance strength; 1 is none.
        batch_size: rows at a time; changes no picture.
    """

    split: Literal["train", "validation", "test"] = "test"
    identities: Annotated[int, Field(ge=1)] | None = 8
    seed: int = 0
    guidance: Annotated[float, Field(ge=0)] = 1.0
    batch_size: Annotated[int, Field(ge=1)] = 16


class Settings(Block):
    """A whole recipe.

    Attributes:
        poser: makes the driver view where an expression is asked for by name; neither trained nor measured with.
        tracking: where the training log goes beside log.jsonl; changes no result.
    """

    name: str | None = None
    about: str = ""
    seed: Annotated[int, Field(ge=0)] = 0
    image_size: Annotated[int, Field(ge=16)] = 64
    data: PartBlock
    networks: dict[str, PartBlock] = Field(default_factory=dict)
    fits: list[FitBlock] = Field(default_factory=list)
    conditions: dict[str, ConditionBlock] = Field(default_factory=dict)
    maps: dict[str, MapBlock] = Field(default_factory=dict)
    fusion: FusionBlock | None = None
    denoiser: PartBlock | None = None
    scheduler: PartBlock | None = None
    sampler: PartBlock | None = None
    trainer: PartBlock | None = None
    train: Training = Training()
    synthesiser: PartBlock | None = None
    poser: PartBlock | None = None
    generate: Generation = Generation()
    metrics: dict[str, PartBlock] = Field(default_factory=dict)
    tracking: Literal["tensorboard"] | None = None
