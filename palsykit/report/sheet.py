"""A sheet of labelled faces: panels one below the other, each a person with rows and columns of pictures.

Faces are enlarged by a whole factor, as in the figure of a report.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont

from palsykit.report.contents import Picture

INK, MUTED, EMPTY = "#1f2a33", "#5b6b77", "#eef2f4"
MARGIN, GAP, LINE = 8, 4, 18


@dataclass(frozen=True, eq=False)
class Panel:
    """One person.

    Attributes:
        title: above the panel.
        identity: the identity photograph, left of the first row.
        columns: headings; a heading that repeats the one before it is written once, over all of them.
        rows: (heading, a picture for each column or None).
        over: headings above ``columns``, as many, or none.
    """

    title: str
    identity: Picture
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Picture | None, ...]], ...]
    over: tuple[str, ...] = ()


def draw_sheet(panels: list[Panel], face: int, footer: str = "") -> Image.Image:
    """The panels as an RGB picture.

    Args:
        panels: one or more.
        face: about the side of a face in px; a picture's side is multiplied by a whole number.
        footer: a line at the foot.

    Raises:
        ValueError: without panels.
    """
    if not panels:
        raise ValueError("a sheet needs a panel or more; found none")
    factor = max(1, round(face / panels[0].identity.shape[0]))
    drawn = [_panel(panel, factor) for panel in panels]
    foot = LINE if footer else 0
    width = max(picture.width for picture in drawn)
    if footer:
        width = max(width, round(_font(False).getlength(footer)) + 2 * MARGIN)
    canvas = Image.new("RGB", (width, sum(picture.height for picture in drawn) + foot), "white")
    top = 0
    for picture in drawn:
        canvas.paste(picture, (0, top))
        top += picture.height
    ImageDraw.Draw(canvas).text((MARGIN, top), footer, fill=MUTED, font=_font(False))
    return canvas


def _panel(panel: Panel, factor: int) -> Image.Image:
    side = panel.identity.shape[0] * factor
    heads = round(max(_font(False).getlength(name) for name, _ in panel.rows)) + GAP
    step = side + GAP
    columns = [_wrapped(text, step) for text in panel.columns]
    over = [(_wrapped(text, step * (last - first + 1)), first, last) for text, first, last in _spans(panel.over)]
    deep, high = (max((len(lines) for lines in found), default=0) for found in (columns, [o[0] for o in over]))
    left, top = MARGIN + side + 2 * MARGIN + heads, MARGIN + LINE * (1 + deep + high) + GAP
    right = max(left + step * len(panel.columns), round(_font(True).getlength(panel.title)) + MARGIN) + MARGIN
    canvas = Image.new("RGB", (right, top + step * len(panel.rows) + MARGIN), "white")
    pen = ImageDraw.Draw(canvas)
    pen.text((MARGIN, MARGIN), panel.title, fill=INK, font=_font(True))
    pen.text((MARGIN + side / 2, top - GAP), "identity", fill=MUTED, font=_font(False), anchor="md")
    _paste(canvas, panel.identity, (MARGIN, top), side)
    for lines, first, last in over:
        middle = left + (first + last + 1) * step / 2 - GAP / 2
        _upwards(pen, (middle, top - GAP - LINE * deep), lines, INK, bold=True)
    for column, lines in enumerate(columns):
        _upwards(pen, (left + column * step + side / 2, top - GAP), lines, MUTED, bold=False)
    for row, (name, pictures) in enumerate(panel.rows):
        down = top + row * step
        pen.text((left - 2 * GAP, down + side / 2), name, fill=INK, font=_font(False), anchor="rm")
        for column, picture in enumerate(pictures):
            _paste(canvas, picture, (left + column * step, down), side)
    return canvas


def _spans(headings: tuple[str, ...]) -> list[tuple[str, int, int]]:
    """(heading, first column, last column) of every run of equal headings."""
    spans: list[tuple[str, int, int]] = []
    for column, text in enumerate(headings):
        if spans and spans[-1][0] == text:
            spans[-1] = (text, spans[-1][1], column)
        else:
            spans.append((text, column, column))
    return spans


def _wrapped(text: str, width: int) -> list[str]:
    """``text`` in lines that fit ``width`` px where its words allow."""
    lines: list[str] = []
    for word in text.split(" "):
        if lines and _font(True).getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] = f"{lines[-1]} {word}"
        else:
            lines.append(word)
    return lines


def _upwards(pen: ImageDraw.ImageDraw, at: tuple[float, float], lines: list[str], fill: str, bold: bool) -> None:
    """Lines, the last of them standing on ``at``, centred."""
    for number, line in enumerate(reversed(lines)):
        pen.text((at[0], at[1] - LINE * number), line, fill=fill, font=_font(bold), anchor="md")


def _paste(canvas: Image.Image, picture: Picture | None, at: tuple[int, int], side: int) -> None:
    if picture is None:
        ImageDraw.Draw(canvas).rectangle((*at, at[0] + side - 1, at[1] + side - 1), fill=EMPTY)
        return
    face = Image.fromarray(picture)
    canvas.paste(face if face.width == side else face.resize((side, side), Image.Resampling.LANCZOS), at)


@cache
def _font(bold: bool) -> ImageFont.FreeTypeFont:
    # matplotlib brings DejaVu along: the same letters on every machine
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name), 12)
