"""How well a score separates two groups: the area under the ROC curve (AUC), and bootstrap intervals over people."""

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
    """The chance that one of ``ones`` scores higher than one of ``others``; ties count half (Mann-Whitney).

    NaN if a group is empty.
    """
    a, b = np.asarray(ones, np.float64), np.asarray(others, np.float64)
    if len(a) == 0 or len(b) == 0:
        return math.nan
    ranks = rankdata(np.concatenate([a, b]))
    return float((ranks[: len(a)].sum() - len(a) * (len(a) + 1) / 2) / (len(a) * len(b)))


def tpr_at_fpr(ones: Values, others: Values, rate: float) -> float:
    """True-positive rate at the false-positive rate ``rate``.

    That is the share of ``ones`` above the score that at most a share ``rate`` of ``others`` exceeds. NaN if there are
    fewer than 1 / ``rate`` of ``others``.
    """
    if len(others) * rate < 1:
        return math.nan
    limit = np.sort(others)[-1 - math.floor(len(others) * rate)]
    return float((ones > limit).mean())


def two_groups(
    of: Callable[[Values, Values], float],
    ones: Values,
    others: Values,
    people: tuple[Sequence[str], Sequence[str]],
    seed: int,
    card: MetricCard,
) -> Figure:
    """A figure of two groups' scores with its 95 % cluster-bootstrap interval over people.

    Args:
        of: computes the figure.
        ones: scores of the first group's rows.
        others: scores of the second group's rows.
        people: the person of each row, for both groups; a person's rows are drawn together.
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
