"""Tables of figures with their intervals, and a Markdown page whose sections commands write: pure functions of data."""

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from palsykit.atomic import write_text


class WithInterval(Protocol):
    """A value with the bounds of its interval; None where it has none."""

    @property
    def value(self) -> float: ...
    @property
    def low(self) -> float | None: ...
    @property
    def high(self) -> float | None: ...


def cell(figure: WithInterval | None, digits: int = 3, signed: bool = False) -> str:
    """A figure as people write it: 0.953 (0.940 to 0.965); a dash where it is not defined."""
    if figure is None or math.isnan(figure.value):
        return "-"
    sign = "+" if signed else ""
    value = f"{figure.value:{sign}.{digits}f}"
    if figure.low is None or figure.high is None:
        return value
    return f"{value} ({figure.low:{sign}.{digits}f} to {figure.high:{sign}.{digits}f})"


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table.

    Raises:
        ValueError: for a row of another length than the head.
    """
    if any(len(row) != len(head) for row in rows):
        raise ValueError(f"rows of {sorted({len(row) for row in rows})} cells under a head of {len(head)}")
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(one.replace('|', chr(92) + '|') for one in line)} |" for line in lines)


def put_section(page: Path, name: str, text: str, title: str) -> None:
    """Writes one section of a page, between its marks, in the place of the one of this name; new ones go to the end.

    Args:
        page: the Markdown file; where there is none it begins with ``title``.
        name: of the section.
        text: what stands in it.
        title: the page's first lines.
    """
    old = page.read_text(encoding="utf-8") if page.exists() else f"{title.strip()}\n"
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    section = f"{begin}\n{text.strip()}\n{end}"
    found = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    new = found.sub(lambda _: section, old) if found.search(old) else f"{old.rstrip()}\n\n{section}\n"
    write_text(page, new)
