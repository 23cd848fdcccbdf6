"""Tables in LaTeX: what LaTeX reads as its own is escaped."""

import pytest

from palsykit_benchmark.latex import escape, latex


def test_a_latex_table_escapes_what_latex_reads() -> None:
    text = latex(["a_b", "50 %"], [["x & y", r"\textbf{1}"]], escaped=1, wide=None)
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
        latex(["a", "b"], [["1"]], 1, None)
