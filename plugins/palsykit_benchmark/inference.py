"""Is a difference between two systems significant? Paired tests over people, with Holm's correction."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import permutation_test

from palsykit.seeds import derive

PERMUTATIONS = 9999
FEWEST = 10
"""The bootstrap test needs at least this many people."""
SIGN_FLIP = "sign-flip"
BOOTSTRAP = "bootstrap"
TESTS = {
    SIGN_FLIP: "sign-flip permutation test over people, two-sided: the signs of all of a person's paired differences "
    f"are flipped together; exact up to {int(math.log2(PERMUTATIONS + 1))} people, else {PERMUTATIONS:,} draws "
    "(scipy.stats.permutation_test)",
    BOOTSTRAP: "paired bootstrap over people, two-sided: twice the smaller share of samples on either side of 0, with "
    f"1 added to numerator and denominator; needs {FEWEST} people or more; for figures that are not a mean over "
    "pictures (ranks, ratios, distances between sets)",
}


@dataclass(frozen=True)
class Test:
    """The test of a difference and its p-value."""

    kind: str
    p: float


def sign_flip_test(column: Sequence[float], subjects: Sequence[str], seed: int) -> Test | None:
    """The test of a mean of paired differences (Fisher 1935; Good 2005, section 3.2).

    Args:
        column: the difference of each row; NaN if undefined.
        subjects: the subject of each row.
        seed: of the random signs, used if there are too many combinations to try all.

    Returns:
        None with fewer than two people whose difference is defined.
    """
    sums: dict[str, float] = {}
    for value, subject in zip(column, subjects, strict=True):
        if not math.isnan(value):
            sums[subject] = sums.get(subject, 0.0) + value
    if len(sums) < 2:
        return None
    result = permutation_test(
        (np.array(list(sums.values())),),
        lambda x, axis: x.sum(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=PERMUTATIONS,
        rng=np.random.default_rng(derive("sign-flip", seed)),
    )
    return Test(SIGN_FLIP, float(result.pvalue))


def bootstrap_test(drawn: NDArray[np.float64], people: int) -> Test | None:
    """The test of a difference from its bootstrap values (Efron and Tibshirani 1993, section 15.4).

    None without values, and with fewer than FEWEST people, because its p-values would be too small.
    """
    defined = drawn[~np.isnan(drawn)]
    if len(defined) == 0 or people < FEWEST:
        return None
    side = min(int((defined <= 0).sum()), int((defined >= 0).sum()))
    return Test(BOOTSTRAP, min(1.0, 2 * (side + 1) / (len(defined) + 1)))


def smallest_p(people: int, systems: int) -> float:
    """The smallest corrected p-value that a sign-flip test with this many people and systems can give."""
    return min(1.0, systems * max(2.0 ** (1 - people), 1 / (PERMUTATIONS + 1)))


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down correction (Scand J Stat 1979, 6:65).

    The i-th smallest of m p-values times m - i + 1, made monotone, at most 1.
    """
    adjusted, least = [0.0] * len(p), 0.0
    for rank, place in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        least = max(least, min(1.0, (len(p) - rank) * p[place]))
        adjusted[place] = least
    return adjusted
