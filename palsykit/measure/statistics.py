"""Figures of metrics on any rows, their cluster bootstrap intervals over subjects, and paired differences."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from palsykit.interfaces import FaceBatch, Images, Metric, MetricCard
from palsykit.seeds import derive

RESAMPLES = 1000
Rows = NDArray[np.int64]
"""Row numbers, in reading order; a row may occur more than once."""
Columns = dict[str, Tensor]
Figures = Callable[[Columns], dict[str, float]]


@dataclass(frozen=True)
class Figure:
    """A metric's value over all rows.

    Attributes:
        value: the mean over rows, or a figure of all rows together.
        low, high: 95 % bootstrap interval over subjects (percentiles); None for figures of whole sets.
        count: number of rows for which it is defined.
    """

    value: float
    low: float | None
    high: float | None
    count: int
    card: MetricCard


@dataclass(frozen=True)
class Statistic:
    """A figure as a function of rows.

    Attributes:
        of: its value on some rows, which may repeat; NaN if it is not defined.
        count: number of rows for which it is defined.
        column: if the figure is a mean over rows, the value of each row, NaN where undefined; else None.
        quick: whether to bootstrap it by default. False for distances between sets, which are slow and biased.
    """

    card: MetricCard
    of: Callable[[Rows], float]
    count: int
    column: list[float] | None = None
    quick: bool = True


def measure(metrics: Mapping[str, Metric], faces: FaceBatch, images: Images, size: int) -> dict[str, Statistic]:
    """Compute the figures of every metric on N rows, in batches of ``size`` rows; returns them by name."""
    result: dict[str, Statistic] = {}
    for name, metric in metrics.items():
        figures = statistics(metric, gather(metric, faces, images, size), len(faces))
        result |= {named(name, key): statistic for key, statistic in figures.items()}
    return result


def gather(metric: Metric, faces: FaceBatch, images: Images, size: int) -> Columns:
    """Read N rows with a metric, in batches of ``size`` rows. Returns {column: [N, ...]} on the CPU."""
    parts: dict[str, list[Tensor]] = {}
    for start in range(0, len(faces), size):
        with torch.no_grad():  # inference mode would keep networks from caching for the next metric
            columns = metric.read(faces.rows(start, start + size), images.rows(start, start + size))
        for key, column in columns.items():
            parts.setdefault(key, []).append(column.detach().cpu())
    rows = {key: torch.cat(columns) for key, columns in parts.items()}
    prepare: Callable[[Columns], Columns] | None = getattr(metric, "prepare", None)
    return rows if prepare is None else prepare(rows)


def statistics(metric: Metric, rows: Columns, count: int) -> dict[str, Statistic]:
    """The figures of a metric on the ``count`` rows that ``gather`` returned.

    Raises:
        ValueError: a column has several values per row, and the metric has no ``figures``.
    """
    describe: Callable[[Columns], Mapping[str, MetricCard]] = getattr(metric, "describe", lambda _: {})
    cards = {**getattr(metric, "cards", {}), **describe(rows)}
    figures: Figures | None = getattr(metric, "figures", None)
    # Without figures(): the mean of each column.
    if figures is None:
        if wide := [key for key, column in rows.items() if column.ndim != 1]:
            raise ValueError(
                f"{metric.card.name}: {wide[0]} has several values per row, and the metric has no figures()"
            )
        return {key: mean_of(cards.get(key, metric.card), column.float().tolist()) for key, column in rows.items()}

    # Figures of several rows together: compute the whole set now, bootstrap samples on demand.
    values, everything = figures(rows), np.arange(count).tobytes()
    in_sample: Figures = getattr(metric, "bootstrap_figures", figures)

    @lru_cache(maxsize=2 * RESAMPLES)
    def sample(chosen: bytes) -> dict[str, float]:  # cached: the figures of one metric need the same samples
        numbers = torch.tensor(np.frombuffer(chosen, dtype=np.int64))
        return in_sample({key: column[numbers] for key, column in rows.items()})

    def of(key: str) -> Callable[[Rows], float]:
        return lambda chosen: values[key] if (name := chosen.tobytes()) == everything else sample(name)[key]

    quick: bool = getattr(metric, "quick", True)
    return {key: Statistic(cards.get(key, metric.card), of(key), _defined(rows, key), quick=quick) for key in values}


def named(metric: str, figure: str) -> str:
    """A figure's name in reports: its own name if that begins with the metric's, else METRIC/FIGURE."""
    return figure if f"{figure}_".startswith(f"{metric}_") else f"{metric}/{figure}"


def summarise(
    statistic: Statistic, subjects: Sequence[str], seed: int, samples: int = RESAMPLES, set_samples: int = 0
) -> Figure:
    """A figure with its cluster bootstrap interval: subjects are drawn, with all their rows (Efron, Tibshirani 1993).

    Args:
        statistic: the figure.
        subjects: the subject of each row.
        seed: of the bootstrap.
        samples: number of bootstrap samples.
        set_samples: the same for distances between sets, which are slow; 0: no interval.
    """
    value = statistic.of(np.arange(len(subjects)))
    values = bootstrap(statistic, subjects, seed, samples, set_samples)
    low, high = interval(values.tolist(), len(set(subjects)))
    return Figure(value, low, high, statistic.count, statistic.card)


def bootstrap(
    statistic: Statistic, subjects: Sequence[str], seed: int, samples: int, set_samples: int
) -> NDArray[np.float64]:
    """The values of a figure on bootstrap samples; arguments as in ``summarise``. Empty if the figure is not defined.

    Repeated rows bias a distance between sets upwards, so its values are shifted to have the figure as their mean.
    """
    value = statistic.of(np.arange(len(subjects)))
    count = samples if statistic.quick else set_samples
    if math.isnan(value) or not count:
        return np.empty(0)
    values = np.array([statistic.of(rows) for rows in resamples(subjects, seed, count)])
    if not statistic.quick and np.isfinite(values).any():
        values = values + (value - np.nanmean(values))
    return values


def average(statistics: Sequence[Statistic]) -> Statistic:
    """The mean of one figure over several measurements of the same rows, such as training seeds."""
    first = statistics[0]
    count, quick = min(s.count for s in statistics), all(s.quick for s in statistics)
    columns = [s.column for s in statistics if s.column is not None]
    column = np.mean(columns, axis=0).tolist() if len(columns) == len(statistics) else None
    return Statistic(first.card, lambda rows: float(np.mean([s.of(rows) for s in statistics])), count, column, quick)


def difference(one: Statistic, other: Statistic) -> Statistic:
    """One figure minus another on the same rows. The bootstrap draws the same subjects for both, so it is paired."""
    count, quick = min(one.count, other.count), one.quick and other.quick
    both = one.column is not None and other.column is not None
    column = (np.array(one.column) - np.array(other.column)).tolist() if both else None
    return Statistic(one.card, lambda rows: one.of(rows) - other.of(rows), count, column, quick)


def resamples(subjects: Sequence[str], seed: int, count: int = RESAMPLES) -> list[Rows]:
    """Draw subjects with replacement, ``count`` times; returns their rows. Same subjects and seed, same rows."""
    return _resampled_rows(tuple(subjects), seed, count)


@lru_cache(maxsize=8)
def _resampled_rows(subjects: tuple[str, ...], seed: int, count: int) -> list[Rows]:
    names = {name: number for number, name in enumerate(dict.fromkeys(subjects))}
    numbers = np.array([names[name] for name in subjects])
    rows = [np.flatnonzero(numbers == number) for number in range(len(names))]
    draws = np.random.default_rng(derive("bootstrap", seed)).integers(len(rows), size=(count, len(rows)))
    return [np.concatenate([rows[number] for number in draw]) for draw in draws]


def interval(values: Sequence[float], subjects: int) -> tuple[float | None, float | None]:
    """The middle 95 % of bootstrap values; (None, None) for a single subject, or if no value is defined."""
    defined = np.array([value for value in values if not math.isnan(value)])
    if subjects < 2 or len(defined) == 0:
        return None, None
    low, high = np.percentile(defined, [2.5, 97.5])
    return float(low), float(high)


def mean_of(card: MetricCard, column: list[float]) -> Statistic:
    """The mean of one value per row; ignores NaN."""
    values = np.array(column)
    defined = ~np.isnan(values)
    filled = np.where(defined, values, 0.0)

    def of(rows: Rows) -> float:
        count = defined[rows].sum()
        return float(filled[rows].sum() / count) if count else math.nan

    return Statistic(card, of, int(defined.sum()), column)


def _defined(rows: Columns, figure: str) -> int:
    """Number of rows for which a figure is defined; ``Metric`` gives the rule."""
    columns = [rows[figure]] if figure in rows else rows.values()
    return int(torch.stack([~column[:, None].isnan().flatten(1).any(1) for column in columns]).all(0).sum())
