"""What a benchmark's recipe may say. ``extends``, ``null`` and ``--set`` work as in any recipe."""

from typing import Annotated, Any, Literal

from pydantic import Field

from palsykit.recipe.schema import Block

ProtocolName = Literal["self-reconstruction", "transfer", "transfer-without-truth"]


class FigureBlock(Block):
    """A row of the tables.

    Attributes:
        label: how it is called; null takes the metric's own name.
        digits: decimal places; null has three significant digits.
        least, most: what a system should reach.
        above: a system that should be surpassed.
    """

    label: str | None = None
    digits: Annotated[int, Field(ge=0, le=9)] | None = None
    least: float | None = None
    most: float | None = None
    above: str | None = None


class SplitData(Block):
    """A data set whose people to train on and people to examine are described apart.

    Attributes:
        train, test: a data set each, ``{use: ...}``.
        protocols: of this data alone; null takes the benchmark's.
    """

    train: dict[str, Any] | str
    test: dict[str, Any] | str
    protocols: Annotated[list[ProtocolName], Field(min_length=1)] | None = None


class Benchmark(Block):
    """A whole benchmark.

    Attributes:
        name: of its folder and its section of a page; the file's stem if null.
        judges: the recipe whose metrics judge every system, and whose ``generate`` chooses the people: a file, or keys
            on top of what it ``extends``.
        systems: name -> a recipe's file; keys on top of what it ``extends``; or ``{run: FOLDER}``, a finished run.
        every: recipe keys that every system with a trainer gets below its own.
        data: name -> a data set in the place of the recipes' own, ``{use: ...}``; or ``{train: ..., test: ...,
            protocols: [...]}`` where people to train on and to examine are of two data sets, or protocols differ.
        seeds: of training and of the noise; a system that trains nothing has the first alone.
        protocols: who is synthesised with whose expression, and what that is compared with.
        again: protocols under which pictures are synthesised once more for the metrics that ask for it (aFID), whose
            figures the other tables then lack; null takes all.
        people: identities examined; null leaves it to the judges' recipe.
        train_images: images that every system trains on, from which its steps follow; null leaves it to the recipes.
        reference: the system that the others are tested against; the first one if null.
        figures: rows of the tables, in order; none given shows every figure that the judges have.
        resamples: bootstrap samples of people.
        set_resamples: the same for distances between whole sets, which take long; 0 gives them no interval.
        pictures: people shown side by side.
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
