"""The page of an audit: one HTML file that holds everything it shows; a pure function of plain data."""

import base64
import io
from dataclasses import dataclass, field

from PIL import Image

from palsykit.report import words
from palsykit.report.contents import NOT_FOR, MetricRow
from palsykit.report.contents import Picture as Pixels
from palsykit.report.html import Picture, paragraphs
from palsykit.report.plots import Distribution, distributions_in_words, distributions_svg
from palsykit.report.templates import environment

LEVELS = {"bad": "Stop.", "look": "Look.", "good": "Fine."}


@dataclass(frozen=True)
class Finding:
    """One sentence and how it is to be read: "good", "look" (somebody should look) or "bad"."""

    level: str
    text: str


@dataclass(frozen=True, eq=False)
class Tile:
    """A picture with what it is and what is to be said of it."""

    picture: Pixels
    name: str
    caption: str


@dataclass(frozen=True, eq=False)
class Strip:
    """Pictures side by side, for somebody to compare."""

    heading: str
    tiles: list[Tile]
    flagged: bool = False


@dataclass(frozen=True, eq=False)
class AuditPage:
    """A whole page.

    Attributes:
        pairs: the closest pairs by likeness, ``copies`` those by pixels, ``people`` those of real people.
        pairs_are, copies_are, people_are: what is shown of them.
        plots: distributions of scores, each a figure.
        method: paragraphs.
    """

    title: str
    findings: list[Finding]
    pairs: list[Strip]
    pairs_are: str
    copies: list[Strip]
    copies_are: str
    people: list[Strip]
    people_are: str
    plots: list[Distribution]
    metrics: list[MetricRow]
    intervals: str
    method: list[str]
    facts: dict[str, str] = field(default_factory=dict)
    attribution: str = ""


def render_audit(page: AuditPage) -> str:
    """The whole page as one valid HTML document; equal contents give equal text."""
    return (
        environment("palsykit_audit")
        .get_template("audit.html")
        .render(
            page=page,
            pairs=_addressed(page.pairs),
            copies=_addressed(page.copies),
            people=_addressed(page.people),
            plots=[_plot(plot) for plot in page.plots],
            attribution=paragraphs(page.attribution),
            levels=LEVELS,
            not_for=NOT_FOR,
            words=words,
        )
    )


def _addressed(strips: list[Strip]) -> list[dict[str, object]]:
    return [
        {
            "heading": strip.heading,
            "flagged": strip.flagged,
            "tiles": [Picture(_png(tile.picture), "", tile.name, tile.caption) for tile in strip.tiles],
        }
        for strip in strips
    ]


def _png(picture: Pixels) -> str:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def _plot(plot: Distribution) -> Picture:
    address = f"data:image/svg+xml;base64,{base64.b64encode(distributions_svg(plot).encode()).decode()}"
    return Picture(address, f"{plot.title}: {distributions_in_words(plot)}", plot.title, distributions_in_words(plot))
