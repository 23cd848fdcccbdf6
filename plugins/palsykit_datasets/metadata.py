"""Reads a table of photographs (metadata.jsonl, metadata.csv or another CSV file) into checked rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from palsykit.data import tables
from palsykit.data.imagefolder import TABLES
from palsykit_datasets.cells import COLUMNS, Said, read_cells
from palsykit_datasets.expressions import Words


@dataclass(frozen=True, eq=False)
class Row:
    """What a table says about the picture ``name``, a path below the table's folder, with "/"."""

    name: str
    said: Said


def find_metadata(root: Path) -> Path:
    """ROOT/metadata.jsonl or ROOT/metadata.csv.

    Raises:
        ValueError: if there is neither, or both.
    """
    found = tables.find_metadata(root)
    if found is None:
        raise ValueError(
            f"{root}: found neither of {' and '.join(TABLES)}, expected one; it names file_name and subject"
        )
    return found


def read_metadata(path: Path, words: Words) -> list[Row]:
    """The rows of a .jsonl or CSV file with the column file_name and any of COLUMNS, in their order.

    Raises:
        ValueError: for a malformed file, with file, line, what was found and what was expected.
    """
    lines = tables.read_rows(path, partial(tables.check_columns, known=COLUMNS))
    rows = [_row(where, cells, words) for where, cells in lines]
    places: dict[str, str] = {}
    for row in rows:
        if (first := places.setdefault(row.name, row.said.where)) != row.said.where:
            raise ValueError(f"{row.said.where}: found {row.name!r} again, expected one row a picture; see {first}")
    return rows


def _row(where: str, cells: Mapping[str, Any], words: Words) -> Row:
    return Row(tables.file_name(where, cells.get("file_name")), read_cells(where, cells, words))
