"""Distributions of scores: what is drawn, and what is said of it."""

import numpy as np

from palsykit.report.distributions import Distribution, distributions_svg, in_words

PLOT = Distribution(
    "Likeness", "cosine", {"ones": np.array([0.1, np.nan, 0.3]), "nobody": np.array([np.nan])}, 0.25, "limit"
)


def test_equal_contents_give_equal_text_and_others_do_not() -> None:
    assert distributions_svg(PLOT) == distributions_svg(PLOT)
    moved = Distribution("Likeness", "cosine", {"ones": np.array([0.1, 0.2])}, 0.25, "limit")
    assert distributions_svg(PLOT) != distributions_svg(moved)


def test_words_leave_out_what_is_not_known() -> None:
    assert in_words(PLOT) == "ones: median 0.200, 0.100 to 0.300; limit: 0.250"
    assert "limit" not in in_words(Distribution("a", "b", PLOT.groups))
