"""AUC and its interval: known values, and how often the interval is right."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palsykit.interfaces import MetricCard
from palsykit_audit.ranks import auc, tpr_at_fpr, two_groups

CARD = MetricCard("a", "a", "", "lower", "")
scores = st.lists(st.integers(-5, 5), min_size=1, max_size=12)


@given(scores, scores)
def test_auc_is_the_share_of_pairs_in_order(ones: list[int], others: list[int]) -> None:
    a, b = np.array(ones)[:, None], np.array(others)[None]
    assert auc(ones, others) == pytest.approx(float(((a > b) + (a == b) / 2).mean()))
    assert auc(ones, others) + auc(others, ones) == pytest.approx(1)


def test_ranks_without_other_people_are_undefined() -> None:
    assert np.isnan(auc([], [1.0]))


def test_the_share_caught_allows_so_many_alarms() -> None:
    others = np.arange(100.0)
    assert tpr_at_fpr(np.array([98.5, 99.5, 50.0, 200.0]), others, 0.01) == 0.75
    assert np.isnan(tpr_at_fpr(np.array([1.0]), others[:50], 0.01)), "half a photograph cannot be an alarm"


def test_the_interval_is_over_people_and_covers_chance_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    people = ([f"a{i}" for i in range(20) for _ in range(5)], [f"b{i}" for i in range(20) for _ in range(5)])
    covered = 0
    for trial in range(60):
        ones, others = (np.repeat(rng.standard_normal(20), 5) + 0.1 * rng.standard_normal(100) for _ in range(2))
        figure = two_groups(auc, ones, others, people, trial, CARD)
        assert figure.low is not None and figure.high is not None  # noqa: PT018
        covered += figure.low <= 0.5 <= figure.high
    assert covered >= 50, "of 60 at 95 %; photographs taken for independent would cover about half"
    apart = two_groups(auc, ones + 9, others, people, 0, CARD)
    assert (apart.value, apart.low, apart.high) == (1, 1, 1)


def test_groups_of_equal_size_are_drawn_apart() -> None:
    people = ([str(i) for i in range(30)], [str(i) for i in range(30)])
    same = np.random.default_rng(1).standard_normal(30)
    figure = two_groups(auc, same, same, people, 0, CARD)
    assert figure.low is not None and figure.high is not None  # noqa: PT018
    assert figure.high - figure.low > 0.2, "drawn alike, the interval would have no width"
