"""Many portraits, several faces each: a folder of results with metadata, a list of what was not used, and a page."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from palsykit.data.imagefolder import METADATA, SUFFIXES
from palsykit.data.left_alone import is_left_alone
from palsykit.data.rejections import NAME as REJECTED
from palsykit.data.rejections import write_rejected
from palsykit.errors import PalsykitError
from palsykit.faces.records import Rejected
from palsykit.faces.vocabulary import FaceLabels
from palsykit.files.atomic import write_text
from palsykit.files.claims import Claim
from palsykit.photographs.find import FramedFace
from palsykit.photographs.mark import read_mark, write_marked
from palsykit.progress import track
from palsykit.report import words
from palsykit.report.compare import Person, picture_address, render_comparison
from palsykit.report.html import Picture
from palsykit.synthesis.front import Model, draw_syntheses
from palsykit.synthesis.photograph import Synthesis
from palsykit.synthesis.request import Request

PAGE = "index.html"
SHEETS = "sheets"
MARKER = "generate.json"
"""Says what a folder of results was made with."""


@dataclass(frozen=True)
class Output:
    """How results are written; see ``Synthesis.save``."""

    crop: bool = False
    size: int | None = None
    visible: bool = False
    suffix: str = ".png"


def portraits_in(folder: Path) -> tuple[list[Path], list[Rejected]]:
    """The pictures in a folder, sorted by name, and the files that are not used, with reasons.

    Hidden and system files are left alone. Subfolders are listed, not read.

    Raises:
        PalsykitError: there is no picture.
    """
    pictures, rejected = [], []
    for path in sorted(folder.iterdir()):
        if is_left_alone(path.name):
            continue
        if path.is_dir():
            rejected.append(Rejected(path.name, "a folder; only the pictures beside it are read"))
        elif path.suffix.lower() not in SUFFIXES:
            rejected.append(Rejected(path.name, f"not a picture; expected one of {', '.join(SUFFIXES)}"))
        else:
            pictures.append(path)
    if not pictures:
        raise PalsykitError(f"{folder}: found no picture in it; expected portraits ({', '.join(SUFFIXES)})")
    return pictures, rejected


def synthesise_portraits(
    model: Model,
    portraits: Sequence[Path],
    request: Request,
    folder: Path,
    output: Output,
    *,
    rejected: Sequence[Rejected] = (),
    seed: int = 0,
    guidance: float | None = None,
    face: int | None = None,
    force: bool = False,
) -> list[Rejected]:
    """Write every requested face of every portrait into a folder; resume if the folder was begun.

    A result whose file says the same request and the same source is not made again. The folder gets one subfolder per
    portrait, ``sheets/`` for several faces, ``metadata.jsonl`` (an imagefolder's table), ``rejected.csv`` and
    ``index.html``.

    Returns:
        The portraits and files that were not used.

    Raises:
        PalsykitError: the folder holds something else or results of other settings, or no portrait can be used.
    """
    labels = {name_of(label): label for label in request.labels}
    settings = {"faces": list(labels), "strength": request.strength, "seed": seed, "guidance": guidance}
    settings |= {"dials": request.dials.facts()} if request.dials else {}
    settings |= {"crop": output.crop, "size": output.size, "visible": output.visible, "suffix": output.suffix}
    _claim(folder, {"model": model.facts, **settings})
    names = _names(portraits)
    not_used, people, rows = list(rejected), [], []
    with track("synthesise", len(portraits), "portraits") as work:
        for portrait in portraits:
            try:
                person = model.read("identity", portrait, face, force)
            except PalsykitError as error:
                not_used.append(Rejected(portrait.name, error.message))
            else:
                files = {folder / names[portrait] / f"{name}{output.suffix}": label for name, label in labels.items()}
                if not all(_is_made(file, person) for file in files):
                    made = model.synthesise_person(person, request, seed=seed, guidance=guidance)
                    _save(made, list(files), folder / SHEETS / f"{names[portrait]}.png", output)
                rows += [_row(file.relative_to(folder), label, names[portrait]) for file, label in files.items()]
                people.append(_shown(person, files, names[portrait], output))
            work.advance()
    write_rejected(folder, not_used)
    if not people:
        reasons = "; ".join(f"{one.path}: {one.reason}" for one in not_used[:3])
        raise PalsykitError(f"no portrait can be used ({reasons}); {folder / REJECTED} lists all {len(not_used)}")
    write_text(folder / METADATA, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    write_text(folder / PAGE, render_comparison(f"Syntheses of {len(people)} portraits", people, not_used))
    return not_used


def name_of(label: FaceLabels) -> str:
    """The name of a face's file: ``smile_full-left-4``."""
    grade = "" if label.severity is None else f"{label.severity:g}"
    return "-".join(str(word) for word in (label.expression, label.side, grade) if word)


def _claim(folder: Path, settings: dict[str, Any]) -> None:
    Claim(folder, MARKER, "folder of syntheses", "name another: --output DIR", key="model").take(settings)


def _names(portraits: Sequence[Path]) -> dict[Path, str]:
    """A subfolder for each portrait: its stem, or its whole name if another one has the same stem."""
    stems = Counter(portrait.stem.lower() for portrait in portraits)
    return {path: path.stem if stems[path.stem.lower()] == 1 else path.name.replace(".", "-") for path in portraits}


def _is_made(file: Path, person: FramedFace) -> bool:
    """Whether a result is there and says that it is of the same photograph."""
    if not file.is_file():
        return False
    mark = read_mark(file)
    return mark is not None and mark.get("source") == person.photograph.sha256


def _save(made: Sequence[Synthesis], files: Sequence[Path], sheet: Path, output: Output) -> None:
    for one, file in zip(made, files, strict=True):
        file.parent.mkdir(exist_ok=True)
        one.save(file, crop=output.crop, size=output.size, visible=output.visible)
    if len(made) > 1:
        write_marked(draw_syntheses(made), sheet, made[0].shared_facts)


def _row(file: Path, label: FaceLabels, subject: str) -> dict[str, Any]:
    """One line of metadata.jsonl."""
    side = None if label.side is None else str(label.side)
    return {"file_name": file.as_posix(), "subject": subject, "expression": label.expression, "side": side,
            "severity": label.severity, "synthetic": True}  # fmt: skip


def _shown(person: FramedFace, files: Mapping[Path, FaceLabels], name: str, output: Output) -> Person:
    """A portrait on the page, with the pictures as they are on disk."""
    pictures = []
    for file, label in files.items():
        with Image.open(file) as picture:
            shown = picture_address(ImageOps.exif_transpose(picture))
        expression = words.expression(str(label.expression))
        caption = f"{expression} · {words.palsy(label.side and str(label.side), label.severity)}"
        pictures.append(Picture(shown, f"{name}, synthetic: {caption}", file.name, caption))
    framed = output.crop or output.size is not None or person.is_crop
    before = Image.fromarray(person.crop(output.size or 256)) if framed else person.photograph.picture
    return Person(name, picture_address(before), tuple(pictures), person.notes)
