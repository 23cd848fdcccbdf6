"""Few-shot curves: what is drawn, and equal text for equal contents."""

import re

import pytest

from palsykit_usefulness.plots import FewShot, Series, few_shot_svg

TRAINED = Series("real", [5, 40], [0.3, 0.7], [0.2, 0.6], [0.4, 0.8])
ALONE = Series("synthetic", [0], [0.5], [0.4], [0.6])


def line_count(plots: list[FewShot]) -> int:
    return len(re.findall(r'<g id="line2d', few_shot_svg(plots)))


def test_equal_few_shot_curves_give_equal_text() -> None:
    plot = FewShot("accuracy", [TRAINED, ALONE], 0.125)
    assert few_shot_svg([plot]) == few_shot_svg([plot])


def test_every_system_and_the_constant_answer_is_drawn_in_every_few_shot_plot() -> None:
    plain, alone = line_count([FewShot("a", [TRAINED])]), line_count([FewShot("a", [TRAINED, ALONE])])
    constant = line_count([FewShot("a", [TRAINED, ALONE], 0.1)])
    assert plain < alone < constant, "one line in the plot and one in the legend"
    assert line_count([FewShot("a", [TRAINED]), FewShot("b", [TRAINED])]) > plain


def test_few_shot_curves_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="need one or more"):
        few_shot_svg([])
