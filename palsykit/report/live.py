"""The page about a training, from its first step to its end: one HTML file, complete in itself, without scripts."""

import numpy as np
from PIL import Image

from palsykit.report import words
from palsykit.report.contents import Cell, Curve, LiveContents
from palsykit.report.contents import Picture as Pixels
from palsykit.report.faces import FACE_PX, Panel, draw_sheet, png
from palsykit.report.html import Picture, address
from palsykit.report.plots import curve_in_words, curves_svg
from palsykit.report.templates import environment

AVERAGED, RAW = "averaged weights", "weights as they are"
"""What the two kinds of weights are called: the EMA, and those that the optimiser changes."""


def render_live(contents: LiveContents) -> str:
    """The page as a valid HTML document; equal contents give equal text."""
    return (
        environment()
        .get_template("live.html")
        .render(
            contents=contents,
            percent=100 * contents.step / contents.steps if contents.steps else 100,
            over_steps=_over_steps(contents) if contents.looks else None,
            last=_last(contents) if contents.people else None,
            plots=[_plot(name, curves) for name, curves in contents.plots.items()],
            words=words,
        )
    )


def _plot(name: str, curves: dict[str, Curve]) -> Picture:
    said = "; ".join(f"{label}: {curve_in_words(curve)}" for label, curve in curves.items())
    drawn = address("image/svg+xml", curves_svg(curves).encode())
    return Picture(drawn, f"Curves of {name}: {said}.", name, said)


def _last(contents: LiveContents) -> Picture:
    panels = []
    for row, raw in zip(contents.people, contents.raw, strict=True):
        truth, made = ([_small(getattr(cell, of)) for cell in row.cells] for of in ("truth", "generated"))
        rows = [("truth", truth), (AVERAGED, made), (RAW, [_small(picture) for picture in raw])]
        names = [words.expression(cell.expression) for cell in row.cells]
        captions = [_caption(cell) for cell in row.cells]
        identity = _small(row.identity)
        assert identity is not None
        panels.append(Panel("", identity, (), rows, names, captions, row.subject))
    alt = f"{len(panels)} validation people with their true photographs and the syntheses of the last look."
    return Picture(address("image/png", png(draw_sheet(panels, FACE_PX))), alt)


def _over_steps(contents: LiveContents) -> Picture:
    heads = ["truth", *(f"step {words.whole(step)}" for step, _ in contents.looks)]
    panels = []
    for number, row in enumerate(contents.over_steps):
        made = [_small(pictures[number]) for _, pictures in contents.looks]
        identity, cell = _small(row.identity), row.cells[0]
        assert identity is not None
        pictures = [("", [_small(cell.truth), *made])]
        caption = f"{words.expression(cell.expression)} · {_caption(cell)}"
        captions = (caption, *("" for _ in made))
        panels.append(Panel("", identity, heads, pictures, captions=captions, name=row.subject, headed=number == 0))
    alt = (
        f"{len(panels)} validation people, one per row, with the synthesis of the averaged weights at each step shown."
    )
    return Picture(address("image/png", png(draw_sheet(panels, FACE_PX))), alt)


def _caption(cell: Cell) -> str:
    return words.palsy(cell.side, cell.severity)


def _small(picture: Pixels | None) -> Pixels | None:
    """A picture of at most about ``FACE_PX``: the page is loaded again and again."""
    if picture is None or (factor := picture.shape[0] // FACE_PX) <= 1:
        return picture
    return np.asarray(Image.fromarray(picture).reduce(factor))


def spread(count: int, most: int) -> list[int]:
    """At most ``most`` numbers below ``count``, evenly spread, the first and the last among them."""
    if count <= most:
        return list(range(count))
    return sorted({round(i * (count - 1) / (most - 1)) for i in range(most)})
