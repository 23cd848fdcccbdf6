"""Who is in which photograph, and with which expression: from a table, else by the file's name, else unknown."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from palsykit.data import tables
from palsykit.errors import PalsykitError
from palsykit.faces.parsing import expression_said_by
from palsykit.faces.vocabulary import canonical_expression

COLUMNS = ("subject", "expression")


@dataclass(frozen=True)
class Shot:
    """What is known of a photograph before it is read.

    Attributes:
        path: its file.
        subject: who; "" in a folder without a table, which holds one person.
        expression: a canonical name, another word of the table, or None.
        source: what says the expression: "table", "file name", "option", or None.
    """

    path: Path
    subject: str = ""
    expression: str | None = None
    source: str | None = None


def shots_of(pictures: Sequence[Path], folder: Path | None) -> list[Shot]:
    """What table and names say of the pictures.

    Args:
        pictures: files.
        folder: where a metadata.jsonl or metadata.csv with file_name, subject and expression may be; None: no table.

    Raises:
        PalsykitError: the table is malformed.
    """
    rows = {} if folder is None else _table(folder)
    shots = []
    for path in pictures:
        row = rows.get(path.name, {})
        word = row.get("expression")
        if word is not None:
            shots.append(Shot(path, row.get("subject") or "", _canonical(word), "table"))
        else:
            named = expression_said_by(path.stem)
            shots.append(Shot(path, row.get("subject") or "", named, "file name" if named else None))
    return shots


def _table(folder: Path) -> dict[str, dict[str, str | None]]:
    """{file name: its cells}."""
    try:
        file = tables.find_metadata(folder)
        if file is None:
            return {}
        rows: dict[str, dict[str, str | None]] = {}
        for where, cells in tables.read_rows(file, partial(tables.check_columns, known=COLUMNS)):
            name = tables.file_name(where, cells.get("file_name"))
            if name in rows:
                raise ValueError(f"{where}: found {name!r} again, expected one row a picture")
            rows[name] = {column: str(cells[column]).strip() if cells.get(column) else None for column in COLUMNS}
    except ValueError as error:
        raise PalsykitError(str(error)) from error
    return rows


def _canonical(word: str) -> str:
    try:
        return canonical_expression(word)
    except ValueError:
        return word  # the table's own word: measured, but not one of the eight
