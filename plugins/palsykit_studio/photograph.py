"""One photograph on the page: its face found and measured, a synthesis with what was asked and what was measured."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from palsykit.errors import PalsykitError
from palsykit.faces.dials import Dials
from palsykit.faces.vocabulary import EXPRESSIONS
from palsykit.files.atomic import write_with
from palsykit.photographs.find import FramedFace
from palsykit.photographs.mark import write_marked
from palsykit.recipe.build import build_part
from palsykit.recipe.schema import PartBlock
from palsykit.registry import registry
from palsykit.synthesis.front import draw_syntheses
from palsykit.synthesis.photograph import Synthesis
from palsykit.synthesis.portraits import name_of
from palsykit.synthesis.request import Request, read_dials
from palsykit_studio.engine import Engine
from palsykit_studio.measuring import Cells, asked_and_measured, asked_lengths, available, rows_of, run_measure
from palsykit_studio.sessions import fresh

SHOWN_PX = 640
"""Longer side of the small picture with the face that was found."""
PEOPLE = "face_space"
"""The data set of people who do not exist."""
PERSON_PX = 512
GRADES = tuple(float(grade) for grade in range(1, 7))
NUMBER_PX = 30
"""Height of the numbers of several faces."""
FRAME, POINTS = (31, 122, 140), (255, 255, 255)


@dataclass(frozen=True)
class Wish:
    """What the page's controls say.

    Attributes:
        expression: a name of the vocabulary.
        side: left, right, bilateral or none, the subject's.
        grade: House-Brackmann, 1 to 6.
        strength: of the movement on a healthy side, 0 to 1.
        brow: mm that the affected brow is higher; None: as the grade says. Likewise eye (wider) and mouth (higher).
        eye: see ``brow``.
        mouth: see ``brow``.
        synkinesis: 0 to 1; None: as the grade says.
        seed: of the noise.
    """

    expression: str = "smile_full"
    side: str = "left"
    grade: float = 4.0
    strength: float = 1.0
    brow: float | None = None
    eye: float | None = None
    mouth: float | None = None
    synkinesis: float | None = None
    seed: int = 0

    def dials(self) -> Dials:
        """The finer dials that are set.

        Raises:
            PalsykitError: one is out of range.
        """
        lengths = {name: getattr(self, name) for name in ("brow", "eye", "mouth")}
        written = {name: f"{mm:g}mm" for name, mm in lengths.items() if mm is not None}
        return read_dials(**written, synkinesis=self.synkinesis)

    def request(self, expressions: tuple[str, ...] = (), grades: tuple[float, ...] = ()) -> Request:
        """The request; several expressions or grades give a sheet or a row.

        The dials refine one grade, so a row of grades has none.

        Raises:
            PalsykitError: labels or dials that do not go together.
        """
        dials = Dials() if grades else self.dials()
        affected = self.side != "none" and (bool(grades) or self.grade > 1)
        if dials and not affected:
            raise PalsykitError("dials in mm and synkinesis refine a palsy; choose a side and a grade from II to VI")
        side = self.side if affected else None
        chosen = (grades or (self.grade,)) if affected else ()
        made = [
            Request.of(expression=name, side=side, severities=chosen, strength=self.strength, dials=dials)
            for name in expressions or (self.expression,)
        ]
        return replace(made[0], labels=tuple(label for one in made for label in one.labels))


@dataclass(frozen=True, eq=False)
class Found:
    """A photograph whose face was found.

    Attributes:
        path: its file.
        person: the photograph and its face.
        shown: a small picture with the face frame and the points.
        rows: name, right, left, difference in mm; empty if nothing can measure.
        notes: what a user should know, one sentence each.
        force: whether a doubtful face was accepted.
        face: number of the face that was chosen among several; None: the largest.
    """

    path: Path
    person: FramedFace
    shown: Path
    rows: Cells
    notes: tuple[str, ...]
    force: bool
    face: int | None = None

    def measuring(self, expression: str) -> list[str]:
        """The options of the command ``measure`` for this face, showing ``expression``."""
        options = ["--scale", "pupils", "--expression", expression]
        options += [] if self.face is None else ["--face", str(self.face)]
        return [*options, "--force"] if self.force else options

    @property
    def measures(self) -> str:
        """Name of the folder of its measures; the command keeps one for each choice of face and force."""
        return f"measures-{int(self.force)}-{self.face or 0}"


@dataclass(frozen=True, eq=False)
class Result:
    """One synthesis, as files.

    Attributes:
        file: the photograph's own size, lossless, with the mark.
        before: for the slider.
        after: likewise; with the mark.
        rows: asked and measured lengths in mm, see ``asked_and_measured``.
        notes: one sentence each.
    """

    file: Path
    before: Path
    after: Path
    rows: Cells
    notes: tuple[str, ...]


def find(engine: Engine, path: Path, folder: Path, force: bool = False, face: int | None = None) -> Found:
    """Find and measure the face of a photograph; of several the one with the number ``face``, else the largest.

    Raises:
        PalsykitError: it cannot be used, with the reason.
    """
    person = engine.read(path, force, face)
    found = Found(path, person, folder / "found.jpg", [], person.notes, force, face)
    points = None
    if available():
        with engine.lock:
            document = run_measure(path, folder / found.measures, *found.measuring("rest"))
        one = document["photographs"][0]
        points, found = np.array(one["landmarks"]), replace(found, rows=rows_of(one))
    picture = draw_found(person, points, engine.middles(path))
    write_with(found.shown, lambda partial: picture.save(partial, format="JPEG", quality=90))
    return found


def draw_found(person: FramedFace, points: Any = None, middles: Any = ()) -> Image.Image:
    """The photograph, at most ``SHOWN_PX`` px, with its face frame, points [68, 2] and numbers of several faces.

    Points and ``middles`` [N, 2] of the faces are in px of the photograph.
    """
    photograph = person.photograph.picture
    share = min(1.0, SHOWN_PX / max(photograph.size))
    size = (max(1, round(photograph.width * share)), max(1, round(photograph.height * share)))
    picture = photograph.resize(size, Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(picture)
    back = np.linalg.inv(np.vstack([person.to_frame, [0, 0, 1]]))
    corners = np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1], [0, 0, 1]]) @ back.T
    draw.line([tuple(corner) for corner in corners[:, :2] * share], fill=FRAME, width=3)
    for x, y in [] if points is None else points * share:
        draw.ellipse((x - 1.6, y - 1.6, x + 1.6, y + 1.6), fill=POINTS, outline=FRAME)
    for number, (x, y) in enumerate(middles * share if len(middles) > 1 else (), start=1):
        font = ImageFont.load_default(NUMBER_PX)
        draw.text((x, y), str(number), POINTS, font, anchor="mm", stroke_width=4, stroke_fill=FRAME)
    return picture


def synthesise(engine: Engine, found: Found, wish: Wish, folder: Path) -> Result:
    """Make one picture, write it with its mark, and measure it.

    Raises:
        PalsykitError: the wish contradicts itself, or the poser refuses.
    """
    request = wish.request()
    made = next(engine.make(found.person, request, wish.seed))[0]
    results = fresh(folder, "result")
    file = save_result(made, results / f"{found.path.stem}-{name_of(request.labels[0])}")
    before, after = results / "before.jpg", results / "after.jpg"
    old = found.person.photograph.picture
    write_with(before, lambda partial: old.save(partial, format="JPEG", quality=95))
    write_marked(_upright(made), after, made.facts)
    rows: Cells = []
    notes = made.notes
    if available():
        rows, more = _measured(engine, found, request, file)
        notes = (*notes, *more)
    return Result(file, before, after, rows, tuple(dict.fromkeys(notes)))


def save_result(made: Synthesis, stem: Path) -> Path:
    """The picture in the photograph's own size, lossless: PNG, or TIFF for what PNG cannot hold."""
    size = made.face.photograph.picture.width if made.face.is_crop else None
    original = made.face.photograph.original
    mode = None if original is None or made.face.is_crop else original.picture.mode
    path = stem.with_name(f"{stem.name}.{'tif' if mode == 'CMYK' else 'png'}")
    made.save(path, size=size)
    return path


