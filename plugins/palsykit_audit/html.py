"""The page of an audit: one self-contained HTML file, a pure function of plain data."""

from dataclasses import dataclass, field

from PIL import Image

from palsykit.report import words
from palsykit.report.contents import NOT_FOR, MetricRow
from palsykit.report.contents import Picture as Pixels
from palsykit.report.faces import png
from palsykit.report.html import Picture, address, paragraphs
from palsykit.report.templates import environment
from palsykit_audit.plots import Distribution, distributions_in_words, distributions_svg

LEVELS = {"bad": "Do not release.", "look": "Check.", "good": "Passed."}
"""A finding's level -> what its reader should do."""


@dataclass(frozen=True)
class Finding:
    """One sentence and its level: "good", "look" (needs checking) or "bad" (must not be released)."""

    level: str
    text: str


@dataclass(frozen=True, eq=False)
class Tile:
    """A picture, what it is, and its caption."""

    picture: Pixels
    name: str
    caption: str


@dataclass(frozen=True, eq=False)
class Strip:
    """Pictures side by side, to be compared by eye."""

    heading: str
    tiles: list[Tile]
    flagged: bool = False


@dataclass(frozen=True)
class AttackFacts:
    """A membership attack, as the page describes it.

    Attributes:
        name: "loss" or "distance".
        members, others: number of photographs in each group.
        split: of the others.
        alarms: share of false alarms that "caught" allows.
        by_step: time step -> AUC.
    """

    name: str
    members: int
    others: int
    split: str
    alarms: float
    by_step: dict[str, float]


@dataclass(frozen=True)
class Method:
    """The numbers in the page's description of the method; ``attack`` is None if there was none."""

    threshold: float
    quantile: float
    separation: float
    copy_limit: float
    attack: AttackFacts | None


@dataclass(frozen=True, eq=False)
class AuditPage:
    """A whole page.

    Attributes:
        pairs: the closest pairs by likeness; ``copies`` those by pixels, ``people`` those of real people.
        plots: distributions of scores, one figure each.
    """

    title: str
    findings: list[Finding]
    pairs: list[Strip]
    copies: list[Strip]
    people: list[Strip]
    plots: list[Distribution]
    metrics: list[MetricRow]
    method: Method
    facts: dict[str, str] = field(default_factory=dict)
    attribution: str = ""


def render_audit(page: AuditPage) -> str:
    """The page as one valid HTML document; equal contents give equal text."""
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
            "tiles": [
                Picture(address("image/png", png(Image.fromarray(tile.picture))), "", tile.name, tile.caption)
                for tile in strip.tiles
            ],
        }
        for strip in strips
    ]


def _plot(plot: Distribution) -> Picture:
    spoken, svg = distributions_in_words(plot), distributions_svg(plot).encode()
    return Picture(address("image/svg+xml", svg), f"{plot.title}: {spoken}", plot.title, spoken)
