"""What a report and a model card are made of: plain data, no runs, no models.

Pictures are uint8 RGB arrays [H, W, 3], all of one report the same size.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
CountTable = dict[str, dict[str, int]]
"""Row -> column -> how many, such as ``{"rest": {"train": 120, "test": 16}}``."""

NOT_FOR = (
    (
        "No diagnosis, no clinical decision.",
        "Nothing here examines a patient. A synthesised face is no evidence of how a person looks, moves or will "
        "recover.",
    ),
    (
        "No grading of patients.",
        "Sides and House-Brackmann grades are labels that were asked of the model or that came with its data; "
        "they are not measurements, and no figure here validates a grading method.",
    ),
    (
        "No identification.",
        "The recognition features serve to compare pictures with each other. They must not be used to recognise, find "
        "or track people.",
    ),
    (
        "No passing off.",
        "Every synthesis is computer-made. Whoever shows one says so, and nobody's likeness is synthesised without "
        "consent.",
    ),
)
"""What the models are not for: (in a word, why), printed in every report and model card."""


@dataclass(frozen=True, eq=False)
class Cell:
    """One synthesis beside its truth.

    Attributes:
        expression: a canonical name or the data set's own word.
        side: the affected side, the subject's own ("left", "right", "bilateral", "none"); None if unknown.
        severity: House-Brackmann grade, 1 to 6; None if unknown.
        truth: the photograph that the synthesis is compared with, or None.
        generated: the synthesis.
    """

    expression: str
    side: str | None
    severity: float | None
    truth: Picture | None
    generated: Picture


@dataclass(frozen=True, eq=False)
class FigureRow:
    """One identity: who, the photograph given to the model, and what was synthesised from it."""

    subject: str
    identity: Picture
    cells: list[Cell]


@dataclass(frozen=True)
class Curve:
    """One term over a training's steps; NaN where it was not measured."""

    name: str
    steps: list[int]
    values: list[float]


@dataclass(frozen=True)
class MetricRow:
    """One figure as it is printed.

    Attributes:
        low, high: 95 % interval; None for a figure that has none.
        count: pictures (or pairs) it is computed from.
        better: "higher" or "lower".
        note: what to beware of, such as "not comparable with Inception's".
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


@dataclass(frozen=True, eq=False)
class ReportContents:
    """A whole report.

    Attributes:
        about: what was run, in plain words; blank lines separate paragraphs.
        curves: training ("fit recognition", "train") -> its terms.
        recipe_yaml: the recipe as resolved.
        facts: provenance, name -> value (seconds a stage, images a second, parameters, versions, machine).
        data: what was used, table ("split", "expression", "side") -> counts.
        rejected: (path, reason) of every photograph that could not be used.
        notes: what a reader must know of this very run (a subject with one photograph, predicted landmarks).
        attribution: whose data and weights these are, as their licences ask; blank lines separate paragraphs.
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
        training_data: what it learnt from, in plain words; simulated or not, how many people and pictures.
        evaluation_data: whom ``metrics`` were computed on.
        limits: what else is known to go wrong, one line each.
        load: the folder to give ``palsykit.load``.
        recipe_hash: SHA-256 of the resolved recipe.
        provenance: what it was made with, name -> value.
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
