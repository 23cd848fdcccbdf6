"""Intervals by system: what is drawn, and what is not."""

import math
import re
from xml.etree import ElementTree

from palsykit.report.forest import WARM, Measured, forest_svg

SYSTEMS = (
    Measured("whole", 2.0, 1.0, 3.0, (1.8, 2.2), marked=True),
    Measured("copy", 5.0, None, None, (5.0,)),
    Measured("nothing", math.nan, None, None),
)


def test_it_is_a_picture_and_the_same_again() -> None:
    found = forest_svg(SYSTEMS, 6.0, lower=False)
    assert ElementTree.fromstring(found).tag.endswith("svg")
    assert forest_svg(SYSTEMS, 6.0, lower=False) == found
    assert "<!-- whole -->" in found
    assert "higher is better" in found
    assert "lower is better" in forest_svg(SYSTEMS, 6.0, lower=True)


def test_the_truth_is_a_line_where_it_is_known() -> None:
    assert WARM in forest_svg(SYSTEMS, 6.0, lower=False)
    assert WARM not in forest_svg(SYSTEMS, None, lower=False)
    assert WARM not in forest_svg(SYSTEMS, math.nan, lower=False)


def test_single_seeds_are_pale_and_only_where_there_are_several() -> None:
    def pale(systems: tuple[Measured, ...]) -> int:
        return len(re.findall("opacity: 0.3", forest_svg(systems, None, lower=False)))

    assert pale(SYSTEMS) > 0
    assert pale(SYSTEMS[1:]) == 0
