"""Numbers and labels as readers see them."""

import math

import pytest

from palsykit.report import words


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (21.73481, "21.7"),
        (0.71234, "0.712"),
        (143.2871, "143"),
        (12345.6, "12\u202f346"),
        (-0.0523, "-0.0523"),
        (1.2e-7, "1.20e-07"),
        (0.0, "0"),
        (math.nan, "not defined"),
        (math.inf, "infinite"),
        (-math.inf, "-infinite"),
        (None, "—"),
    ],
)
def test_numbers_keep_three_digits_and_say_what_is_no_number(value: float | None, written: str) -> None:
    assert words.number(value) == written


def test_an_interval_needs_both_ends() -> None:
    assert words.interval(21.1, 22.41) == "21.1 to 22.4"
    assert words.interval(None, 22.41) == words.interval(math.nan, 1.0) == "—"


@pytest.mark.parametrize(
    ("side", "severity", "written"),
    [
        ("left", 4.0, "left · HB IV"),
        ("right", 3.5, "right · HB 3.5"),
        ("none", 1.0, "unaffected · HB I"),
        ("bilateral", None, "bilateral"),
        (None, 6.0, "HB VI"),
        (None, None, "side, grade unknown"),
    ],
)
def test_a_caption_says_what_is_known_and_no_more(side: str | None, severity: float | None, written: str) -> None:
    assert words.palsy(side, severity) == written


def test_a_long_list_of_names_is_cut() -> None:
    assert words.names([]) == ""
    assert words.names(["a", "b"]) == "a, b"
    assert words.names([*"abcdefghij"]) == "a, b, c, d, e, f, g, h and 2 more"
