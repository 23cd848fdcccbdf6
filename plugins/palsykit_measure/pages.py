"""Pictures of results: a face beside its table, and the standard eight of one person on one sheet."""

from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image, ImageDraw

from palsykit.faces.vocabulary import EXPRESSIONS
from palsykit.report import words
from palsykit_measure.lengths import BY_NAME, has_direction
from palsykit_measure.overlay import FACE_PX, font
from palsykit_measure.results import SAYS_NOT, SCALES
from palsykit_measure.tables import PARTS, with_bounds

INK, MUTED, RULE = "#16202a", "#5b6b77", "#d5dde2"
PANEL, MARGIN, ROW = 880, 28, 45
NAME_PX = 270
COLUMN = (PANEL - MARGIN - NAME_PX) // 3
SHEET_PX = 480


def page(face: Image.Image, one: dict[str, Any], sentences: Sequence[str]) -> Image.Image:
    """The drawn face, and beside it all its lengths, the scale and what they are not.

    Args:
        face: of ``draw_face``.
        one: the photograph's entry in the document.
        sentences: at the foot.
    """
    canvas = Image.new("RGB", (FACE_PX + PANEL, FACE_PX), "white")
    canvas.paste(face, (0, 0))
    pen, left = ImageDraw.Draw(canvas), FACE_PX + MARGIN
    shown = words.expression(one["expression"]) if one["expression"] != "unknown" else "expression unknown"
    title = ", ".join(part for part in (one["subject"], shown) if part)
    pen.text((left, 22), shortened(title, 30, PANEL - 2 * MARGIN), fill=INK, font=font(30, True))
    pen.text((left, 62), shortened(one["file"], 20, PANEL - 2 * MARGIN), fill=MUTED, font=font(20))
    top = 104
    for number, head in enumerate(("subject's right", "subject's left", "left - right")):
        pen.text((left + NAME_PX + number * COLUMN, top), head, fill=MUTED, font=font(19))
    pen.text((left, top), "mm", fill=MUTED, font=font(19))
    top += 32
    height = min(ROW, (FACE_PX - 240 - top) // max(1, len(one["measures"])))
    for name, parts in one["measures"].items():
        pen.line((left, top, FACE_PX + PANEL - MARGIN, top), fill=RULE)
        pen.text((left, top + height / 2), BY_NAME[name].words, fill=INK, font=font(19), anchor="lm")
        for number, part in enumerate(("whole",) if "whole" in parts else PARTS[:3]):
            at = (left + NAME_PX + number * COLUMN, top + height / 2)
            _cell(pen, at, parts.get(part), has_direction(name, part))
        top += height
    _foot(pen, left, top + 14, [scale_sentence(one), *one["notes"], *sentences])
    return canvas


def _cell(pen: ImageDraw.ImageDraw, at: tuple[float, float], found: dict[str, float] | None, signed: bool) -> None:
    value, _, bounds = with_bounds(found, signed).partition(" ")
    pen.text(at, value, fill=INK, font=font(23, True), anchor="lm")
    pen.text((at[0] + 68, at[1]), bounds.strip("()"), fill=MUTED, font=font(15), anchor="lm")


def _foot(pen: ImageDraw.ImageDraw, left: int, top: float, sentences: Sequence[str]) -> None:
    for sentence in sentences:
        for line in wrapped(sentence, 16, PANEL - 2 * MARGIN):
            pen.text((left, top), line, fill=MUTED, font=font(16))
            top += 21
        top += 4


def scale_sentence(one: dict[str, Any]) -> str:
    """What the mm are by."""
    scale = one["scale"]
    text = f"Scale: {SCALES[scale['by']]}"
    if scale["photograph"] != one["name"]:
        text += f", measured in {scale['photograph']}, the photograph at rest"
    return f"{text}; the pupils are then {scale['pupils_mm']:.0f} mm apart."


def wrapped(text: str, size: int, width: float) -> list[str]:
    """The text in lines of at most ``width`` px."""
    lines: list[str] = []
    for word in text.split():
        if lines and font(size).getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def shortened(text: str, size: int, width: float) -> str:
    """The text, or its beginning with three dots if it is wider than ``width`` px."""
    while text and font(size).getlength(text) > width:
        text = text.removesuffix("...")[:-1] + "..."
    return text


def sheet(subject: str, faces: Mapping[str, Image.Image], scale: str) -> Image.Image:
    """The standard eight of one person, drawn faces by expression; what was not photographed stays empty."""
    head, caption, foot = 64, 34, 62
    canvas = Image.new("RGB", (4 * SHEET_PX, head + 2 * (SHEET_PX + caption) + foot), "white")
    pen = ImageDraw.Draw(canvas)
    pen.text((MARGIN, 14), subject or "The standard eight", fill=INK, font=font(30, True))
    for number, expression in enumerate(EXPRESSIONS):
        left, top = number % 4 * SHEET_PX, head + number // 4 * (SHEET_PX + caption)
        pen.text((left + SHEET_PX / 2, top + caption / 2), words.expression(expression), fill=INK, font=font(21),
                 anchor="mm")  # fmt: skip
        if expression in faces:
            small = faces[expression].resize((SHEET_PX - 8, SHEET_PX - 8), Image.Resampling.LANCZOS)
            canvas.paste(small, (left + 4, top + caption))
        else:
            box = (left + 4, top + caption, left + SHEET_PX - 4, top + caption + SHEET_PX - 8)
            pen.rectangle(box, fill="#eef2f4")
            middle = (left + SHEET_PX / 2, top + caption + SHEET_PX / 2)
            pen.text(middle, "not photographed", fill=MUTED, font=font(21), anchor="mm")
    for line, text in enumerate((scale, SAYS_NOT)):
        pen.text((MARGIN, canvas.height - foot + 8 + 24 * line), text, fill=MUTED, font=font(17))
    return canvas
