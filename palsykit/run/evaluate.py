"""Fifth stage: every metric on the generated pictures, with the passes that they need made once."""

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from palsykit.atomic import write_text
from palsykit.errors import PalsykitError
from palsykit.faces.pairing import Pair
from palsykit.faces.views import batch, to_pictures, to_tensor
from palsykit.interfaces import FaceBatch, FaceView, Images, MetricCard, Synthesiser
from palsykit.progress import track
from palsykit.run.folder import RunFolder
from palsykit.run.generate import chosen_pairs, generated, read_png, save_png
from palsykit.run.parts import Parts
from palsykit.seeds import derive

PROTOCOL = "self-reconstruction: the driver is the very photograph that the synthesis is compared with"
RESAMPLES = 1000
PASSES = frozenset({"regenerated"})


@dataclass(frozen=True)
class Figure:
    """A metric's value over the whole grid.

    Attributes:
        value: the mean over rows, or the set's figure.
        low, high: 95 % bootstrap interval over subjects (percentiles); None for figures of whole sets.
        count: rows that it is defined for.
    """

    value: float
    low: float | None
    high: float | None
    count: int
    card: MetricCard


def evaluate(run: RunFolder, parts: Parts, synthesiser: Synthesiser, facts: dict[str, Any]) -> None:
    """Writes metrics.json and metrics.csv (a line a picture)."""
    metrics = {name: parts.build("metrics", block) for name, block in parts.settings.metrics.items()}
    needs = frozenset().union(*(metric.needs for metric in metrics.values()))
    if unknown := needs - PASSES:
        raise PalsykitError(
            f"metrics need the passes {sorted(unknown)}; core makes {sorted(PASSES)}; use other metrics"
        )
    pairs = chosen_pairs(parts)
    faces = batch(parts.data().dataset, pairs).to(parts.device)
    images = Images(to_tensor(np.stack(generated(run))).to(parts.device))
    if "regenerated" in needs:
        images.regenerated = _regenerate(run, parts, synthesiser, pairs, faces, images.generated)
    rows, figures = _measure(metrics, faces, images, parts, pairs)
    write_text(run.metrics, json.dumps(_as_json(figures, parts, len(pairs)), indent=1) + "\n")
    write_text(run.path / "metrics.csv", _as_csv(rows, pairs))
    facts["images"] = len(pairs)


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


def _measure(
    metrics: dict[str, Any], faces: FaceBatch, images: Images, parts: Parts, pairs: Sequence[Pair]
) -> tuple[dict[str, list[float]], dict[str, Figure]]:
    rows: dict[str, list[float]] = {}
    figures: dict[str, Figure] = {}
    subjects = [str(pair.record.labels.subject) for pair in pairs]
    size = parts.settings.generate.batch_size
    for name, metric in metrics.items():
        values: dict[str, list[float]] = {}
        for start in range(0, len(pairs), size):
            part, passes = faces.rows(start, start + size), _part(images, start, start + size)
            with torch.inference_mode():
                if hasattr(metric, "update"):
                    metric.update(part, passes)
                else:
                    for key, column in metric.rows(part, passes).items():
                        values.setdefault(key, []).extend(column.float().cpu().tolist())
        if hasattr(metric, "compute"):
            figures |= {
                _named(name, k): Figure(v, None, None, len(pairs), metric.card) for k, v in metric.compute().items()
            }
        for key, column in values.items():
            rows[_named(name, key)] = column
            figures[_named(name, key)] = summarise(column, subjects, metric.card, parts.settings.seed)
    return rows, figures


def _part(images: Images, start: int, stop: int) -> Images:
    again = None if images.regenerated is None else images.regenerated[start:stop]
    return Images(images.generated[start:stop], again)


def _named(metric: str, figure: str) -> str:
    return figure if f"{figure}_".startswith(f"{metric}_") else f"{metric}/{figure}"


def summarise(column: Sequence[float], subjects: Sequence[str], card: MetricCard, seed: int) -> Figure:
    """The mean of a column's numbers with a bootstrap interval, subjects drawn whole (Efron and Tibshirani 1993)."""
    by_subject: dict[str, list[float]] = {}
    for value, subject in zip(column, subjects, strict=True):
        if not math.isnan(value):
            by_subject.setdefault(subject, []).append(value)
    if not by_subject:
        return Figure(math.nan, None, None, 0, card)
    totals = np.array([sum(values) for values in by_subject.values()])
    counts = np.array([len(values) for values in by_subject.values()])
    draws = np.random.default_rng(derive("bootstrap", seed)).integers(len(totals), size=(RESAMPLES, len(totals)))
    means = totals[draws].sum(1) / counts[draws].sum(1)
    interval = np.percentile(means, [2.5, 97.5]) if len(totals) > 1 else (None, None)
    low, high = (None if bound is None else float(bound) for bound in interval)
    return Figure(float(totals.sum() / counts.sum()), low, high, int(counts.sum()), card)


def _as_json(figures: dict[str, Figure], parts: Parts, count: int) -> dict[str, Any]:
    finite = {name: figure.value if math.isfinite(figure.value) else None for name, figure in figures.items()}
    return {
        "protocol": PROTOCOL,
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
