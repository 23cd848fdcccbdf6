"""Reads landmarks in a file beside the photograph: five points or 68, as .pts, .tem, CSV or JSON.

Coordinates are px of the upright picture. In .pts files the first pixel is (1, 1), as in the annotations of 300-W
("saved in the matlab convention of 1 being the first index", Sagonas et al., ICCV-W 2013) and as menpo writes them. In
palsykit the centre of the first pixel is (0.5, 0.5), so 0.5 px are subtracted. The other formats are taken as they
are. Five points are image-left eye, image-right eye, nose tip, image-left and image-right mouth corner.
"""

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from palsykit.data.tables import check_names, read_json, read_text
from palsykit.faces.landmarks import COUNT
from palsykit.faces.vocabulary import FaceLabels
from palsykit.faces.webmorph import FURTHER, read_template, to_ibug68
from palsykit_datasets.cells import COLUMNS, Points, Said, checked, read_cells, read_pairs, refuse_unseen
from palsykit_datasets.expressions import Words

SUFFIXES = (".csv", ".json", ".pts", ".tem")

FIRST_PIXEL = 0.5
"""From the 300-W convention, where the first pixel's centre is 1, to palsykit's, where it is 0.5."""


def read_sidecar(path: Path, words: Words) -> Said:
    """The content of the file beside a photograph: points, and labels too if it is a JSON object.

    A JSON object may have the keys of COLUMNS, as a row of an imagefolder's metadata has them.

    Raises:
        UnknownExpression: for an unexplained expression.
        ValueError: for any other format, with file, line, what was found and what was expected.
        OSError: if the file cannot be read.
    """
    if path.suffix.lower() == ".json":
        return _read_json(path, words)
    return Said(str(path), FaceLabels(), None, read_points(path))


def read_points(path: Path) -> Points:
    """The points of a .pts, .tem or CSV file.

    Raises:
        ValueError: for another format, with file and line.
        OSError: if the file cannot be read.
    """
    suffix = path.suffix.lower()
    if suffix == ".tem":
        template = read_template(path)
        return replace(checked(str(path), to_ibug68(template)), further=template[list(FURTHER)])
    lines = read_text(path).splitlines()
    return _read_pts(path, lines) if suffix == ".pts" else _read_csv(path, lines)


def _read_pts(path: Path, lines: Sequence[str]) -> Points:
    """``version: 1``, ``n_points: 68``, then one "x y" per line between braces."""
    numbered = [(number, line.strip()) for number, line in enumerate(lines, start=1) if line.strip()]
    opening = [i for i, (_, line) in enumerate(numbered) if line == "{"]
    closing = [i for i, (_, line) in enumerate(numbered) if line == "}"]
    if len(opening) != 1 or len(closing) != 1 or opening[0] > closing[0]:
        raise ValueError(f"{path}: found no points between {{ and }}, expected a .pts file as 300-W has them")
    header = dict(line.split(":", 1) for _, line in numbered[: opening[0]] if ":" in line)
    body = numbered[opening[0] + 1 : closing[0]]
    count = header.get("n_points", "").strip()
    if count != str(len(body)):
        raise ValueError(
            f"{path}: found {len(body)} points and n_points {count or 'missing'}, expected the same number"
        )
    rows = [_numbers(path, number, line.split()) for number, line in body]
    return _counted(path, rows, -FIRST_PIXEL)


def _read_csv(path: Path, lines: Sequence[str]) -> Points:
    """``x,y`` per line, the header line ``x,y`` if there is one."""
    try:
        rows = [(number, row) for number, row in enumerate(csv.reader(lines, strict=True), start=1) if row]
    except csv.Error as error:
        raise ValueError(f"{path}: found no CSV ({error}), expected lines of x,y") from None
    if rows and [cell.strip().lower() for cell in rows[0][1]] == ["x", "y"]:
        rows = rows[1:]
    return _counted(path, [_numbers(path, number, row) for number, row in rows])


def _numbers(path: Path, number: int, cells: Sequence[str]) -> tuple[float, float]:
    try:
        x, y = (float(cell) for cell in cells)
    except ValueError:
        x = y = float("nan")
    if not np.isfinite([x, y]).all():
        raise ValueError(f"{path}:{number}: found {' '.join(cells)[:60]!r}, expected two finite numbers, x and y in px")
    return x, y


def _counted(path: Path, rows: Sequence[tuple[float, float]], shift: float = 0.0) -> Points:
    if len(rows) not in (5, COUNT):
        raise ValueError(
            f"{path}: found {len(rows)} points, expected 5 (eyes, nose tip, mouth corners) or iBUG's {COUNT}"
        )
    points = np.array(rows, dtype=np.float64)
    refuse_unseen(str(path), points)
    return checked(str(path), points + shift)


def _read_json(path: Path, words: Words) -> Said:
    """A list of 5 or 68 pairs, or an object."""
    value: Any = read_json(str(path), read_text(path), "a list of points or an object")
    if isinstance(value, list):
        count = COUNT if len(value) == COUNT else 5
        column = "landmarks" if count == COUNT else "points5"
        return Said(str(path), points=checked(str(path), read_pairs(str(path), column, value, count)))
    if not isinstance(value, dict):
        raise ValueError(f"{path}: found {str(value)[:60]!r}, expected a list of 5 or {COUNT} points, or an object")
    check_names(str(path), list(value), COLUMNS)
    if not set(COLUMNS) & set(value):
        raise ValueError(f"{path}: found keys {list(value)[:8]}, expected some of {', '.join(COLUMNS)}")
    return read_cells(str(path), value, words)
