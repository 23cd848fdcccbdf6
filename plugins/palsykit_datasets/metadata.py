"""The metadata file of an imagefolder: metadata.jsonl or metadata.csv, read into checked rows."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palsykit.faces.alignment import five_points
from palsykit.faces.landmarks import COUNT
from palsykit.faces.vocabulary import SPLITS, FaceLabels, Side, canonical_expression

NAMES = ("metadata.jsonl", "metadata.csv")

COLUMNS = ("file_name", "subject", "expression", "side", "severity", "split", "landmarks", "points5")
"""The columns that are read; others are left alone."""

SOURCES = ("given", "predicted", "unknown")
"""What a run's own metadata says in ``landmarks``: where its driver's came from. The picture's are then unknown."""


@dataclass(frozen=True, eq=False)
class Row:
    """What the metadata says of one picture.

    Attributes:
        where: file and line.
        name: the picture's path below the folder, with "/".
        landmarks: [68, 2] px (iBUG 68) of the upright picture, or None.
        five: [5, 2] px: image-left eye, image-right eye, nose tip, image-left and image-right mouth corner, or None.
    """

    where: str
    name: str
    labels: FaceLabels
    split: str | None
    landmarks: NDArray[np.float64] | None
    five: NDArray[np.float64] | None


def read_metadata(root: Path, expressions: Mapping[str, str]) -> list[Row]:
    """The rows of ROOT/metadata.jsonl or ROOT/metadata.csv, in their order; empty cells and nulls are unknown.

    Args:
        root: the folder.
        expressions: the folder's own word -> a name or alias of the vocabulary, or the same word again to keep it.

    Raises:
        ValueError: for a missing, doubled or malformed file, with file, line, what was found and what was expected.
    """
    found = [root / name for name in NAMES if (root / name).is_file()]
    if len(found) != 1:
        what = "both" if found else "neither"
        raise ValueError(f"{root}: found {what} of {' and '.join(NAMES)}, expected one; it names file_name and subject")
    words = {word: _meaning(word, meaning) for word, meaning in expressions.items()}
    lines = _json_lines if found[0].suffix == ".jsonl" else _csv_lines
    rows = [_row(where, cells, words) for where, cells in lines(found[0], _text(found[0]))]
    _agree(rows)
    return rows


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{path}:{line}: found bytes that are no text, expected UTF-8; save the file as UTF-8"
        ) from None


def _json_lines(path: Path, text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            cells = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}:{number}: found no JSON ({error}), expected one object a line") from None
        if not isinstance(cells, dict):
            raise ValueError(f'{path}:{number}: found {_short(cells)}, expected an object, as {{"file_name": "a.jpg"}}')
        _check_columns(f"{path}:{number}", list(cells))
        yield f"{path}:{number}", cells


