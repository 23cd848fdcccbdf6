"""Fifth stage: compute every metric on the generated pictures. Metrics share the synthesis passes that they need."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from palsykit.faces.pairing import Pair
from palsykit.faces.views import batch, to_tensor
from palsykit.files.atomic import write_text
from palsykit.files.csv_text import csv_text
from palsykit.interfaces import FaceBatch, Images, Metric, Synthesiser
from palsykit.measure.passes import check_needs, further_passes, synthesise_pass
from palsykit.measure.statistics import Figure, measure, summarise
from palsykit.report.figures import with_card
from palsykit.run.folder import RunFolder
from palsykit.run.generate import generated
from palsykit.run.parts import Parts

SELF_RECONSTRUCTION = "self-reconstruction: the driver is the very photograph that the synthesis is compared with"
"""The evaluation protocol, printed with every figure."""


def evaluate(run: RunFolder, parts: Parts, synthesiser: Synthesiser, facts: dict[str, Any]) -> None:
    """Write metrics.json and metrics.csv (one line per picture).

    Raises:
        PalsykitError: a metric needs a pass that core does not offer.
    """
    # Synthesise the further passes that the metrics need.
    metrics, pairs, settings = build_metrics(parts), parts.chosen_pairs, parts.settings.generate
    faces = batch(parts.data().dataset, pairs).to(parts.device)
    images = Images(to_tensor(np.stack(generated(run, pairs))).to(parts.device))

    def synthesise(name: str, views: FaceBatch, seeds: list[int]) -> Tensor:
        return synthesise_pass(synthesiser, views, seeds, run.path / name, settings.batch_size, name)

    further_passes(images, check_needs(metrics), faces, pairs, settings.seed, synthesise)

    # Compute the figures and write them.
    statistics = measure(metrics, faces, images, settings.batch_size)
    subjects = [str(pair.record.labels.subject) for pair in pairs]
    figures = {name: summarise(statistic, subjects, parts.settings.seed) for name, statistic in statistics.items()}
    rows = {name: statistic.column for name, statistic in statistics.items() if statistic.column is not None}
    write_text(run.metrics, json.dumps(_as_json(figures, parts, len(pairs)), indent=1) + "\n")
    write_text(run.path / "metrics.csv", _as_csv(rows, pairs))
    facts["images"] = len(pairs)


def build_metrics(parts: Parts) -> dict[str, Metric]:
    """Build the recipe's metrics."""
    return {name: parts.build("metrics", block) for name, block in parts.settings.metrics.items()}


def _as_json(figures: dict[str, Figure], parts: Parts, count: int) -> dict[str, Any]:
    details = {name: with_card(figure) for name, figure in figures.items()}
    return {
        "protocol": SELF_RECONSTRUCTION,
        "split": parts.settings.generate.split,
        "images": count,
        "metrics": {name: detail["value"] for name, detail in details.items()},
        "details": details,
    }


def _as_csv(rows: dict[str, list[float]], pairs: Sequence[Pair]) -> str:
    lines = []
    for number, pair in enumerate(pairs):
        labels = pair.record.labels
        cells = [labels.subject, labels.expression, labels.side, labels.severity, pair.record.key]
        lines.append([*cells, *(f"{column[number]:.6g}" for column in rows.values())])
    return csv_text(["subject", "expression", "side", "severity", "photograph", *rows], lines)
