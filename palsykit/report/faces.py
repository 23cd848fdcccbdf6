"""Labelled sheets of faces: the figure of a report, and people with rows and columns of pictures.

Faces are enlarged by a whole factor, never resampled by a fraction, so that 64 px faces can be judged.
"""

import io
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from palsykit.faces.vocabulary import EXPRESSIONS
from palsykit.report import words
from palsykit.report.contents import Cell, FigureRow, Picture

FACE_PX = 128
INK, MUTED, EMPTY, ACCENT = "#1f2a33", "#5b6b77", "#eef2f4", "#1f7a8c"
MARGIN, GAP, LINE = 8, 4, 18
BESIDE_COLUMNS = 3
"""With so few expressions the truth stands left of its synthesis instead of above it."""

Column = tuple[str, int]
"""An expression and, for people who have it more than once, which of them."""
Heading = tuple[list[str], float]
"""Lines, and the x that they are centred on."""


@dataclass(frozen=True, eq=False)
class Panel:
    """One person.

    Attributes:
        title: above the panel; empty for none.
        identity: the identity photograph, left of the first row.
        columns: headings, one per column or none.
        rows: (heading, one picture or None per column).
        over: headings above ``columns``, one per column or none; equal neighbours are written once, over their columns.
        captions: below the columns, one per column or none; equal neighbours under one heading are written once.
        name: below the identity photograph.
        headed: whether the headings are drawn; below a panel with the same columns they need not be.
        accent: the heading that is drawn in colour.
    """

    title: str
    identity: Picture
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Picture | None]]]
    over: Sequence[str] = ()
    captions: Sequence[str] = ()
    name: str = ""
    headed: bool = True
    accent: str = ""


def draw_sheet(panels: Sequence[Panel], face: int, footer: str = "") -> Image.Image:
    """The panels, one below the other, as an RGB picture.

    Args:
        panels: one or more.
        face: about the side of a face in px; a picture's side is multiplied by a whole number.
        footer: a line at the foot.

    Raises:
        ValueError: without panels, or where a picture is not uint8 RGB of the first one's size.
    """
    if not panels:
        raise ValueError("a sheet needs a panel or more; found none")
    _check_pictures(panels)
    side = panels[0].identity.shape[0]
    side *= max(1, round(face / side))
    heads = round(max(_width(name) for panel in panels for name, _ in panel.rows)) + GAP
    drawn = [_draw_panel(panel, side, MARGIN + side + 2 * MARGIN + heads) for panel in panels]
    width = max(picture.width for picture in drawn)
    width = max(width, round(_width(footer)) + 2 * MARGIN) if footer else width
    canvas = Image.new("RGB", (width, sum(picture.height for picture in drawn) + (LINE if footer else 0)), "white")
    top = 0
    for picture in drawn:
        canvas.paste(picture, (0, top))
        top += picture.height
    ImageDraw.Draw(canvas).text((MARGIN, top), _line(footer), fill=MUTED, font=_font(False))
    return canvas


def png(picture: Image.Image) -> bytes:
    """A picture as a PNG file; equal pictures give equal bytes."""
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()


def _check_pictures(panels: Sequence[Panel]) -> None:
    shape = panels[0].identity.shape
    for panel in panels:
        for picture in (panel.identity, *(p for _, pictures in panel.rows for p in pictures if p is not None)):
            if picture.shape != shape or picture.dtype != np.uint8 or picture.shape[2:] != (3,):
                raise ValueError(
                    f"figure, row {panel.title or panel.name}: expected uint8 RGB pictures of shape {shape}, "
                    f"found {picture.dtype} {picture.shape}; bring all pictures to one size before drawing"
                )