def _upright(made: Synthesis) -> Image.Image:
    if made.face.is_crop:
        return made.frame(made.face.photograph.picture.width)
    return Image.fromarray(made.upright)


def _measured(engine: Engine, found: Found, request: Request, file: Path) -> tuple[Cells, tuple[str, ...]]:
    """What was asked against what is measured; a result that cannot be measured is a note."""
    posed = engine.pose(found.person, request)
    asked = asked_lengths(posed.rest, posed.asked[0])
    options = found.measuring(str(request.labels[0].expression))
    try:
        with engine.lock:
            output = file.parents[1] / found.measures
            document = run_measure(file, output, "--rest", str(found.path), *options)
    except PalsykitError as error:
        return [], (error.message,)
    return asked_and_measured(asked, next(one for one in document["photographs"] if one["file"] == file.name)), ()


def sheet(
    engine: Engine, found: Found, wish: Wish, what: str, folder: Path, stop: Callable[[], bool]
) -> Iterator[tuple[int, int, Path | None]]:
    """The row of grades or the sheet of expressions; says how many of how many are made, and at last where it is.

    Args:
        engine: has the model.
        found: the photograph.
        wish: what the controls say.
        what: "row" for the grades I to VI, "sheet" for the eight expressions.
        folder: the session's.
        stop: whether to stop.

    Raises:
        Stopped: the user stopped it.
        PalsykitError: a row of a face without a palsy, or the poser refuses.
    """
    if what == "row" and wish.side == "none":
        raise PalsykitError("a row of grades shows a palsy; choose the affected side: left, right or both")
    request = wish.request(grades=GRADES) if what == "row" else wish.request(expressions=tuple(EXPRESSIONS))
    made: list[Synthesis] = []
    yield 0, len(request.labels), None
    for part in engine.make(found.person, request, wish.seed, stop):
        made += part
        yield len(made), len(request.labels), None
    file = fresh(folder, what) / f"{found.path.stem}-{what}.png"
    write_marked(draw_syntheses(made), file, made[0].shared_facts)
    yield len(made), len(request.labels), file


def can_draw_people() -> bool:
    """Whether a plugin has faces of people who do not exist."""
    return PEOPLE in registry().names("datasets")


def draw_person(number: int, folder: Path) -> Path:
    """A photograph of a person who does not exist, at rest; the same number gives the same person."""
    keys = {"identities": 1, "validation": 0, "test": 0, "renders": 1, "seed": number}
    block = PartBlock(use=PEOPLE, parameters=keys)
    dataset: Any = build_part("datasets", block, PERSON_PX, folder / "people")
    picture = Image.fromarray(dataset.image(dataset.records[0]))
    path = fresh(folder, "person") / f"person-{number}.png"
    write_marked(picture, path, {"person": f"{PEOPLE} {number}, computed", "composite": False})
    return path
