"""Tables of figures with their intervals, and a Markdown page whose sections commands write: pure functions of data."""

import math
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from palsykit.files.atomic import write_text

UNDEFINED = "-"
TITLE = """# Results

Written section by section, each by the command that it names; not edited by hand. A figure has its
95 % bootstrap interval over people, all of a person's pictures together, in brackets. The metrics' definitions are on
the cards in every report.
"""


class WithInterval(Protocol):
    """A value with the bounds of its interval; None where it has none."""

    @property
    def value(self) -> float: ...
    @property
    def low(self) -> float | None: ...
    @property
    def high(self) -> float | None: ...


def value_and_interval(figure: WithInterval | None, digits: int = 3, signed: bool = False) -> tuple[str, str]:
    """("0.953", "0.940 to 0.965"): a dash for a value that is not defined, "" without an interval."""
    if figure is None or math.isnan(figure.value):
        return UNDEFINED, ""
    value = fixed(figure.value, digits, signed)
    if figure.low is None or figure.high is None:
        return value, ""
    return value, f"{fixed(figure.low, digits, signed)} to {fixed(figure.high, digits, signed)}"


def with_interval(value: str, interval: str) -> str:
    """0.953 (0.940 to 0.965), or the value alone."""
    return f"{value} ({interval})" if interval else value


def cell(figure: WithInterval | None, digits: int = 3, signed: bool = False) -> str:
    """A figure as people write it: 0.953 (0.940 to 0.965); a dash where it is not defined."""
    return with_interval(*value_and_interval(figure, digits, signed))


def fixed(value: float, digits: int, signed: bool = False) -> str:
    """A number with so many decimal places; nothing is "-0"."""
    return f"{round(value, digits) + 0.0:{'+' if signed else ''}.{digits}f}"


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table.

    Raises:
        ValueError: for a row of another length than the head.
    """
    _check_widths(head, rows)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(one.replace('|', chr(92) + '|') for one in line)} |" for line in lines)


def latex(
    head: Sequence[str], rows: Sequence[Sequence[str]], escaped: int | None = None, wide: int | None = None
) -> str:
    """A LaTeX tabular (package booktabs), the first column to the left and the others to the right.

    Args:
        head: of the columns, as plain text.
        rows: their cells, as plain text in the first ``escaped`` columns, as LaTeX in the others; all plain if None.
        wide: characters of a head at most, beyond which it goes on below; null leaves heads as they are.

    Raises:
        ValueError: for a row of another length than the head.
    """
    _check_widths(head, rows)
    plain = len(head) if escaped is None else escaped
    lines = [[escape(text) if column < plain else text for column, text in enumerate(row)] for row in rows]
    body = [f"{' & '.join(line)} {chr(92) * 2}" for line in ([_stacked(text, wide) for text in head], *lines)]
    columns = "l" + "r" * (len(head) - 1)
    parts = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", body[0], r"\midrule", *body[1:]]
    return "\n".join([*parts, r"\bottomrule", r"\end{tabular}"])


def stacked(lines: Sequence[str]) -> str:
    """LaTeX lines above each other in one cell."""
    return lines[0] if len(lines) == 1 else rf"\shortstack[r]{{{(chr(92) * 2).join(lines)}}}"


def _stacked(text: str, wide: int | None) -> str:
    return stacked([escape(line) for line in (textwrap.wrap(text, wide) if wide else []) or [text]])


_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": "$<$", ">": "$>$", "≥": r"$\geq$", "≤": r"$\leq$",
    "\u202f": r"\,", "↑": r"$\uparrow$", "↓": r"$\downarrow$", "|": r"$|$",
}  # fmt: skip


def escape(text: str) -> str:
    """Plain text as LaTeX sets it."""
    return "".join(_LATEX.get(letter, letter) for letter in text)


def _check_widths(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if any(len(row) != len(head) for row in rows):
        raise ValueError(f"rows of {sorted({len(row) for row in rows})} cells under a head of {len(head)}")


def put_section(page: Path, name: str, text: str) -> None:
    """Writes one section of a page, between its marks, in the place of the one of this name; new ones go to the end.

    Args:
        page: the Markdown file; a new one begins with ``TITLE``.
        name: of the section.
        text: what stands in it.
    """
    old = page.read_text(encoding="utf-8") if page.exists() else TITLE
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    section = f"{begin}\n{text.strip()}\n{end}"
    found = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    new = found.sub(lambda _: section, old) if found.search(old) else f"{old.rstrip()}\n\n{section}\n"
    write_text(page, new)
