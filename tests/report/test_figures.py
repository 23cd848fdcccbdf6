"""A figure as JSON and as a row: what is null, which keys, and the way back."""

import json
import math
from dataclasses import asdict

import pytest

from palsykit.interfaces import MetricCard
from palsykit.measure.statistics import Figure
from palsykit.report.contents import MetricRow
from palsykit.report.figures import as_json, as_row, finite, with_card

CARD = MetricCard("PSNR", "ratio of signal and noise", "dB", "higher", "a paper", "beware")
DEFINED = Figure(21.5, 20.25, 22.75, 39, CARD)
UNDEFINED = Figure(math.nan, None, math.inf, 0, CARD)


@pytest.mark.parametrize(("value", "expected"), [(None, None), (1.5, 1.5), (math.nan, None), (-math.inf, None)])
def test_what_json_does_not_have_is_null(value: float | None, expected: float | None) -> None:
    assert finite(value) == expected


def test_a_figure_as_json_has_these_keys_in_this_order() -> None:
    assert json.dumps(as_json(DEFINED)) == '{"value": 21.5, "low": 20.25, "high": 22.75, "count": 39}'
    assert list(with_card(DEFINED)) == ["value", "low", "high", "count", "card"]
    assert with_card(DEFINED) == asdict(DEFINED)


def test_bounds_stay_as_they_are_unless_they_are_to_be_finite() -> None:
    assert as_json(UNDEFINED) == {"value": None, "low": None, "high": math.inf, "count": 0}
    assert as_json(UNDEFINED, finite_bounds=True) == {"value": None, "low": None, "high": None, "count": 0}


def test_a_row_prints_the_figure_and_its_card() -> None:
    row = as_row("psnr", json.loads(json.dumps(with_card(DEFINED))))
    expected = ("dB", "higher", "ratio of signal and noise", "a paper", "beware")
    assert row == MetricRow("psnr", 21.5, 20.25, 22.75, 39, *expected)
    assert math.isnan(as_row("psnr", with_card(UNDEFINED)).value)