def _draw_panel(panel: Panel, side: int, left: int) -> Image.Image:
    """One panel; ``left`` is where its first column begins."""
    # where things stand
    count = len(panel.rows[0][1])
    over = panel.over or [""] * count
    lefts = [left + n * (side + GAP) + GAP * sum(a != b for a, b in pairwise(over[: n + 1])) for n in range(count)]
    over_heads = _headings(panel.over, over, lefts, side, bold=True) if panel.headed else []
    heads = _headings(panel.columns, range(count), lefts, side) if panel.headed else []
    captions = _headings(panel.captions, list(zip(over, panel.captions, strict=False)), lefts, side)
    above = max(LINE, _height(over_heads) + _height(heads)) + GAP if panel.headed else 0
    top = MARGIN + (LINE if panel.title else 0) + above
    foot = top + len(panel.rows) * (side + GAP)
    below = max(_height(captions), LINE if panel.name and len(panel.rows) == 1 else 0)
    width = max([MARGIN + side, *(x + side for x in lefts), round(_width(panel.title, bold=True)) + MARGIN]) + MARGIN
    # pictures
    canvas = Image.new("RGB", (width, foot + below + MARGIN), "white")
    _paste(canvas, panel.identity, (MARGIN, top), side)
    for number, (_, pictures) in enumerate(panel.rows):
        for x, picture in zip(lefts, pictures, strict=True):
            _paste(canvas, picture, (x, top + number * (side + GAP)), side)
    # words
    pen, middle = ImageDraw.Draw(canvas), MARGIN + side / 2
    pen.text((MARGIN, MARGIN), _line(panel.title), fill=INK, font=_font(True))
    if panel.headed:
        _write(pen, [(["identity"], middle)], top - GAP, MUTED)
    _write(pen, over_heads, top - GAP - _height(heads), INK, bold=True)
    _write(pen, heads, top - GAP, MUTED, accent=panel.accent)
    _write(pen, [([_shorten(panel.name, side)], middle)], top + side + LINE, INK)
    for lines, place in captions:
        _write(pen, [(lines, place)], foot - GAP + LINE * len(lines), MUTED)
    for number, (name, _) in enumerate(panel.rows):
        centre = top + number * (side + GAP) + side / 2
        pen.text(
            (left - 2 * GAP, centre),
            _line(name),
            fill=ACCENT if name == panel.accent else INK,
            font=_font(False),
            anchor="rm",
        )
    return canvas


def _headings(
    texts: Sequence[str], same: Sequence[Hashable], lefts: Sequence[int], side: int, bold: bool = False
) -> list[Heading]:
    """``texts`` wrapped over their columns; those of neighbouring columns that are the ``same`` are written once."""
    return [
        (_wrap(texts[first], lefts[last] + side - lefts[first] + GAP, bold), (lefts[first] + lefts[last] + side) / 2)
        for first, last in (_runs(same) if texts else ())
    ]


def _runs(values: Sequence[Hashable]) -> list[tuple[int, int]]:
    """(first, last) of every run of equal values."""
    starts = [n for n in range(len(values)) if n == 0 or values[n] != values[n - 1]]
    return [(first, after - 1) for first, after in pairwise([*starts, len(values)])]


def _height(headings: Sequence[Heading]) -> int:
    return LINE * max((len(lines) for lines, _ in headings), default=0)


def _write(
    pen: ImageDraw.ImageDraw, headings: Sequence[Heading], foot: int, colour: str, bold: bool = False, accent: str = ""
) -> None:
    """Centred headings whose last lines stand on ``foot``."""
    for lines, x in headings:
        fill = ACCENT if accent and lines == [accent] else colour
        for number, line in enumerate(reversed(lines)):
            pen.text((x, foot - LINE * number), line, fill=fill, font=_font(bold), anchor="md")


def _paste(canvas: Image.Image, picture: Picture | None, at: tuple[int, int], side: int) -> None:
    if picture is not None:
        face = Image.fromarray(picture)
        canvas.paste(face if face.width == side else face.resize((side, side), Image.Resampling.LANCZOS), at)
        return
    pen, text = ImageDraw.Draw(canvas), "no picture"
    pen.rectangle((*at, at[0] + side - 1, at[1] + side - 1), fill=EMPTY)
    if _width(text) < side:
        pen.text((at[0] + side / 2, at[1] + side / 2), text, fill=MUTED, font=_font(False), anchor="mm")


@cache
def _font(bold: bool) -> ImageFont.FreeTypeFont:
    # matplotlib brings DejaVu along: the same letters on every machine, with more scripts than Pillow's own font
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name), 12)


