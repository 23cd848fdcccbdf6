"""Plots: what is drawn, its description in words, and equal text for equal contents."""

import math
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from palsykit.report.contents import Curve
from palsykit.report.plots import (
    POINTS,
    WARM,
    Distribution,
    FewShot,
    Measured,
    Series,
    curve_in_words,
    curve_svg,
    distributions_in_words,
    distributions_svg,
    few_shot_svg,
    forest_svg,
    running_mean,
)


def test_the_running_mean_keeps_a_straight_line_inside_and_its_length() -> None:
    line = np.linspace(3, 1, 200)
    mean = running_mean(line)
    assert mean.shape == line.shape
    np.testing.assert_allclose(mean[10:-10], line[10:-10])


def test_the_running_mean_calms_noise() -> None:
    noise = np.random.default_rng(0).normal(size=400)
    assert running_mean(noise).std() < 0.3 * noise.std()


def test_values_that_were_not_measured_are_left_out() -> None:
    curve = Curve("landmark", [1, 2, 3], [math.nan, 0.5, 0.5])
    assert curve_in_words(curve) == "0.500 to 0.500 over steps 2 to 3"
    assert curve_in_words(Curve("landmark", [1], [math.nan])) == "not measured"


def test_a_long_curve_is_thinned_to_group_means() -> None:
    steps = list(range(50 * POINTS))
    saw = Curve("a", steps, [float(s % 2) for s in steps])
    assert len(curve_svg(saw)) < 60 * POINTS
    assert curve_in_words(saw).startswith("0.500 to 0.500")


@pytest.mark.parametrize("values", [[5.0, 1.0, 0.02], [1.0, 0.9, 0.8], [0.0, 0.0, 0.0], [-1.0, 0.0, 1.0], []])
def test_every_curve_gives_the_same_well_formed_svg_twice(values: list[float]) -> None:
    curve = Curve("noise", list(range(len(values))), values)
    first = curve_svg(curve)
    assert first == curve_svg(curve)
    assert ET.fromstring(first).tag.endswith("svg")


def test_steps_and_values_that_do_not_match_are_refused() -> None:
    with pytest.raises(ValueError, match="curve noise: 2 steps but 1 values"):
        curve_svg(Curve("noise", [1, 2], [0.1]))


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
    with pytest.raises(ValueError, match="need a figure or more"):
        few_shot_svg([])
