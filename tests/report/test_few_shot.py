"""Few-shot curves: one line a system over people, one across for what learnt from none."""

import re

import pytest

from palsykit.report.few_shot import Panel, Series, few_shot_svg

REAL = Series("real", [5, 40], [0.3, 0.7], [0.2, 0.6], [0.4, 0.8])
ALONE = Series("synthetic", [0], [0.5], [0.4, 0.4], [0.6, 0.6])


def drawn(panels: list[Panel]) -> int:
    return len(re.findall(r'<g id="line2d', few_shot_svg(panels)))


def test_equal_contents_give_equal_text() -> None:
    panel = Panel("accuracy", [REAL, ALONE], 0.125)
    assert few_shot_svg([panel]) == few_shot_svg([panel])


def test_every_system_and_the_constant_answer_is_drawn_in_every_panel() -> None:
    plain, alone = drawn([Panel("a", [REAL])]), drawn([Panel("a", [REAL, ALONE])])
    constant = drawn([Panel("a", [REAL, ALONE], 0.1)])
    assert plain < alone < constant, "a line, and its like in the legend"
    assert drawn([Panel("a", [REAL]), Panel("b", [REAL])]) > plain


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(ValueError, match="need a figure or more"):
        few_shot_svg([])
