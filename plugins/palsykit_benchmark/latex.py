"""Tables in LaTeX."""

import textwrap
from collections.abc import Sequence

from palsykit.report.tables import check_widths


def latex(head: Sequence[str], rows: Sequence[Sequence[str]], escaped: int, wide: int | None) -> str:
    """A LaTeX tabular (package booktabs), the first column aligned left, the others right.

    Args:
        head: headings of the columns, as plain text.
        rows: cells; plain text in the first ``escaped`` columns, LaTeX in the others.
        wide: longest line of a heading, in characters; longer headings are wrapped. None wraps none.

    Raises:
        ValueError: for a row of another length than the head.
    """
    check_widths(head, rows)
    lines = [[escape(text) if column < escaped else text for column, text in enumerate(row)] for row in rows]
    body = [f"{' & '.join(line)} {chr(92) * 2}" for line in ([_stacked(text, wide) for text in head], *lines)]
    columns = "l" + "r" * (len(head) - 1)
    parts = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", body[0], r"\midrule", *body[1:]]
    return "\n".join([*parts, r"\bottomrule", r"\end{tabular}"])


def stacked(lines: Sequence[str]) -> str:
    """Lines of LaTeX, one above the other in a cell."""
    return lines[0] if len(lines) == 1 else rf"\shortstack[r]{{{(chr(92) * 2).join(lines)}}}"


def _stacked(text: str, wide: int | None) -> str:
    return stacked([escape(line) for line in (textwrap.wrap(text, wide) if wide else []) or [text]])


_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": "$<$", ">": "$>$", "≥": r"$\geq$", "≤": r"$\leq$",
    "\u202f": r"\,", "↑": r"$\uparrow$", "↓": r"$\downarrow$", "|": r"$|$",
}  # fmt: skip


def escape(text: str) -> str:
    """Plain text with LaTeX's special characters escaped."""
    return "".join(_LATEX.get(letter, letter) for letter in text)
