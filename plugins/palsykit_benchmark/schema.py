"""The keys of a benchmark's recipe. ``extends``, ``null`` and ``--set`` work as in any recipe."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from palsykit.recipe.schema import Block

ProtocolName = Literal["self-reconstruction", "transfer", "transfer-without-truth"]


class FigureBlock(Block):
    """A row of the tables.

    Attributes:
        label: its label; null takes the metric's own name.
        digits: decimal places; null takes three significant digits.
        least, most: the aim, a bound that a system should reach.
        above: the aim, a system that should be surpassed.
    """

    named_files: ClassVar[bool] = False  # figures have names such as lengths/corner_error
    label: str | None = None
    digits: Annotated[int, Field(ge=0, le=9)] | None = None
    least: float | None = None
    most: float | None = None
    above: str | None = None


class SplitData(Block):
    """A data set whose training and test people are described separately.

    Attributes:
        train, test: a data set each, ``{use: ...}``.
        protocols: for this data set only; null takes the benchmark's.
    """

    train: dict[str, Any] | str
    test: dict[str, Any] | str
    protocols: Annotated[list[ProtocolName], Field(min_length=1)] | None = None


class Benchmark(Block):
    """A whole benchmark.

    Attributes:
        name: of its folder and of its section in a page; null takes the file's stem.
        judges: the recipe whose metrics judge every system, and whose ``generate`` chooses the people: a file, or keys
            on top of what it ``extends``.
        systems: name -> a recipe's file; keys on top of what it ``extends``; or ``{run: FOLDER}``, a finished run.
        every: recipe keys for every system with a trainer; the system's own keys win.
        data: name -> a data set that replaces the recipes' own, ``{use: ...}``; or ``{train: ..., test: ...,
            protocols: [...]}`` if training and test people come from two data sets, or if protocols differ.
        seeds: of training and of the noise; a system without training takes the first only.
        protocols: which identities are synthesised with which expressions, and what they are compared with.
        again: protocols with the extra synthesis that some metrics need (aFID); other tables lack these figures; null
            takes all.
        people: number of identities examined; null takes the judges' recipe's.
        train_images: images that every system trains on, which sets its steps; null takes each recipe's steps.
        reference: the system that the others are tested against; null takes the first one.
        figures: rows of the tables, in order; empty shows every figure of the judges.
        resamples: number of bootstrap samples.
        set_resamples: the same for distances between whole sets, which are slow; 0 gives them no interval.
        pictures: number of people whose pictures are shown.
    """

    name: str | None = None
    about: str = ""
    judges: dict[str, Any] | str
    systems: dict[str, dict[str, Any] | str | None]
    every: dict[str, Any] = Field(default_factory=dict)
    data: dict[str, dict[str, Any] | str | None]
    seeds: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)] = [0]  # noqa: RUF012 (pydantic copies it)
    protocols: Annotated[list[ProtocolName], Field(min_length=1)] = ["self-reconstruction", "transfer"]  # noqa: RUF012
    again: list[ProtocolName] | None = None
    people: Annotated[int, Field(ge=2)] | None = None
    train_images: Annotated[int, Field(ge=1)] | None = None
    reference: str | None = None
    figures: dict[str, FigureBlock] = Field(default_factory=dict)
    resamples: Annotated[int, Field(ge=100)] = 1000
    set_resamples: Annotated[int, Field(ge=0)] = 200
    pictures: Annotated[int, Field(ge=0)] = 2
