"""Write results into a folder: JSON, CSV, overlays, sheets of the eight, and what could not be used."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from palsykit.data.rejections import write_rejected
from palsykit.faces.records import Rejected
from palsykit.files.atomic import make_folder, write_text, write_with
from palsykit.photographs.mark import write_marked
from palsykit.photographs.read import read_photograph
from palsykit_measure.overlay import draw_face
from palsykit_measure.pages import page, scale_sentence, sheet
from palsykit_measure.results import SAYS_NOT, Result
from palsykit_measure.tables import by_person, csv_of, eight_csv

DOCUMENT, CSV, EIGHT = "measures.json", "measures.csv", "eight.csv"
OVERLAYS, SHEETS = "overlays", "sheets"
SHEET_LETTERS = 1.45
"""Numbers on a sheet are larger, because its faces are smaller."""


def write(folder: Path, found: dict[str, Any], results: Sequence[Result], rejected: Sequence[Rejected]) -> None:
    """Everything about the photographs; an overlay whose lengths are the same as before is not drawn again."""
    drawn_before = _entries(folder / DOCUMENT)
    entries = found["photographs"]
    again = [_changed(folder, one, drawn_before.get(one["name"]), found["intervals"]) for one in entries]
    sentences = (found["intervals"], SAYS_NOT)
    for one, result, redraw in zip(entries, results, again, strict=True):
        if redraw:
            face = draw_face(read_photograph(result.entry.shot.path).picture, result, one["measures"])
            _save(page(face, one, sentences), _overlay(folder, one), result.entry.mark)
    _sheets(folder, found, results, {one["name"] for one, redraw in zip(entries, again, strict=True) if redraw})
    write_text(folder / CSV, csv_of(entries))
    write_text(folder / EIGHT, eight_csv(entries))
    write_rejected(folder, rejected)
    write_text(folder / DOCUMENT, json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def _overlay(folder: Path, one: dict[str, Any]) -> Path:
    return folder / OVERLAYS / f"{one['name']}.png"


def _entries(file: Path) -> dict[str, Any]:
    """The entries of the last document, by name."""
    if not file.is_file():
        return {}
    before = json.loads(file.read_text(encoding="utf-8"))
    return {one["name"]: (one, before["intervals"]) for one in before["photographs"]}


def _changed(folder: Path, one: dict[str, Any], before: Any, intervals: str) -> bool:
    """Whether the overlay is missing or shows something else."""
    return not _overlay(folder, one).is_file() or before != (json.loads(json.dumps(one)), intervals)


def _sheets(folder: Path, found: dict[str, Any], results: Sequence[Result], again: set[str]) -> None:
    """A sheet for every person with two or more of the eight."""
    by_name = {result.entry.name: result for result in results}
    for subject, shown in by_person(found["photographs"]).items():
        file = folder / SHEETS / f"{_file_name(subject)}.png"
        if len(shown) < 2 or (file.is_file() and not again & {one["name"] for one in shown.values()}):
            continue
        faces, mark = {}, None
        for expression, one in shown.items():
            result = by_name[one["name"]]
            faces[expression] = draw_face(
                read_photograph(result.entry.shot.path).picture, result, one["measures"], SHEET_LETTERS
            )
            mark = mark or result.entry.mark
        _save(sheet(subject, faces, scale_sentence(next(iter(shown.values())))), file, mark)


def _file_name(subject: str) -> str:
    """A file's name for a subject: its letters, digits, dashes and underscores."""
    plain = "".join(c if c.isalnum() or c in "-_" else "-" for c in subject)
    return plain or "eight"


def _save(picture: Image.Image, path: Path, mark: dict[str, Any] | None) -> None:
    """A PNG; one that shows a synthetic picture says so in its file, as that picture does."""
    make_folder(path.parent)
    if mark is not None:
        write_marked(picture, path, mark)
    else:
        write_with(path, lambda partial: picture.save(partial, format="PNG", compress_level=1))
