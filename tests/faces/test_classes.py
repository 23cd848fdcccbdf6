"""The order of classes in supervised heads."""

import math

from palsykit.faces.classes import (
    EXPRESSION_CLASSES,
    SIDE_CLASSES,
    UNKNOWN,
    expression_class,
    severity_fraction,
    side_class,
)
from palsykit.faces.vocabulary import FaceLabels, Side


def test_each_expression_has_its_own_class_and_what_is_not_known_none():
    classes = [expression_class(FaceLabels(expression=name)) for name in EXPRESSION_CLASSES]
    assert classes == list(range(8))
    assert expression_class(FaceLabels()) == UNKNOWN
    assert expression_class(FaceLabels(expression="whistle")) == UNKNOWN


def test_sides_are_none_left_right_and_bilateral_only_where_there_is_a_fourth_class():
    assert set(SIDE_CLASSES) == set(Side)
    assert [side_class(FaceLabels(side=side), 3) for side in (Side.NONE, Side.LEFT, Side.RIGHT)] == [0, 1, 2]
    assert side_class(FaceLabels(side=Side.BILATERAL), 3) == UNKNOWN
    assert side_class(FaceLabels(side=Side.BILATERAL)) == 3
    assert side_class(FaceLabels()) == UNKNOWN


def test_house_brackmann_one_is_zero_and_six_is_one():
    assert [severity_fraction(FaceLabels(severity=grade)) for grade in (1.0, 3.5, 6.0)] == [0.0, 0.5, 1.0]
    assert math.isnan(severity_fraction(FaceLabels()))
