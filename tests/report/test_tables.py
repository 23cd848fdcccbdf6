"""Figures as people write them, Markdown tables, and a page whose sections are replaced one by one."""

import math
from pathlib import Path
from types import SimpleNamespace

import pytest

from palsykit.report.results import TITLE, Aim
from palsykit.report.tables import cell, escape, latex, markdown, put_section


def figure(value: float, low: float | None = None, high: float | None = None) -> SimpleNamespace:
    return SimpleNamespace(value=value, low=low, high=high)


def test_cells() -> None:
    assert cell(figure(0.95312, 0.94, 0.965)) == "0.953 (0.940 to 0.965)"
    assert cell(figure(1.5, -2, 3), 1, signed=True) == "+1.5 (-2.0 to +3.0)"
    assert cell(figure(3.14159), 2) == "3.14"
    assert cell(figure(math.nan)) == cell(None) == "-"


def test_a_markdown_table() -> None:
    assert markdown(["a", "b"], [["1", "x|y"]]) == "| a | b |\n| --- | --- |\n| 1 | x\\|y |"
    with pytest.raises(ValueError, match=r"rows of \[1\] cells under a head of 2"):
        markdown(["a", "b"], [["1"]])


def test_sections_are_replaced_and_the_rest_stays(tmp_path: Path) -> None:
    page = tmp_path / "results.md"
    put_section(page, "one", "first", TITLE)
    put_section(page, "two", "second \\1", TITLE)
    put_section(page, "one", "first again", TITLE)
    text = page.read_text()
    assert text.startswith("# Results\n")
    assert text.count("# Results") == 1
    assert "<!-- begin one -->\nfirst again\n<!-- end one -->" in text
    assert "second \\1" in text
    assert "first\n" not in text
    assert text.index("begin one") < text.index("begin two")


def test_aims() -> None:
    aims = (Aim(least=0.9), Aim(least=0.91), Aim(most=0.9), Aim(most=0.89))
    assert [aim.reached(0.9, 0.8) for aim in aims] == [True, False, True, False]
    above, below = Aim(above="copy"), Aim(above="copy", lower=True)
    assert (above.reached(0.9, 0.8), above.reached(0.8, 0.9), above.reached(0.9, 0.9)) == (True, False, False)
    assert (below.reached(0.9, 0.8), below.reached(0.8, 0.9)) == (False, True)
    assert above.reached(0.9) is None
    assert Aim().reached(0.9, 0.8) is None
    assert Aim(least=0.5).reached(math.nan) is False
    assert [a.words() for a in (Aim(), Aim(least=0.5), Aim(least=0.5, most=4), above, below)] == [
        "",
        "≥ 0.5",
        "≥ 0.5 and ≤ 4",
        "> copy",
        "< copy",
    ]


def test_a_latex_table_escapes_what_latex_reads() -> None:
    text = latex(["a_b", "50 %"], [["x & y", r"\textbf{1}"]], escaped=1)
    assert text.splitlines() == [
        r"\begin{tabular}{lr}",
        r"\toprule",
        r"a\_b & 50 \% \\",
        r"\midrule",
        r"x \& y & \textbf{1} \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]
    assert escape(r"#1 ~ {x}^2") == r"\#1 \textasciitilde{} \{x\}\textasciicircum{}2"
    assert escape("$ \\ <≥>") == r"\$ \textbackslash{} $<$$\geq$$>$"
    with pytest.raises(ValueError, match=r"rows of \[1\] cells under a head of 2"):
        latex(["a", "b"], [["1"]])