def _csv_lines(path: Path, text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        _check_columns(f"{path}:1", list(reader.fieldnames or ()))
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
    """A column that is one of ours but for case or blanks, or is there twice, would otherwise be lost."""
    for column in columns:
        plain = column.strip().lower().replace(" ", "_")
        if plain in COLUMNS and (column != plain or columns.count(column) > 1):
            raise ValueError(f"{where}: found column {column!r}, expected {plain!r}, once; rename it")
    if "file_name" not in columns:
        raise ValueError(f"{where}: found columns {columns}, expected file_name among them, the picture's path")


def _row(where: str, cells: Mapping[str, Any], words: Mapping[str, str]) -> Row:
    values = {column: _filled(cells.get(column)) for column in COLUMNS}
    subject = _name(where, "subject", values["subject"])
    if subject is None:
        raise ValueError(f"{where}: found no subject, expected one for every picture (splits go by subject); add it")
    side, split = (_name(where, column, values[column]) for column in ("side", "split"))
    landmarks = None if values["landmarks"] in SOURCES else _points(where, "landmarks", values["landmarks"], COUNT)
    five = _points(where, "points5", values["points5"], 5)
    if landmarks is not None:
        five = five_points(landmarks)
    if five is not None:
        _check_order(where, five)
    return Row(
        where=where,
        name=_file_name(where, values["file_name"]),
        labels=FaceLabels(
            subject=subject,
            expression=_expression(where, _name(where, "expression", values["expression"]), words),
            side=None if side is None else Side(_one_of(where, "side", side, [s.value for s in Side])),
            severity=_severity(where, values["severity"]),
        ),
        split=None if split is None else _one_of(where, "split", split, SPLITS),
        landmarks=landmarks,
        five=five,
    )


def _filled(value: Any) -> Any:
    """None for what is empty."""
    if isinstance(value, str):
        return value.strip() or None
    return value


def _name(where: str, column: str, value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"{where}: found {column} {_short(value)}, expected text; put it in quotes")


def _file_name(where: str, value: Any) -> str:
    path = PurePosixPath(value) if isinstance(value, str) else None
    if path is None or path.is_absolute() or ".." in path.parts or not path.name:
        raise ValueError(
            f"{where}: found file_name {_short(value)}, expected a path below the metadata's folder, as people/a.jpg"
        )
    return str(path)


def _one_of(where: str, column: str, value: str, words: Any) -> str:
    if value not in words:
        raise ValueError(
            f"{where}: found {column} {value!r}, expected one of {', '.join(words)}, or nothing if unknown"
        )
    return value


def _meaning(word: str, meaning: str) -> str:
    try:
        return canonical_expression(meaning)
    except ValueError as error:
        if word == meaning:
            return word
        raise ValueError(
            f"imagefolder: expressions: {{{word}: {meaning}}}: {error}; write one, or {{{word}: {word}}} to keep it"
        ) from None


def _expression(where: str, word: str | None, words: Mapping[str, str]) -> str | None:
    if word is None or word in words:
        return None if word is None else words[word]
    try:
        return canonical_expression(word)
    except ValueError as error:
        raise ValueError(
            f"{where}: {error}; say in the recipe's data what it is, as expressions: {{{word}: smile_full}}, "
            f"or keep the word with {{{word}: {word}}}"
        ) from None


def _severity(where: str, value: Any) -> float | None:
    if value is None:
        return None
    try:
        grade = float("nan") if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        grade = float("nan")
    if not 1 <= grade <= 6:
        raise ValueError(
            f"{where}: found severity {_short(value)}, expected a House-Brackmann grade, a number from 1 to 6, "
            f"or nothing if unknown"
        )
    return grade


def _points(where: str, column: str, value: Any, count: int) -> NDArray[np.float64] | None:
    if value is None:
        return None
    try:
        points = np.asarray(json.loads(value) if isinstance(value, str) else value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError, RecursionError):
        points = np.empty(0)
    if points.shape != (count, 2) or not np.isfinite(points).all():
        raise ValueError(
            f"{where}: found {column} {_short(value)}, expected {count} pairs [x, y] of finite numbers in px"
        )
    return points


def _check_order(where: str, five: NDArray[np.float64]) -> None:
    """Points in another order would turn or mirror the face unseen, and with it the affected side."""
    eyes, down = five[1] - five[0], five[3:].mean(0) - five[:2].mean(0)
    if np.hypot(*eyes) < 1 or np.hypot(*down) < 1:
        raise ValueError(
            f"{where}: found eyes {np.hypot(*eyes):.2f} px apart and a mouth {np.hypot(*down):.2f} px from them, "
            f"expected 1 px at least; give points in px, not as fractions"
        )
    if eyes[0] * down[1] - eyes[1] * down[0] <= 0 or np.dot(eyes, five[4] - five[3]) <= 0:
        raise ValueError(
            f"{where}: found a mirrored face, expected the image-left eye and mouth corner (the subject's right) "
            f"before the image-right ones; reorder the points"
        )


def _agree(rows: list[Row]) -> None:
    """A picture has one row, a subject one split, and a split is given for all pictures or for none."""
    names: dict[str, str] = {}
    splits: dict[str | None, str | None] = {}
    for row in rows:
        if (first := names.setdefault(row.name, row.where)) != row.where:
            raise ValueError(f"{row.where}: found {row.name!r} again, expected one row a picture; see {first}")
        if (row.split is None) != (rows[0].split is None):
            raise ValueError(
                f"{row.where}: found split {row.split!r} where {rows[0].where} has {rows[0].split!r}; "
                f"expected one for every picture or for none"
            )
        if (split := splits.setdefault(row.labels.subject, row.split)) != row.split:
            raise ValueError(
                f"{row.where}: found subject {row.labels.subject!r} in {row.split} and, above, in {split}; expected one"
            )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
