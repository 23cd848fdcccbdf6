"""Draws the measured face: points, lines and lengths on the photograph, readable at arm's length."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from palsykit.faces.alignment import FRAME, similarity
from palsykit.faces.landmarks import COMMISSURES, INNER_CORNERS, LEFT_BROW, OUTER_CORNERS, RIGHT_BROW
from palsykit.faces.measures import eye_middles, in_face_axes
from palsykit.photographs.frame import warp
from palsykit_measure.lengths import Face
from palsykit_measure.results import Result

FACE_PX = 1000
"""Side of the drawn face in px."""
FINE = 2
"""Lines are drawn so many times larger, then reduced."""
ZOOM, CENTRE = 1.22, (0.5, 0.54)
"""The part of the face frame that is drawn, from the forehead to the chin, turned so that the eyes are level."""

LINE, BROW, LIDS, MOUTH, MOVED = "#ffffff", "#ffd23f", "#5ce1ff", "#ff9f5c", "#9dff7a"
SHADE = "#101820"
_BROWS = [*RIGHT_BROW], [*LEFT_BROW]
_SIGNS = -1.0, 1.0

Points = NDArray[np.float64]


@dataclass(frozen=True)
class _Axes:
    """The face's own axes in px of the drawing."""

    origin: Points
    across: Points
    down: Points

    @classmethod
    def of(cls, points: Points) -> "_Axes":
        eyes = eye_middles(points)
        across = (eyes[1] - eyes[0]) / np.linalg.norm(eyes[1] - eyes[0])
        down = np.array([-across[1], across[0]])
        foot = points[list(INNER_CORNERS)].mean(0)
        return cls(foot - down * ((foot - eyes[0]) @ down), across, down)

    def at(self, across: float, down: float) -> tuple[float, float]:
        """The place so many px to the subject's left of the midline and below the line of the eyes."""
        x, y = self.origin + self.across * across + self.down * down
        return float(x), float(y)

    def place(self, point: Points) -> tuple[float, float]:
        """(across, down) of a place."""
        apart = point - self.origin
        return float(apart @ self.across), float(apart @ self.down)


class _Pen:
    """Draws on a picture of ``FINE`` times the size."""

    def __init__(self, canvas: Image.Image, letters: float):
        self.draw, self.unit, self.letters = ImageDraw.Draw(canvas), canvas.width / FACE_PX, letters

    def line(self, a: tuple[float, float], b: tuple[float, float], colour: str, width: float = 2.5) -> None:
        """A line with a dark rim, so that it is seen on skin of any tone."""
        for rim, shade in ((2.0, SHADE), (0.0, colour)):
            self.draw.line([a, b], fill=shade, width=round((width + rim) * self.unit))

    def dot(self, at: tuple[float, float], colour: str, radius: float = 3.0) -> None:
        for rim, shade in ((1.5, SHADE), (0.0, colour)):
            r = (radius + rim) * self.unit
            self.draw.ellipse((at[0] - r, at[1] - r, at[0] + r, at[1] + r), fill=shade)

    def text(self, at: tuple[float, float], text: str, colour: str, anchor: str = "mm", size: int = 25) -> None:
        style = font(round(size * self.unit * self.letters), True)
        self.draw.text(at, text, fill=colour, font=style, anchor=anchor, stroke_width=round(3 * self.unit),
                       stroke_fill=SHADE)  # fmt: skip


@cache
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu comes with matplotlib: the same letters on every machine."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name), size)


def draw_face(picture: Image.Image, result: Result, lengths: dict[str, Any], letters: float = 1.0) -> Image.Image:
    """The face, upright, with its points, lines and lengths in mm; ``FACE_PX`` square.

    Args:
        picture: the upright photograph.
        result: what was measured in it.
        lengths: its measures, as in the document.
        letters: size of the numbers, for a face that is shown smaller.
    """
    side = FACE_PX * FINE
    view = _view(result.face.landmarks) * FINE
    shown = Image.fromarray(warp(picture, view, side))
    points = result.face.landmarks @ view[:, :2].T + view[:, 2]
    mm = result.face.px_per_mm * float(np.sqrt(abs(np.linalg.det(view[:, :2]))))
    pen, axes = _Pen(shown, letters), _Axes.of(points)
    _axes(pen, axes, points)
    for point in points[17:]:
        pen.dot(tuple(point), LINE, 2.0)
    for half in (0, 1):
        _brow(pen, axes, points, half, lengths)
        _lids(pen, axes, points, half, lengths, mm)
        _corner(pen, axes, points, half, lengths)
        if result.face.rest is not None:
            _excursion(pen, axes, points, half, lengths, result.face, mm)
    _philtrum(pen, axes, points, lengths)
    _names(pen, side, mm)
    return shown.reduce(FINE)


def _view(landmarks: Points) -> Points:
    """[2, 3], px of the photograph -> px of the drawing."""
    eyes = eye_middles(landmarks)
    level = FRAME[:2].copy()
    level[:, 1] = FRAME[:2, 1].mean()
    return similarity(eyes, ((level - CENTRE) * ZOOM + 0.5) * FACE_PX)


