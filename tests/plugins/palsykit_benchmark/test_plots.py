"""Forest plots: what is drawn, and equal text for equal contents."""

import math
import re
import xml.etree.ElementTree as ET

from palsykit.report.plots import WARM
from palsykit_benchmark.plots import Measured, forest_svg

SYSTEMS = (
    Measured("whole", 2.0, 1.0, 3.0, (1.8, 2.2), marked=True),
    Measured("copy", 5.0, None, None, (5.0,)),
    Measured("nothing", math.nan, None, None),
)


def test_a_forest_plot_names_its_systems_and_direction_and_is_the_same_twice() -> None:
    svg = forest_svg(SYSTEMS, 6.0, lower=False)
    assert ET.fromstring(svg).tag.endswith("svg")
    assert forest_svg(SYSTEMS, 6.0, lower=False) == svg
    assert "<!-- whole -->" in svg
    assert "higher is better" in svg
    assert "lower is better" in forest_svg(SYSTEMS, 6.0, lower=True)


def test_a_forest_plot_marks_the_truth_only_where_it_is_defined() -> None:
    assert WARM in forest_svg(SYSTEMS, 6.0, lower=False)
    assert WARM not in forest_svg(SYSTEMS, None, lower=False)
    assert WARM not in forest_svg(SYSTEMS, math.nan, lower=False)


def test_a_forest_plot_draws_single_seeds_only_where_there_are_several() -> None:
    def pale(systems: tuple[Measured, ...]) -> int:
        return len(re.findall("opacity: 0.3", forest_svg(systems, None, lower=False)))

    assert pale(SYSTEMS) > 0
    assert pale(SYSTEMS[1:]) == 0
