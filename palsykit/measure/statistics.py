"""Metrics on pictures: a figure of any rows, with bootstrap intervals over subjects, and differences between pairs."""

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
"""Numbers of rows, in the order they were read; one may come more than once."""
Columns = dict[str, Tensor]
Figures = Callable[[Columns], dict[str, float]]


@dataclass(frozen=True)
class Figure:
    """A metric's value over all rows.

    Attributes:
        value: the mean over rows, or what the metric makes of them together.
        low, high: 95 % bootstrap interval over subjects (percentiles); None for figures of whole sets.
        count: rows that it is defined for.
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
        of: its value on some rows, which may come more than once; NaN where it is not defined.
        count: rows that it is defined for.
        column: the value of each row, NaN where it has none, where the figure is their mean.
        quick: cheap and unbiased enough to be bootstrapped as a matter of course; not so a distance of whole sets.
    """

    card: MetricCard
    of: Callable[[Rows], float]
    count: int
    column: list[float] | None = None
    quick: bool = True


def measure(metrics: Mapping[str, Metric], faces: FaceBatch, images: Images, size: int) -> dict[str, Statistic]:
    """The figures, by name, of every metric on N rows, read ``size`` at a time."""
    found: dict[str, Statistic] = {}
    for name, metric in metrics.items():
        figures = statistics(metric, gather(metric, faces, images, size), len(faces))
        found |= {named(name, key): statistic for key, statistic in figures.items()}
    return found


def gather(metric: Metric, faces: FaceBatch, images: Images, size: int) -> Columns:
    """What a metric reads of N rows, ``size`` at a time: {column: [N, ...]} on the CPU."""
    parts: dict[str, list[Tensor]] = {}
    for start in range(0, len(faces), size):
        with torch.no_grad():  # what a frozen network sees in inference mode is not remembered for the next metric
            columns = metric.read(faces.rows(start, start + size), images.rows(start, start + size))
        for key, column in columns.items():
            parts.setdefault(key, []).append(column.detach().cpu())
    rows = {key: torch.cat(columns) for key, columns in parts.items()}
    prepare: Callable[[Columns], Columns] | None = getattr(metric, "prepare", None)
    return rows if prepare is None else prepare(rows)


def statistics(metric: Metric, rows: Columns, count: int) -> dict[str, Statistic]:
    """A metric's figures of the ``count`` rows that ``gather`` gives.

    Raises:
        ValueError: for a column of features and no ``figures`` to make something of them.
    """
    describe: Callable[[Columns], Mapping[str, MetricCard]] = getattr(metric, "describe", lambda _: {})
    cards = {**getattr(metric, "cards", {}), **describe(rows)}
    figures: Figures | None = getattr(metric, "figures", None)
    if figures is None:
        if wide := [key for key, column in rows.items() if column.ndim != 1]:
            raise ValueError(
                f"{metric.card.name}: {wide[0]} has several values for each row, and there is no figures()"
            )
        return {key: mean_of(cards.get(key, metric.card), column.float().tolist()) for key, column in rows.items()}

    # Of rows together: the whole set once, samples when they are asked for.
    values, everything = figures(rows), np.arange(count).tobytes()
    in_sample: Figures = getattr(metric, "bootstrap_figures", figures)

    @lru_cache(maxsize=2 * RESAMPLES)
    def sample(chosen: bytes) -> dict[str, float]:  # a metric's figures are taken one after another
        numbers = torch.tensor(np.frombuffer(chosen, dtype=np.int64))
        return in_sample({key: column[numbers] for key, column in rows.items()})

    def of(key: str) -> Callable[[Rows], float]:
        return lambda chosen: values[key] if (name := chosen.tobytes()) == everything else sample(name)[key]

    quick: bool = getattr(metric, "quick", True)
    return {key: Statistic(cards.get(key, metric.card), of(key), _defined(rows, key), quick=quick) for key in values}


def named(metric: str, figure: str) -> str:
    """A figure's name in reports: its own where it begins with the metric's, else METRIC/FIGURE."""
    return figure if f"{figure}_".startswith(f"{metric}_") else f"{metric}/{figure}"


