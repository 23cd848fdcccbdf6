"""Tables that spreadsheets open: names of strangers are text, not formulas; numbers stay numbers."""

import csv
import io

import pytest

from palsykit.files.csv_text import csv_text


@pytest.mark.parametrize("cell", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "=HYPERLINK(1)"])
def test_a_formula_is_shown_as_text(cell: str) -> None:
    (row,) = list(csv.reader(io.StringIO(csv_text(["a", "b"], [[cell, "plain"]]), newline="")))[1:]
    assert row == [f"'{cell}".replace("\r", "\\r"), "plain"]


@pytest.mark.parametrize("cell", ["-3.25", "+4", "-1e-5", "-inf", -2, -0.5, None, "", "anna-1", "p=3"])
def test_numbers_and_names_stay_as_they_are(cell: object) -> None:
    assert csv_text(["a"], [[cell]]).splitlines()[1:] == (['""'] if cell in (None, "") else [str(cell)])


def test_a_column_may_be_a_strangers_name_too() -> None:
    assert csv_text(["=x"], []) == "'=x\n"
