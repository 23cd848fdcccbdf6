"""Plots: what is drawn, its description in words, and equal text for equal contents."""

import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from palsykit.report.contents import Curve
from palsykit.report.plots import POINTS, curve_in_words, curve_svg, running_mean


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
