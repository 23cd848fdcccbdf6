"""The contact sheet of a bulk synthesis: one panel per person, one row per expression, from right side to left."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from palsykit.faces.vocabulary import FaceLabels, Side
from palsykit.report import words
from palsykit.report.faces import Panel, draw_sheet
from palsykit_audit.identities import Person

FACE_PX = 64
_HEADINGS = {Side.NONE: "none", Side.RIGHT: "right side", Side.LEFT: "left side", Side.BILATERAL: "both sides"}

Shown = tuple[Person, FaceLabels, NDArray[np.uint8]]


def contact_sheet(shown: Sequence[Shown]) -> Image.Image:
    """Draw the sheet: one picture per person and cell."""
    cells = sorted({_column(labels) for _, labels, _ in shown}, key=_order)
    expressions = list(dict.fromkeys(str(labels.expression) for _, labels, _ in shown))
    panels = []
    for person in dict.fromkeys(person for person, _, _ in shown):
        own = {(str(x.expression), *_column(x)): picture for p, x, picture in shown if p is person}
        rows = tuple((words.expression(e), tuple(own.get((e, *cell)) for cell in cells)) for e in expressions)
        columns = tuple(words.grade(grade) for _, grade in cells)
        panels.append(Panel(person.name, person.picture(), columns, rows, tuple(_HEADINGS[side] for side, _ in cells)))
    return draw_sheet(panels, FACE_PX, "synthetic; sides are the subject's, House-Brackmann grades as requested")


def _column(labels: FaceLabels) -> tuple[Side, float]:
    return labels.side or Side.NONE, float(labels.severity or 1)


def _order(cell: tuple[Side, float]) -> float:
    """A column's place: the right side from the highest grade down, none, the left side upwards, then both sides."""
    side, grade = cell
    return {Side.RIGHT: -grade, Side.NONE: 0.0, Side.LEFT: grade}.get(side, 10 + grade)