def _line(text: str, most: int = 200) -> str:
    """``text`` on one line, without letters that no font has; the middle of a very long one is left out."""
    line = "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))
    return line if len(line) <= most else f"{line[: most // 2]}…{line[-most // 2 :]}"


def _width(text: str, bold: bool = False) -> float:
    return _font(bold).getlength(_line(text))


def _wrap(text: str, width: float, bold: bool = False) -> list[str]:
    """``text`` in lines of at most ``width`` px, broken between words; a wider word is shortened."""
    lines: list[str] = []
    for word in _line(text).split():
        if lines and _width(f"{lines[-1]} {word}", bold) <= width:
            lines[-1] = f"{lines[-1]} {word}"
        else:
            lines.append(word)
    return [_shorten(line, width, bold) for line in lines]


def _shorten(text: str, width: float, bold: bool = False) -> str:
    """``text``, or its beginning and its end where it is wider than ``width`` px: names differ at their end."""
    text = _line(text)
    if _width(text, bold) <= width:
        return text
    for keep in range(len(text) - 2, 1, -1):
        short = f"{text[: keep // 2]}…{text[len(text) - (keep - keep // 2) :]}"
        if _width(short, bold) <= width:
            return short
    return "…"


def draw_figure(rows: Sequence[FigureRow]) -> Image.Image:
    """The figure of a report: one row per identity, one column per expression, truth and synthesis side by side.

    Raises:
        ValueError: without rows, or where a picture is not uint8 RGB of the first one's size.
    """
    if not rows:
        raise ValueError("a figure needs at least one identity; found none: is the split to generate from empty?")
    columns = figure_columns(rows)
    return draw_sheet([_figure_panel(row, columns, headed=row is rows[0]) for row in rows], FACE_PX)


def figure_alt(rows: Sequence[FigureRow]) -> str:
    """The alternative text of the figure."""
    expressions = ", ".join(words.expression(name) for name, _ in figure_columns(rows))
    people = "; ".join(f"{row.subject}: {_cells_in_words(row.cells)}" for row in rows)
    return (
        f"{len(rows)} identities, one per row; the columns are {expressions}. Each row begins with the identity "
        f"photograph; for each expression it shows the truth and its synthesis. {people}."
    )


def _cells_in_words(cells: Sequence[Cell]) -> str:
    return ", ".join(f"{words.expression(cell.expression)} ({words.palsy(cell.side, cell.severity)})" for cell in cells)


def figure_columns(rows: Sequence[FigureRow]) -> tuple[Column, ...]:
    """The columns of a figure: the vocabulary's expressions in its order, then others as they first appear."""
    most: Counter[str] = Counter()
    for row in rows:
        most |= Counter(cell.expression for cell in row.cells)
    appeared = dict.fromkeys(cell.expression for row in rows for cell in row.cells)
    ordered = [*(e for e in EXPRESSIONS if e in appeared), *(e for e in appeared if e not in EXPRESSIONS)]
    return tuple((name, i) for name in ordered for i in range(most[name]))


def _figure_panel(row: FigureRow, columns: Sequence[Column], headed: bool) -> Panel:
    seen: Counter[str] = Counter()
    cells: dict[Column, Cell] = {}
    for cell in row.cells:
        cells[cell.expression, seen[cell.expression]] = cell
        seen[cell.expression] += 1
    truth, made = ([getattr(cells.get(c), of, None) for c in columns] for of in ("truth", "generated"))
    names = [words.expression(name) for name, _ in columns]
    captions = [words.palsy(cells[c].side, cells[c].severity) if c in cells else "" for c in columns]
    if len(columns) > BESIDE_COLUMNS:
        pictures = [("truth", truth), ("synthesis", made)]
        return Panel("", row.identity, (), pictures, names, captions, row.subject, headed, accent="synthesis")
    names, captions = ([value for value in values for _ in range(2)] for values in (names, captions))
    beside = [picture for pair in zip(truth, made, strict=True) for picture in pair]
    heads = ["truth", "synthesis"] * len(columns)
    return Panel("", row.identity, heads, [("", beside)], names, captions, row.subject, headed, accent="synthesis")
