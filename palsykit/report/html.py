"""The report: one HTML file, complete in itself, without scripts."""

import base64
from dataclasses import dataclass

from palsykit.report import words
from palsykit.report.contents import NOT_FOR, Curve, FigureRow, ReportContents
from palsykit.report.faces import BESIDE_COLUMNS, draw_figure, figure_alt, figure_columns, png
from palsykit.report.plots import curve_in_words, curve_svg
from palsykit.report.templates import environment


@dataclass(frozen=True)
class Picture:
    """A picture of the page: its data URL, its alternative text and, for plots, its name and caption."""

    address: str
    alt: str
    name: str = ""
    caption: str = ""


def render_html(contents: ReportContents) -> str:
    """The report as a valid HTML document; equal contents give equal text."""
    template = environment().get_template("report.html")
    return template.render(
        contents=contents,
        about=paragraphs(contents.about),
        attribution=paragraphs(contents.attribution),
        figure=_figure(contents.rows) if contents.rows else None,
        figure_is_wide=len(figure_columns(contents.rows)) > BESIDE_COLUMNS,
        curves={name: [_curve(name, curve) for curve in curves] for name, curves in contents.curves.items() if curves},
        counts={name: (_columns(table), table) for name, table in contents.data.items() if table},
        not_for=NOT_FOR,
        words=words,
    )


def paragraphs(text: str) -> list[str]:
    """``text`` split at blank lines, each paragraph on one line."""
    return [" ".join(block.split()) for block in text.split("\n\n") if block.strip()]


def _figure(rows: list[FigureRow]) -> Picture:
    return Picture(address("image/png", png(draw_figure(rows))), figure_alt(rows))


def _curve(training: str, curve: Curve) -> Picture:
    spoken = curve_in_words(curve)
    picture = address("image/svg+xml", curve_svg(curve).encode())
    return Picture(picture, f"Curve of {curve.name} in {training}: {spoken}.", curve.name, spoken)


def _columns(table: dict[str, dict[str, int]]) -> list[str]:
    return list(dict.fromkeys(column for row in table.values() for column in row))


def address(kind: str, content: bytes) -> str:
    """A file as a data URL."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
