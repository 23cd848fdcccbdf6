"""Two groups told apart by a score: the area under the ROC curve, and its interval over people of both groups."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from palsykit.interfaces import MetricCard
from palsykit.measure.statistics import RESAMPLES, Figure, interval, resamples
from palsykit.seeds import derive

Values = NDArray[np.float64]


def auc(ones: ArrayLike, others: ArrayLike) -> float:
    """The chance that one of ``ones`` scores higher than one of ``others``, ties half (Mann-Whitney); NaN of nobody."""
    a, b = np.asarray(ones, np.float64), np.asarray(others, np.float64)
    if len(a) == 0 or len(b) == 0:
        return math.nan
    ranks = rankdata(np.concatenate([a, b]))
    return float((ranks[: len(a)].sum() - len(a) * (len(a) + 1) / 2) / (len(a) * len(b)))


def caught(ones: Values, others: Values, alarms: float) -> float:
    """The share of ``ones`` above the score that a share ``alarms`` of ``others`` exceeds at most (TPR at that FPR).

    NaN where there are too few ``others`` for such a share.
    """
    if len(others) * alarms < 1:
        return math.nan
    limit = np.sort(others)[-1 - math.floor(len(others) * alarms)]
    return float((ones > limit).mean())


def two_groups(
    of: Callable[[Values, Values], float],
    ones: Values,
    others: Values,
    people: tuple[Sequence[str], Sequence[str]],
    seed: int,
    card: MetricCard,
) -> Figure:
    """A figure of two groups' scores with its 95 % bootstrap interval, people of each group drawn whole.

    Args:
        of: the figure.
        ones: scores of the one group's rows.
        others: of the other's.
        people: whose rows these are, of each group.
        seed: of the bootstrap.
        card: what the figure means.
    """
    value = of(ones, others)
    drawn = zip(
        resamples(people[0], derive("ones", seed), RESAMPLES),
        resamples(people[1], derive("others", seed), RESAMPLES),
        strict=True,
    )
    values = [of(ones[a], others[b]) for a, b in drawn]
    low, high = interval(values, min(len(set(people[0])), len(set(people[1]))))
    return Figure(value, low, high, len(ones) + len(others), card)