def summarise(
    statistic: Statistic, subjects: Sequence[str], seed: int, samples: int = RESAMPLES, set_samples: int = 0
) -> Figure:
    """A figure with its interval, subjects drawn whole (Efron and Tibshirani 1993).

    Args:
        statistic: the figure.
        subjects: of each row.
        seed: of the bootstrap.
        samples: bootstrap samples.
        set_samples: the same for distances of whole sets, which take longer; 0 gives those no interval.
    """
    value = statistic.of(np.arange(len(subjects)))
    drawn = bootstrap(statistic, subjects, seed, samples, set_samples)
    low, high = interval(drawn.tolist(), len(set(subjects)))
    return Figure(value, low, high, statistic.count, statistic.card)


def bootstrap(
    statistic: Statistic, subjects: Sequence[str], seed: int, samples: int, set_samples: int
) -> NDArray[np.float64]:
    """The values of a figure in samples of subjects, as ``summarise`` takes them; none where it is not defined.

    A distance of whole sets is biased upwards where rows repeat: its values are moved until their mean is the figure.
    """
    value = statistic.of(np.arange(len(subjects)))
    count = samples if statistic.quick else set_samples
    if math.isnan(value) or not count:
        return np.empty(0)
    drawn = np.array([statistic.of(chosen) for chosen in resamples(subjects, seed, count)])
    if not statistic.quick and np.isfinite(drawn).any():
        drawn = drawn + (value - np.nanmean(drawn))
    return drawn


def average(statistics: Sequence[Statistic]) -> Statistic:
    """The mean of one figure over several measurements of the same rows, such as training seeds."""
    first = statistics[0]
    count, quick = min(s.count for s in statistics), all(s.quick for s in statistics)
    columns = [s.column for s in statistics if s.column is not None]
    column = np.mean(columns, axis=0).tolist() if len(columns) == len(statistics) else None
    return Statistic(first.card, lambda rows: float(np.mean([s.of(rows) for s in statistics])), count, column, quick)


def difference(one: Statistic, other: Statistic) -> Statistic:
    """One figure less another of the same rows; its bootstrap draws the same subjects for both, so it is paired."""
    count, quick = min(one.count, other.count), one.quick and other.quick
    both = one.column is not None and other.column is not None
    column = (np.array(one.column) - np.array(other.column)).tolist() if both else None
    return Statistic(one.card, lambda rows: one.of(rows) - other.of(rows), count, column, quick)


def resamples(subjects: Sequence[str], seed: int, count: int = RESAMPLES) -> list[Rows]:
    """Rows of subjects drawn with replacement, ``count`` times; the same for the same subjects and seed."""
    return _drawn(tuple(subjects), seed, count)


@lru_cache(maxsize=8)
def _drawn(subjects: tuple[str, ...], seed: int, count: int) -> list[Rows]:
    names = {name: number for number, name in enumerate(dict.fromkeys(subjects))}
    numbers = np.array([names[name] for name in subjects])
    rows = [np.flatnonzero(numbers == number) for number in range(len(names))]
    draws = np.random.default_rng(derive("bootstrap", seed)).integers(len(rows), size=(count, len(rows)))
    return [np.concatenate([rows[number] for number in draw]) for draw in draws]


def interval(drawn: Sequence[float], subjects: int) -> tuple[float | None, float | None]:
    """The middle 95 % of bootstrap values; (None, None) for a single subject or nothing defined."""
    defined = np.array([value for value in drawn if not math.isnan(value)])
    if subjects < 2 or len(defined) == 0:
        return None, None
    low, high = np.percentile(defined, [2.5, 97.5])
    return float(low), float(high)


def mean_of(card: MetricCard, column: list[float]) -> Statistic:
    """The mean of a value a row; rows where it is NaN do not count."""
    values = np.array(column)
    defined = ~np.isnan(values)
    filled = np.where(defined, values, 0.0)

    def of(rows: Rows) -> float:
        count = defined[rows].sum()
        return float(filled[rows].sum() / count) if count else math.nan

    return Statistic(card, of, int(defined.sum()), column)


def _defined(rows: Columns, figure: str) -> int:
    """How many rows a figure is defined for, as ``Metric`` says."""
    columns = [rows[figure]] if figure in rows else rows.values()
    return int(torch.stack([~column[:, None].isnan().flatten(1).any(1) for column in columns]).all(0).sum())
