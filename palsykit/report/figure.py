"""The figure of a report: a row an identity, a column an expression, truth and synthesis side by side.

Faces are enlarged by a whole factor, never resampled by a fraction, so that 64 px faces can be judged.
"""

import io
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from palsykit.faces.vocabulary import EXPRESSIONS
from palsykit.report import words
from palsykit.report.contents import Cell, FigureRow, Picture

FACE_PX = 128
INK, MUTED, EMPTY, ACCENT = "#1f2a33", "#5b6b77", "#eef2f4", "#1f7a8c"
MARGIN, GAP, TAGS, CAPTION, ROW_GAP, LINE = 6, 8, 20, 20, 12, 17
BESIDE_COLUMNS = 3
"""With so few expressions the truth stands left of its synthesis instead of above it."""

Column = tuple[str, int]
"""An expression and, for rows that have it more than once, which of them."""


@dataclass(frozen=True)
class Layout:
    """Where things stand, in px: ``face`` is a face's side as drawn, ``factor`` its enlargement."""

    columns: tuple[Column, ...]
    rows: int
    face: int
    factor: int

    @property
    def beside(self) -> bool:
        return len(self.columns) <= BESIDE_COLUMNS

    @property
    def pair(self) -> tuple[int, int]:
        """Width and height of a truth with its synthesis."""
        double = 2 * self.face + 2
        return (double, self.face) if self.beside else (self.face, double)

    @property
    def header(self) -> int:
        return MARGIN + (3 if self.beside else 2) * LINE + 4

    @property
    def size(self) -> tuple[int, int]:
        width = self.left(len(self.columns)) - GAP + MARGIN
        return width, self.top(self.rows) - ROW_GAP + MARGIN

    def left(self, column: int) -> int:
        return MARGIN + self.face + (GAP * 2 if self.beside else TAGS + GAP) + column * (self.pair[0] + GAP)

    def top(self, row: int) -> int:
        return self.header + row * (self.pair[1] + CAPTION + ROW_GAP)


def draw_figure(rows: list[FigureRow]) -> Image.Image:
    """The figure as an RGB picture.

    Raises:
        ValueError: without rows, or where a picture is not uint8 RGB of the first one's size.
    """
    layout = _layout(rows)
    canvas = Image.new("RGB", layout.size, "white")
    _draw_header(canvas, layout)
    for index, row in enumerate(rows):
        _draw_row(canvas, layout, index, row)
    return canvas


def figure_png(rows: list[FigureRow]) -> bytes:
    """The figure as a PNG file; equal rows give equal bytes."""
    file = io.BytesIO()
    draw_figure(rows).save(file, "PNG", optimize=True)
    return file.getvalue()


def figure_alt(rows: list[FigureRow]) -> str:
    """The figure in words, for those who cannot see it."""
    expressions = ", ".join(words.expression(name) for name, _ in figure_columns(rows))
    people = "; ".join(f"{row.subject}: {_cells_in_words(row.cells)}" for row in rows)
    return (
        f"{len(rows)} identities, a row each, under {expressions}. Each row begins with the identity photograph; each "
        f"expression shows the truth and its synthesis. {people}."
    )


def figure_columns(rows: list[FigureRow]) -> tuple[Column, ...]:
    """The columns of a figure: the vocabulary's expressions in its order, then others as they first appear."""
    most: Counter[str] = Counter()
    for row in rows:
        most |= Counter(cell.expression for cell in row.cells)
    appeared = dict.fromkeys(cell.expression for row in rows for cell in row.cells)
    ordered = [*(e for e in EXPRESSIONS if e in appeared), *(e for e in appeared if e not in EXPRESSIONS)]
    return tuple((name, i) for name in ordered for i in range(most[name]))


def _cells_in_words(cells: list[Cell]) -> str:
    return ", ".join(f"{words.expression(cell.expression)} ({words.palsy(cell.side, cell.severity)})" for cell in cells)


def _layout(rows: list[FigureRow]) -> Layout:
    if not rows:
        raise ValueError("a figure needs at least one identity; found none: is the split to generate from empty?")
    shape = rows[0].identity.shape
    for row in rows:
        for picture in _pictures(row):
            if picture.shape != shape or picture.dtype != np.uint8 or picture.shape[2:] != (3,):
                raise ValueError(
                    f"figure, row {row.subject}: expected uint8 RGB pictures of shape {shape}, "
                    f"found {picture.dtype} {picture.shape}; bring all pictures to one size before drawing"
                )
    factor = max(1, round(FACE_PX / shape[1]))
    return Layout(figure_columns(rows), len(rows), shape[1] * factor, factor)


def _pictures(row: FigureRow) -> list[Picture]:
    found = [row.identity, *(cell.generated for cell in row.cells)]
    return [*found, *(cell.truth for cell in row.cells if cell.truth is not None)]


