"""The audit's distributions: what is drawn, its description in words, and equal text for equal contents."""

import numpy as np

from palsykit_audit.plots import Distribution, distributions_in_words, distributions_svg

SCORES = Distribution(
    "Likeness", "cosine", {"ones": np.array([0.1, np.nan, 0.3]), "nobody": np.array([np.nan])}, 0.25, "limit"
)


def test_equal_distributions_give_equal_text_and_others_do_not() -> None:
    assert distributions_svg(SCORES) == distributions_svg(SCORES)
    moved = Distribution("Likeness", "cosine", {"ones": np.array([0.1, 0.2])}, 0.25, "limit")
    assert distributions_svg(SCORES) != distributions_svg(moved)


def test_a_distribution_in_words_leaves_out_nan_and_empty_groups() -> None:
    assert distributions_in_words(SCORES) == "ones: median 0.200, 0.100 to 0.300; limit: 0.250"
    assert "limit" not in distributions_in_words(Distribution("a", "b", SCORES.groups))
