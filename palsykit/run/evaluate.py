"""Fifth stage: every metric on the generated pictures, with the passes that they need made once."""

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from torch import Tensor

from palsykit.atomic import write_text
from palsykit.errors import PalsykitError
from palsykit.faces.pairing import Pair
from palsykit.faces.views import batch, to_pictures, to_tensor
from palsykit.interfaces import FaceBatch, FaceView, Images, Synthesiser
from palsykit.progress import track
from palsykit.run.folder import RunFolder
from palsykit.run.generate import chosen_pairs, generated, read_png, save_png
from palsykit.run.measure import Figure, Statistic, measure, summarise
from palsykit.run.parts import Parts
from palsykit.run.protocols import SELF
from palsykit.seeds import derive

PASSES = frozenset({"regenerated"})


def evaluate(run: RunFolder, parts: Parts, synthesiser: Synthesiser, facts: dict[str, Any]) -> None:
    """Writes metrics.json and metrics.csv (a line a picture)."""
    found, pairs = statistics(run, parts, synthesiser)
    subjects = [str(pair.record.labels.subject) for pair in pairs]
    figures = {name: summarise(statistic, subjects, parts.settings.seed) for name, statistic in found.items()}
    rows = {name: statistic.column for name, statistic in found.items() if statistic.column is not None}
    write_text(run.metrics, json.dumps(_as_json(figures, parts, len(pairs)), indent=1) + "\n")
    write_text(run.path / "metrics.csv", _as_csv(rows, pairs))
    facts["images"] = len(pairs)


def statistics(run: RunFolder, parts: Parts, synthesiser: Synthesiser) -> tuple[dict[str, Statistic], list[Pair]]:
    """Every metric's figures of a run's generated pictures, as functions of rows, and the pairs that the rows are.

    Raises:
        PalsykitError: for a metric that needs a pass that core does not make.
    """
    metrics = built_metrics(parts)
    pairs = chosen_pairs(parts)
    faces = batch(parts.data().dataset, pairs).to(parts.device)
    images = Images(to_tensor(np.stack(generated(run))).to(parts.device))
    if any("regenerated" in metric.needs for metric in metrics.values()):
        images.regenerated = _regenerate(run, parts, synthesiser, pairs, faces, images.generated)
    return measure(metrics, faces, images, parts.settings.generate.batch_size), pairs


def built_metrics(parts: Parts) -> dict[str, Any]:
    """The recipe's metrics, fed nothing yet.

    Raises:
        PalsykitError: for one that needs a pass that core does not make.
    """
    metrics = {name: parts.build("metrics", block) for name, block in parts.settings.metrics.items()}
    needs = frozenset().union(*(metric.needs for metric in metrics.values()))
    if unknown := needs - PASSES:
        raise PalsykitError(
            f"metrics need the passes {sorted(unknown)}; core makes {sorted(PASSES)}; use other metrics"
        )
    return metrics


def _regenerate(
    run: RunFolder, parts: Parts, synthesiser: Synthesiser, pairs: list[Pair], faces: FaceBatch, first: Tensor
) -> Tensor:
    """Synthesises once more, with every condition taken from the first synthesis; kept in regenerated/."""
    files = [run.path / "regenerated" / f"{number:05d}.png" for number in range(len(pairs))]
    size = parts.settings.generate.batch_size
    with track("regenerate", len(pairs), "images") as progress:
        for start in range(0, len(pairs), size):
            stop = min(start + size, len(pairs))
            if not all(file.exists() for file in files[start:stop]):
                again = FaceBatch(
                    _seen(first[start:stop], faces.identity, start), _seen(first[start:stop], faces.driver, start)
                )
                seeds = [derive("again", parts.settings.generate.seed, pair.record.key) for pair in pairs[start:stop]]
                pictures = to_pictures(synthesiser.generate(again, seeds))
                for file, picture in zip(files[start:stop], pictures, strict=True):
                    save_png(picture, file)
            progress.advance(stop - start)
    return to_tensor(np.stack([read_png(file) for file in files])).to(first.device)


def _seen(image: Tensor, view: FaceView, start: int) -> FaceView:
    """A view of synthesised pictures: what was asked for is known of them, their landmarks are not."""
    unknown = FaceView.of_images(image)
    return FaceView(image, unknown.landmarks, view.labels[start : start + len(image)])


def _as_json(figures: dict[str, Figure], parts: Parts, count: int) -> dict[str, Any]:
    finite = {name: figure.value if math.isfinite(figure.value) else None for name, figure in figures.items()}
    return {
        "protocol": SELF.words,
        "split": parts.settings.generate.split,
        "images": count,
        "metrics": finite,
        "details": {name: {**asdict(figure), "value": finite[name]} for name, figure in figures.items()},
    }


def _as_csv(rows: dict[str, list[float]], pairs: Sequence[Pair]) -> str:
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(["subject", "expression", "side", "severity", "photograph", *rows])
    for number, pair in enumerate(pairs):
        labels = pair.record.labels
        known = [labels.subject, labels.expression, labels.side, labels.severity, pair.record.key]
        writer.writerow([*known, *(f"{column[number]:.6g}" for column in rows.values())])
    return table.getvalue()