def _shown(lengths: dict[str, Any], name: str, half: int | None) -> str:
    part = "whole" if half is None else ("right", "left")[half]
    found = lengths.get(name, {}).get(part)
    return "" if found is None else f"{round(found['value'], 1) + 0.0:.1f}"


def _axes(pen: _Pen, axes: _Axes, points: Points) -> None:
    """The line of the eyes and the midline."""
    reach = [axes.place(points[corner])[0] for corner in OUTER_CORNERS]
    margin = 0.35 * (reach[1] - reach[0]) / 2
    pen.line(axes.at(reach[0] - margin, 0), axes.at(reach[1] + margin, 0), LINE, 1.2)
    top, foot = (axes.place(points[i])[1] for i in (19, 8))
    pen.line(axes.at(0, min(top, -margin)), axes.at(0, foot), LINE, 1.2)


def _brow(pen: _Pen, axes: _Axes, points: Points, half: int, lengths: dict[str, Any]) -> None:
    across, down = np.mean([axes.place(point) for point in points[_BROWS[half]]], axis=0)
    pen.line(axes.at(across, 0), axes.at(across, down), BROW)
    pen.dot(axes.at(across, down), BROW)
    pen.text(axes.at(across, down - 34 * pen.unit), _shown(lengths, "brow_height", half), BROW)


def _lids(pen: _Pen, axes: _Axes, points: Points, half: int, lengths: dict[str, Any], mm: float) -> None:
    """The fissure at the middle of the lids; its number lies beside the outer corner."""
    name = "lid_gap" if "lid_gap" in lengths else "palpebral_fissure"
    upper = points[[37, 38] if half == 0 else [43, 44]]
    lower = points[[40, 41] if half == 0 else [46, 47]]
    across, down = np.mean([axes.place(point) for point in (*upper, *lower)], axis=0)
    height = lengths.get(name, {}).get(("right", "left")[half], {}).get("value", 0.0) * mm / 2
    for end in (-height, height):
        pen.line(axes.at(across - 9 * pen.unit, down + end), axes.at(across + 9 * pen.unit, down + end), LIDS)
    pen.line(axes.at(across, down - height), axes.at(across, down + height), LIDS)
    outside = axes.place(points[OUTER_CORNERS[half]])[0] + _SIGNS[half] * 40 * pen.unit
    pen.text(axes.at(outside, down + 22 * pen.unit), _shown(lengths, name, half), LIDS)


def _corner(pen: _Pen, axes: _Axes, points: Points, half: int, lengths: dict[str, Any]) -> None:
    """The corner below the line of the eyes and beside the midline."""
    across, down = axes.place(points[COMMISSURES[half]])
    pen.line(axes.at(across, 0), axes.at(across, down), MOUTH, 2.0)
    pen.line(axes.at(0, down), axes.at(across, down), MOUTH, 2.0)
    pen.dot(axes.at(across, down), MOUTH, 4.0)
    outside = across + _SIGNS[half] * 42 * pen.unit
    pen.text(axes.at(outside, 0.55 * down), _shown(lengths, "corner_depth", half), MOUTH)
    below = axes.place(points[57])[1] + 42 * pen.unit
    pen.text(axes.at(0.62 * across, below), _shown(lengths, "corner_lateral", half), MOUTH)


def _excursion(
    pen: _Pen, axes: _Axes, points: Points, half: int, lengths: dict[str, Any], face: Face, mm: float
) -> None:
    """From the corner's place at rest to where it is."""
    assert face.rest is not None
    before = in_face_axes(face.rest.landmarks, face.rest.px_per_mm)[COMMISSURES[half]] * mm
    across, down = axes.place(points[COMMISSURES[half]])
    # both from the middle of the inner corners, which lies close to the line of the eyes
    foot = axes.place(points[list(INNER_CORNERS)].mean(0))[1]
    start = axes.at(float(before[0]), float(before[1]) + foot)
    pen.line(start, axes.at(across, down), MOVED, 3.0)
    pen.dot(start, MOVED, 3.0)
    outside = across + _SIGNS[half] * 52 * pen.unit
    pen.text(axes.at(outside, down + 6 * pen.unit), _shown(lengths, "corner_excursion", half), MOVED, size=28)


def _philtrum(pen: _Pen, axes: _Axes, points: Points, lengths: dict[str, Any]) -> None:
    across, down = axes.place(points[51])
    pen.line(axes.at(0, down), axes.at(across, down), MOUTH)
    pen.dot(axes.at(across, down), MOUTH)
    value = lengths.get("philtrum_deviation", {}).get("whole", {}).get("value")
    if value is not None and abs(value) >= 0.05:
        text = f"{abs(value):.1f} to {'left' if value > 0 else 'right'}"
        pen.text(axes.at(0, down - 30 * pen.unit), text, MOUTH, size=20)


def _names(pen: _Pen, side: int, mm: float) -> None:
    """Whose side is where, and how long 10 mm are."""
    edge = 18 * pen.unit
    pen.text((edge, edge), "subject's RIGHT", LINE, "lt", 24)
    pen.text((side - edge, edge), "subject's LEFT", LINE, "rt", 24)
    foot = side - 26 * pen.unit
    pen.line((edge, foot), (edge + 10 * mm, foot), BROW, 5.0)
    pen.text((edge, foot - 10 * pen.unit), "10 mm", BROW, "lb", 24)
