"""Figures as text, tables in Markdown, and a Markdown page whose sections are written by commands."""

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from palsykit.files.atomic import write_text
from palsykit.report.templates import markdown_cell

UNDEFINED = "-"
TITLE = """# Results

Each section is written by the command that it names; do not edit it by hand. Brackets hold 95 % bootstrap intervals
over people: all pictures of a person are drawn together. Every report defines its metrics.
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
    """("0.953", "0.940 to 0.965"); a dash for a value that is not defined, "" for no interval."""
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
    """A figure as text: 0.953 (0.940 to 0.965); a dash where it is not defined."""
    return with_interval(*value_and_interval(figure, digits, signed))


def fixed(value: float, digits: int, signed: bool = False) -> str:
    """A number with ``digits`` decimal places, never "-0"."""
    return f"{round(value, digits) + 0.0:{'+' if signed else ''}.{digits}f}"


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table.

    Raises:
        ValueError: for a row of another length than the head.
    """
    check_widths(head, rows)
    lines = [[markdown_cell(cell) for cell in line] for line in (head, *rows)]
    lines.insert(1, ["---"] * len(head))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def check_widths(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Every row has as many cells as the head, or ValueError."""
    if any(len(row) != len(head) for row in rows):
        raise ValueError(f"rows of {sorted({len(row) for row in rows})} cells under a head of {len(head)}")


def put_section(page: Path, name: str, text: str) -> None:
    """Writes a section of a page, between its marks: replaces the section of this name, or appends a new one.

    Args:
        page: the Markdown file; a new one begins with ``TITLE``.
        name: of the section.
        text: its Markdown.
    """
    old = page.read_text(encoding="utf-8") if page.exists() else TITLE
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    section = f"{begin}\n{text.strip()}\n{end}"
    found = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    new = found.sub(lambda _: section, old) if found.search(old) else f"{old.rstrip()}\n\n{section}\n"
    write_text(page, new)
