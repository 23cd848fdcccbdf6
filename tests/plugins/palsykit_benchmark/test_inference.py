"""Paired tests against enumeration and scipy, Holm's correction against an example by hand."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from palsykit_benchmark.inference import FEWEST, bootstrap_test, holm, sign_flip_test, smallest_p


def test_holm_by_hand() -> None:
    """0.005 x 4, 0.01 x 3, 0.03 x 2, then 0.04 x 1, which may not fall below the one before it."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([0.2]) == [0.2]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_keeps_the_order_and_only_raises(p: list[float]) -> None:
    found = holm(p)
    assert all(raised >= own for raised, own in zip(found, p, strict=True))
    assert all(raised <= 1 for raised in found)
    order = sorted(range(len(p)), key=lambda i: p[i])
    assert [found[i] for i in order] == sorted(found)


def enumerated(sums: np.ndarray) -> float:
    signs = np.array(list(itertools.product((1, -1), repeat=len(sums))))
    return float((np.abs(signs @ sums) >= abs(sums.sum()) - 1e-12).mean())


@pytest.mark.parametrize("people", [2, 5, 9])
def test_the_sign_flip_test_of_few_people_is_exact(people: int) -> None:
    rng = np.random.default_rng(people)
    differences = rng.normal(0.5, 1, (people, 3))
    names = np.repeat([f"s{i}" for i in range(people)], 3)
    found = sign_flip_test(differences.ravel().tolist(), names.tolist(), 0)
    assert found is not None
    assert found.p == pytest.approx(enumerated(differences.sum(1)))


def test_it_is_scipys_paired_permutation_test() -> None:
    """The same as exchanging the two systems' figures within people, which scipy does for two samples."""
    rng = np.random.default_rng(0)
    one, other = rng.normal(0.8, 1, 8), rng.normal(0, 1, 8)
    expected = stats.permutation_test(
        (one, other), lambda x, y: np.mean(x) - np.mean(y), permutation_type="samples", n_resamples=np.inf
    )
    found = sign_flip_test((one - other).tolist(), [str(i) for i in range(8)], 0)
    assert found is not None
    assert found.p == pytest.approx(expected.pvalue)


def test_many_people_are_sampled_and_the_same_again() -> None:
    rng = np.random.default_rng(1)
    values, names = rng.normal(0.6, 1, 24).tolist(), [str(i) for i in range(24)]
    found, again = sign_flip_test(values, names, 3), sign_flip_test(values, names, 3)
    assert found == again
    assert found is not None
    assert found.p == pytest.approx(stats.ttest_1samp(values, 0).pvalue, abs=0.01), "near the t test for normal data"


def test_rows_that_are_not_defined_are_left_out() -> None:
    nan = math.nan
    found = sign_flip_test([1.0, nan, 2.0, 3.0, nan], ["a", "a", "b", "c", "d"], 0)
    assert found == sign_flip_test([1.0, 2.0, 3.0], ["a", "b", "c"], 0)
    assert sign_flip_test([1.0, nan], ["a", "b"], 0) is None
    equal = sign_flip_test([0.0] * 4, list("abcd"), 0)
    assert equal is not None
    assert equal.p == 1


def test_the_bootstrap_test() -> None:
    drawn = np.array([-1.0] * 4 + [1.0] * 95)
    found = bootstrap_test(drawn, FEWEST)
    assert found is not None
    assert found.p == pytest.approx(2 * 5 / 100)
    assert bootstrap_test(drawn, FEWEST - 1) is None
    assert bootstrap_test(np.array([math.nan]), FEWEST) is None
    zero = bootstrap_test(np.zeros(50), FEWEST)
    assert zero is not None
    assert zero.p == 1


def test_the_smallest_p_that_there_can_be() -> None:
    p = [sign_flip_test([1.0 + i for i in range(6)], [str(i) for i in range(6)], 0)] * 3
    assert min(holm([test.p for test in p if test is not None])) == pytest.approx(smallest_p(6, 3))
