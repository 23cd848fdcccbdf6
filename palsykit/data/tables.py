"""Reads tables of photographs, CSV or JSON lines, into cells by column, with file and line for messages."""

import csv
import io
import json
import stat
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from palsykit.data.imagefolder import TABLES
from palsykit.photographs.files import NO_FILE, refuse_disk

MOST_TEXT_BYTES = 2**30
"""A row with 68 points has 1.2 kB: 800,000 photographs."""

NEARLY = 0.8
"""A column that is at least so similar to one of ours (difflib's ratio) is taken for a misspelling of it."""

Check = Callable[[str, list[str]], None]
"""Sees a table's place and its columns before any row is read; raises ValueError if they are wrong."""


def find_metadata(root: Path) -> Path | None:
    """ROOT/metadata.jsonl or ROOT/metadata.csv; None if there is neither.

    Raises:
        ValueError: if there are both.
    """
    found = [root / name for name in TABLES if (root / name).is_file()]
    if len(found) > 1:
        raise ValueError(f"{root}: found both of {' and '.join(TABLES)}, expected one")
    return found[0] if found else None


def read_rows(path: Path, check: Check) -> Iterator[tuple[str, dict[str, Any]]]:
    """(file and line, cells by column) of a .jsonl or CSV file.

    Raises:
        ValueError: for a malformed file, with file, line, what was found and what was expected.
    """
    return _read_json_lines(path, check) if path.suffix.lower() == ".jsonl" else read_csv(path, check)


def _read_json_lines(path: Path, check: Check) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        cells = read_json(f"{path}:{number}", line, "one object a line")
        if not isinstance(cells, dict):
            raise ValueError(f'{path}:{number}: found {short(cells)}, expected an object, as {{"file_name": "a.jpg"}}')
        check(f"{path}:{number}", list(cells))
        yield f"{path}:{number}", cells


def read_json(where: str, text: str, expected: str) -> Any:
    """The value of a JSON text; ``expected`` says what the file should hold.

    Raises:
        ValueError: for a text that is not JSON, and for a key that is twice in one object: only one would count.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        cells: dict[str, Any] = {}
        for key, value in pairs:
            if key in cells:
                raise _Repeated(key, cells[key], value)
            cells[key] = value
        return cells

    try:
        return json.loads(text, object_pairs_hook=once)
    except _Repeated as error:
        raise ValueError(f"{where}: {error}") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where}: found no JSON ({error}), expected {expected}") from None


class _Repeated(ValueError):
    """A key that is twice in one JSON object."""

    def __init__(self, key: str, first: Any, second: Any) -> None:
        super().__init__(f"found {key} twice ({short(first)} and {short(second)}), expected it once; remove one")


def read_csv(path: Path, check: Check) -> Iterator[tuple[str, dict[str, Any]]]:
    """(file and line, cells by column) of a CSV file; rows without content, as spreadsheets leave them, are skipped.

    Raises:
        ValueError: for a file that is not CSV, or a row with more or fewer cells than columns, with file and line.
    """
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        check(f"{path}:1", list(reader.fieldnames or ()))
        for cells in reader:
            where = f"{path}:{reader.line_num}"
            if not any(_content(cell) for cell in cells.values()):
                continue
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


def _content(cell: str | list[str] | None) -> bool:
    """Whether a cell holds more than blanks; the cells beyond the last column are a list."""
    return any(map(_content, cell)) if isinstance(cell, list) else bool(cell and cell.strip())


def check_names(where: str, columns: list[str], known: Iterable[str]) -> None:
    """Refuses a repeated column, and one that is nearly one of ``known``: what it says would be lost.

    A column that is nearly one of ours counts as another one where ours is there as well, as subject_id beside subject.
    """
    ours = ("file_name", *known)
    for column in columns:
        plain = column.strip().lower().replace(" ", "_")
        if plain in ours and (column != plain or columns.count(column) > 1):
            raise ValueError(f"{where}: found column {column!r}, expected {plain!r}, once; rename it")
        near = None if plain in ours else _nearest(plain, ours)
        if near is not None and near not in columns:
            raise ValueError(f"{where}: found column {column!r}; did you mean {near}? rename it, or remove it")


@lru_cache(maxsize=4096)  # every line of a JSON table has the same columns
def _nearest(column: str, ours: tuple[str, ...]) -> str | None:
    close = get_close_matches(column, ours, n=1, cutoff=NEARLY)
    return close[0] if close else None


def check_columns(where: str, columns: list[str], known: Iterable[str]) -> None:
    """``check_names``, and file_name must be there."""
    check_names(where, columns, known)
    if "file_name" not in columns:
        raise ValueError(f"{where}: found columns {columns}, expected file_name among them, the picture's path")


def file_name(where: str, value: Any) -> str:
    """A picture's path below the table's folder, with "/"; ValueError for anything else."""
    path = PurePosixPath(value) if isinstance(value, str) else None
    if path is None or path.is_absolute() or ".." in path.parts or not path.name:
        raise ValueError(
            f"{where}: found file_name {short(value)}, expected a path below the metadata's folder, as people/a.jpg"
        )
    return str(path)


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, with or without a byte order mark.

    Raises:
        ValueError: for bytes that are not text, with the line, for too many bytes, and if it cannot be read.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ValueError(f"{path} is {NO_FILE}")
        if status.st_size > MOST_TEXT_BYTES:
            raise ValueError(f"{path}: found {status.st_size} bytes, expected {MOST_TEXT_BYTES} at most")
        data = path.read_bytes()
    except OSError as error:
        refuse_disk(path, error)
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{path}:{line}: found bytes that are not text, expected UTF-8; save the file as UTF-8"
        ) from None


def short(value: Any) -> str:
    """A value in a message."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
