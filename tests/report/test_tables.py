"""Figures as people write them, Markdown tables, and a page whose sections are replaced one by one."""

import math
from pathlib import Path
from types import SimpleNamespace

import pytest

from palsykit.report.tables import TITLE, cell, markdown, put_section, value_and_interval


def figure(value: float, low: float | None = None, high: float | None = None) -> SimpleNamespace:
    return SimpleNamespace(value=value, low=low, high=high)


def test_cells() -> None:
    assert cell(figure(0.95312, 0.94, 0.965)) == "0.953 (0.940 to 0.965)"
    assert cell(figure(1.5, -2, 3), 1, signed=True) == "+1.5 (-2.0 to +3.0)"
    assert cell(figure(3.14159), 2) == "3.14"
    assert cell(figure(math.nan)) == cell(None) == "-"
    assert value_and_interval(figure(0.5, 0.25, 0.75), 2) == ("0.50", "0.25 to 0.75")
    assert value_and_interval(figure(0.5, None, 0.75), 2) == ("0.50", "")


def test_a_markdown_table() -> None:
    assert markdown(["a", "b"], [["1", "x|y"]]) == "| a | b |\n| --- | --- |\n| 1 | x\\|y |"
    with pytest.raises(ValueError, match=r"rows of \[1\] cells under a head of 2"):
        markdown(["a", "b"], [["1"]])


def test_sections_are_replaced_and_the_rest_stays(tmp_path: Path) -> None:
    page = tmp_path / "results.md"
    put_section(page, "one", "first")
    put_section(page, "two", "second \\1")
    put_section(page, "one", "first again")
    text = page.read_text()
    assert text.startswith(TITLE)
    assert text.count("# Results") == 1
    assert "<!-- begin one -->\nfirst again\n<!-- end one -->" in text
    assert "second \\1" in text
    assert "first\n" not in text
    assert text.index("begin one") < text.index("begin two")
