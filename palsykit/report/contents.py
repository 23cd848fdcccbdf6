"""The contents of a report and of a model card, as plain data.

Pictures are uint8 RGB arrays [H, W, 3]; all pictures of a report have the same size.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
CountTable = dict[str, dict[str, int]]
"""Row -> column -> count, such as ``{"rest": {"train": 120, "test": 16}}``."""

NOT_FOR = (
    (
        "No diagnosis, no clinical decision.",
        "Nothing here examines a patient. A synthesised face is not evidence of how a person looks, moves or "
        "will recover.",
    ),
    (
        "No grading of patients.",
        "Sides and House-Brackmann grades are labels that the model was given or that came with its data. They are "
        "not measurements, and no figure here validates a grading method.",
    ),
    (
        "No identification.",
        "The recognition features are for comparing pictures with each other. They must not be used to recognise, "
        "find or track people.",
    ),
    (
        "No deception.",
        "Every synthesis is computer-made: say so wherever you show one. Do not synthesise a person's likeness "
        "without consent.",
    ),
)
"""What the models are not for: (short form, reason), printed in every report and model card."""


@dataclass(frozen=True, eq=False)
class Cell:
    """One synthesis and the photograph that it is compared with.

    Attributes:
        expression: a canonical name or the data set's own word.
        side: the affected side, the subject's own ("left", "right", "bilateral", "none"); None if unknown.
        severity: House-Brackmann grade, 1 to 6; None if unknown.
        truth: that photograph, or None.
        generated: the synthesis.
    """

    expression: str
    side: str | None
    severity: float | None
    truth: Picture | None
    generated: Picture


@dataclass(frozen=True, eq=False)
class FigureRow:
    """One person: the identity photograph that the model was given, and the syntheses made from it."""

    subject: str
    identity: Picture
    cells: list[Cell]


@dataclass(frozen=True)
class Curve:
    """One term of the loss over the steps of a training; NaN where it was not measured."""

    name: str
    steps: list[int]
    values: list[float]


@dataclass(frozen=True)
class MetricRow:
    """One figure of a table of metrics.

    Attributes:
        low, high: 95 % interval; None for a figure that has none.
        count: pictures (or pairs) it is computed from.
        better: "higher" or "lower".
        note: a warning, such as "not comparable with Inception's".
    """

    name: str
    value: float
    low: float | None
    high: float | None
    count: int
    unit: str
    better: str
    definition: str
    source: str
    note: str = ""


@dataclass(frozen=True)
class Alarm:
    """Something that looks wrong in a training.

    Attributes:
        kind: "copies", "flat", "dominates" or "ignored".
        title: what, in a few words.
        found: the figures.
        advice: what to do.
    """

    kind: str
    title: str
    found: str
    advice: str


@dataclass(frozen=True, eq=False)
class LiveContents:
    """The page about a training that runs, has stopped or has ended.

    Attributes:
        state: "running", "stopped" or "ended".
        said: the state in plain sentences.
        refresh: seconds after which the page loads itself again; None: it does not.
        step, steps: done, and all.
        alarms: None: they are not looked for.
        notes: what a reader should know about the figures.
        best: of the best weights, in a sentence; empty without any.
        people: the last pictures, of the averaged weights.
        raw: those of the weights as they are: for each row of ``people`` one per cell.
        looks: (step, one picture per row of ``over_steps``), in the order of the steps.
        over_steps: one person per row, with one cell: the first of each person.
        plots: figure -> its curves by name.
        facts: name -> value.
    """

    title: str
    state: str
    said: str
    refresh: int | None
    step: int
    steps: int
    alarms: list[Alarm] | None
    notes: list[str]
    best: str
    people: list[FigureRow]
    raw: list[list[Picture]]
    over_steps: list[FigureRow]
    looks: list[tuple[int, list[Picture]]]
    plots: dict[str, dict[str, Curve]]
    facts: dict[str, str]


@dataclass(frozen=True, eq=False)
class ReportContents:
    """A whole report.

    Attributes:
        about: what was run, in plain words; blank lines separate paragraphs.
        curves: training ("fit recognition", "train") -> its terms.
        recipe_yaml: the recipe as resolved.
        facts: provenance, name -> value (recipe hash, versions, machine, parameters, seconds per stage).
        data: table ("split", "expression", "side") -> counts of the photographs used.
        rejected: (path, reason) of every photograph that could not be used.
        notes: what a reader must know about this run (a subject with one photograph, predicted landmarks).
        attribution: of data and weights, as their licences require; blank lines separate paragraphs.
        licence: of the pictures and weights of this run.
        intervals: how the 95 % intervals were computed, one sentence.
    """

    title: str
    about: str
    rows: list[FigureRow]
    curves: dict[str, list[Curve]]
    metrics: list[MetricRow]
    recipe_yaml: str
    facts: dict[str, str]
    data: dict[str, CountTable] = field(default_factory=dict)
    rejected: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    attribution: str = ""
    licence: str = ""
    intervals: str = ""


@dataclass(frozen=True)
class CardContents:
    """A whole model card.

    Attributes:
        architecture: parts and sizes, one line each.
        image_size: side in px.
        parameters: trained weights of the main model.
        training: how it was trained, one line each (steps, batch, objective, time).
        training_data: in plain words: simulated or not, how many people and pictures.
        evaluation_data: the people that ``metrics`` were computed on.
        limits: other known limits, one line each.
        load: the folder that ``palsykit.load`` opens.
        exported: whether diffusers opens it, too.
        recipe_hash: SHA-256 of the resolved recipe.
        provenance: versions, machine and plugins, name -> value.
        sha256: file below ``load`` -> digest.
    """

    name: str
    about: str
    architecture: list[str]
    image_size: int
    parameters: int
    training: list[str]
    training_data: str
    attribution: str
    licence: str
    evaluation_data: str
    metrics: list[MetricRow]
    limits: list[str]
    load: str
    recipe_hash: str
    seed: int
    provenance: dict[str, str]
    sha256: dict[str, str] = field(default_factory=dict)
    exported: bool = False
