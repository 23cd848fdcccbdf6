"""Tables as CSV. Cells that a spreadsheet would run as a formula are shown as text."""

import csv
import io
from collections.abc import Iterable, Sequence

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet runs a cell that begins so as a formula. Names of subjects and files may come from a stranger."""


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """The table: a line of columns, then one line per row; lines end with a line feed."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow([_safe(column) for column in columns])
    writer.writerows([_safe(cell) for cell in row] for row in rows)
    return table.getvalue()


def _safe(cell: object) -> object:
    """The cell; text that is a formula and no number gets the apostrophe by which spreadsheets mark text."""
    if not isinstance(cell, str):
        return cell
    text = cell.replace("\r", "\\r")  # readers would end the line there
    return f"'{text}" if cell.startswith(FORMULA) and not _is_number(cell) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
