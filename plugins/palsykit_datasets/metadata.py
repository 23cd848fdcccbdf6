"""Reads a table of photographs (metadata.jsonl, metadata.csv or another CSV file) into checked rows."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from palsykit.data.imagefolder import TABLES
from palsykit_datasets.cells import COLUMNS, Said, read_cells, short
from palsykit_datasets.expressions import Words
from palsykit_datasets.files import read_text


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
    found = [root / name for name in TABLES if (root / name).is_file()]
    if len(found) != 1:
        what = "both" if found else "neither"
        raise ValueError(
            f"{root}: found {what} of {' and '.join(TABLES)}, expected one; it names file_name and subject"
        )
    return found[0]


def read_metadata(path: Path, words: Words) -> list[Row]:
    """The rows of a .jsonl or CSV file with the column file_name and any of COLUMNS, in their order.

    Raises:
        ValueError: for a malformed file, with file, line, what was found and what was expected.
    """
    lines = _read_json_lines(path) if path.suffix.lower() == ".jsonl" else read_csv(path, _check_columns)
    rows = [_row(where, cells, words) for where, cells in lines]
    places: dict[str, str] = {}
    for row in rows:
        if (first := places.setdefault(row.name, row.said.where)) != row.said.where:
            raise ValueError(f"{row.said.where}: found {row.name!r} again, expected one row a picture; see {first}")
    return rows


def _read_json_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            cells = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}:{number}: found no JSON ({error}), expected one object a line") from None
        if not isinstance(cells, dict):
            raise ValueError(f'{path}:{number}: found {short(cells)}, expected an object, as {{"file_name": "a.jpg"}}')
        _check_columns(f"{path}:{number}", list(cells))
        yield f"{path}:{number}", cells


def read_csv(path: Path, check: Callable[[str, list[str]], None]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(file and line, cells by column) of a CSV file; ``check`` sees its columns first.

    Raises:
        ValueError: for a file that is not CSV, or a row with more or fewer cells than columns, with file and line.
    """
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        check(f"{path}:1", list(reader.fieldnames or ()))
        for cells in reader:
            where = f"{path}:{reader.line_num}"
            if None in cells or None in cells.values():
                raise ValueError(
                    f"{where}: found another number of cells than columns in line 1; quote cells with commas"
                )
            yield where, cells
    except csv.Error as error:
        line = reader.reader.line_num  # DictReader's own count stops at the last good row
        raise ValueError(
            f"{path}:{line}: found no CSV ({error}), expected commas and double quotes; quote cells"
        ) from None


def _check_columns(where: str, columns: list[str]) -> None:
    """Refuses a repeated column, and one that differs from ours only in case or blanks: it would be ignored."""
    for column in columns:
        plain = column.strip().lower().replace(" ", "_")
        if plain in ("file_name", *COLUMNS) and (column != plain or columns.count(column) > 1):
            raise ValueError(f"{where}: found column {column!r}, expected {plain!r}, once; rename it")
    if "file_name" not in columns:
        raise ValueError(f"{where}: found columns {columns}, expected file_name among them, the picture's path")


def _row(where: str, cells: Mapping[str, Any], words: Words) -> Row:
    return Row(_file_name(where, cells.get("file_name")), read_cells(where, cells, words))


def _file_name(where: str, value: Any) -> str:
    path = PurePosixPath(value) if isinstance(value, str) else None
    if path is None or path.is_absolute() or ".." in path.parts or not path.name:
        raise ValueError(
            f"{where}: found file_name {short(value)}, expected a path below the metadata's folder, as people/a.jpg"
        )
    return str(path)