def _draw_header(canvas: Image.Image, layout: Layout) -> None:
    centre = MARGIN + layout.face // 2
    last = layout.header - 6
    _write(canvas, (centre, last), ["identity"], bold=True)
    width = layout.pair[0]
    for index, (name, _) in enumerate(layout.columns):
        left = layout.left(index)
        bottom = last - LINE if layout.beside else last
        _write(
            canvas, (left + width // 2, bottom), _wrap(words.expression(name), width + GAP - 2, bold=True), bold=True
        )
        if layout.beside:
            _write(canvas, (left + layout.face // 2, last), ["truth"], colour=MUTED)
            _write(canvas, (left + width - layout.face // 2, last), ["synthesis"], colour=ACCENT)


def _draw_row(canvas: Image.Image, layout: Layout, index: int, row: FigureRow) -> None:
    top, (_, height) = layout.top(index), layout.pair
    middle = top + (height - layout.face) // 2
    _paste(canvas, (MARGIN, middle), row.identity, layout)
    below = (MARGIN + layout.face // 2, middle + layout.face + LINE)
    _write(canvas, below, [_shorten(row.subject, layout.face)], colour=INK)
    if not layout.beside:
        tags = layout.left(0) - TAGS + 2
        _write_upwards(canvas, (tags, top + layout.face // 2), "truth", MUTED)
        _write_upwards(canvas, (tags, top + height - layout.face // 2), "synthesis", ACCENT)
    cells = _by_column(row)
    for column, key in enumerate(layout.columns):
        _draw_cell(canvas, layout, (layout.left(column), top), cells.get(key))


def _by_column(row: FigureRow) -> dict[Column, Cell]:
    seen: Counter[str] = Counter()
    cells: dict[Column, Cell] = {}
    for cell in row.cells:
        cells[cell.expression, seen[cell.expression]] = cell
        seen[cell.expression] += 1
    return cells


def _draw_cell(canvas: Image.Image, layout: Layout, at: tuple[int, int], cell: Cell | None) -> None:
    (left, top), (width, height), face = at, layout.pair, layout.face
    if cell is None:
        _draw_empty(canvas, (left, top, left + width - 1, top + height - 1))
        return
    if cell.truth is None:
        _draw_empty(canvas, (left, top, left + face - 1, top + face - 1))
    else:
        _paste(canvas, (left, top), cell.truth, layout)
    _paste(canvas, (left + width - face, top + height - face), cell.generated, layout)
    caption = _shorten(words.palsy(cell.side, cell.severity), width + GAP)
    _write(canvas, (left + width // 2, top + height + LINE), [caption], colour=MUTED)


def _draw_empty(canvas: Image.Image, box: tuple[int, int, int, int]) -> None:
    ImageDraw.Draw(canvas).rectangle(box, fill=EMPTY)
    centre = ((box[0] + box[2]) // 2, (box[1] + box[3]) // 2 + LINE // 3)
    _write(canvas, centre, ["no photograph"], colour=MUTED)


def _paste(canvas: Image.Image, at: tuple[int, int], picture: Picture, layout: Layout) -> None:
    face = Image.fromarray(picture)
    if layout.factor > 1:
        face = face.resize((layout.face, layout.face), Image.Resampling.LANCZOS)
    canvas.paste(face, at)


@cache
def _font(bold: bool) -> ImageFont.FreeTypeFont:
    # matplotlib brings DejaVu along: the same letters on every machine, with more scripts than Pillow's own font
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name), 12)


def _wrap(text: str, width: int, bold: bool = False) -> list[str]:
    """``text`` in at most two lines of ``width`` px, broken between words."""
    font, tokens = _font(bold), text.split()
    if font.getlength(text) <= width or len(tokens) == 1:
        return [_shorten(text, width, bold)]
    # the first break after which the rest fits, so that the lower line, nearer the face, is the fuller one
    cut = next((i for i in range(1, len(tokens)) if font.getlength(" ".join(tokens[i:])) <= width), len(tokens) - 1)
    return [_shorten(" ".join(part), width, bold) for part in (tokens[:cut], tokens[cut:])]


def _shorten(text: str, width: int, bold: bool = False) -> str:
    """``text``, or its beginning and its end where it is wider than ``width`` px: names differ at their end."""
    if _font(bold).getlength(text) <= width:
        return text
    for keep in range(len(text) - 2, 1, -1):
        short = f"{text[: keep // 2]}…{text[len(text) - (keep - keep // 2) :]}"
        if _font(bold).getlength(short) <= width:
            return short
    return "…"


def _write(
    canvas: Image.Image, centre: tuple[int, int], lines: list[str], bold: bool = False, colour: str = INK
) -> None:
    """``lines`` centred on centre[0], the last one's foot at centre[1]."""
    pen = ImageDraw.Draw(canvas)
    for above, line in enumerate(reversed(lines)):
        at = (centre[0], centre[1] - 3 - above * LINE)
        pen.text(at, line, fill=colour, font=_font(bold), anchor="ms")


def _write_upwards(canvas: Image.Image, centre: tuple[int, int], text: str, colour: str) -> None:
    """One line that reads upwards, its left edge at centre[0] and its middle at centre[1]."""
    width = round(_font(False).getlength(text)) + 2
    strip = Image.new("RGB", (width, 16), "white")
    ImageDraw.Draw(strip).text((width // 2, 12), text, fill=colour, font=_font(False), anchor="ms")
    upright = strip.transpose(Image.Transpose.ROTATE_90)
    canvas.paste(upright, (centre[0], centre[1] - width // 2))
