"""Names come from strangers: recipes, people, plugins and metrics. No page runs or loads what they say."""

import base64
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from palsykit.faces.records import Rejected
from palsykit.report.card import render_card
from palsykit.report.compare import Person, render_comparison
from palsykit.report.contents import (
    Alarm,
    CardContents,
    Cell,
    Curve,
    FigureRow,
    LiveContents,
    MetricRow,
    ReportContents,
)
from palsykit.report.html import Picture, render_html
from palsykit.report.live import render_live, spread
from palsykit.report.tables import markdown
from palsykit.report.templates import markdown_text

X = (
    '</style></title><script>alert(1)</script><img src=x onerror="alert(1)">"\'><b onmouseover=alert(1)>&lt; '
    "{{7*7}} ![p](http://evil/p.png) [l](javascript:alert(1)) `code` | cell\n\n# heading\n\n- item $\\frac{1}{0}$"
)
BLACK = np.zeros((16, 16, 3), np.uint8)
METRIC = MetricRow(X, 1.0, 0.5, 1.5, 3, X, X, X, X, X)


class Tags(HTMLParser):
    """The tags of a page and their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def assert_tame(page: str, handlers: tuple[str, ...] = ()) -> None:
    """Nothing in the page runs, and it loads nothing."""
    for tag, attributes in Tags(page).found:
        assert tag not in ("script", "b", "iframe", "object", "embed", "base", "form"), tag
        for name, value in attributes.items():
            assert not name.startswith("on") or name in handlers, (tag, name)
            if name in ("src", "href"):
                assert str(value).startswith(("data:", "#")), (tag, value)
    assert "{{7*7}}" in page, "it is text, not a template"
    for picture in re.findall(r"data:image/svg\+xml;base64,([^\"]+)", page):
        drawn = ElementTree.fromstring(base64.b64decode(picture))
        for element in drawn.iter():
            assert not str(element.tag).endswith("script")
            assert not any(key.lower().startswith("on") for key in element.attrib)


def test_a_report_of_a_hostile_run_is_tame() -> None:
    contents = ReportContents(
        title=X, about=X, rows=[FigureRow(X, BLACK, [Cell(X, "left", 3.0, BLACK, BLACK)])],
        curves={X: [Curve(X, [1, 2], [1.0, 2.0])]}, metrics=[METRIC], recipe_yaml=X, facts={X: X},
        data={X: {X: {X: 1}}}, rejected=[(X, X)], notes=[X], attribution=X, licence=X, intervals=X,
    )  # fmt: skip
    assert_tame(render_html(contents))


def test_a_comparison_of_hostile_people_is_tame() -> None:
    picture = Picture("data:image/png;base64,", X, X, X)
    page = render_comparison(X, [Person(X, "data:image/png;base64,", (picture,), (X,))], [Rejected(X, X)])
    assert_tame(page, handlers=("oninput",))
    assert page.count("oninput=") == 1


def test_a_model_card_of_a_hostile_run_is_tame() -> None:
    card = render_card(CardContents(
        name=X, about=X, architecture=[X], image_size=64, parameters=1, training=[X], training_data=X, attribution=X,
        licence=X, evaluation_data=X, metrics=[METRIC], limits=[X], load=X, recipe_hash="h", seed=0,
        provenance={X: X}, sha256={X: "d"},
    ))  # fmt: skip
    assert_tame_markdown(card)
    assert sum(line.startswith("# ") for line in card.splitlines()) == 1
    code = card.split("```python\n")[1].split("```")[0]
    assert compile(code, "card", "exec")


def assert_tame_markdown(page: str) -> None:
    outside = re.sub(r"```.*?```", "", page, flags=re.DOTALL)
    assert not re.search(r"<[a-zA-Z/!]", outside)
    assert not re.search(r"(?<!\\)\]\(", outside)


def test_a_table_of_hostile_cells_is_tame() -> None:
    table = markdown([X, "b"], [[X, "0.953 (0.940 to 0.965)"]])
    assert_tame_markdown(table)
    assert len(table.splitlines()) == 3


@pytest.mark.parametrize("text", [
    "Face Research Lab London Set, CC BY 4.0 (https://figshare.com/a?b=1&c=2).", "landmark_error", "95 % of 3 x 3",
    "House-Brackmann grade IV", "plugins/palsykit_weights/points.safetensors", "0.953 (0.940 to 0.965)", "2026",
])  # fmt: skip
def test_usual_text_is_as_it_was(text: str) -> None:
    assert markdown_text(text) == text


def test_the_page_of_a_hostile_training_is_tame() -> None:
    person = FigureRow(X, BLACK, [Cell(X, "left", 3.0, BLACK, BLACK)])
    curves = {X: Curve(X, [1, 2], [1.0, 2.0]), "weights": Curve("weights", [1], [float("nan")])}
    contents = LiveContents(
        title=X, state="running", said=X, refresh=30, step=2, steps=4, alarms=[Alarm(X, X, X, X)], notes=[X], best=X,
        people=[person], raw=[[BLACK]], over_steps=[person], looks=[(1, [BLACK]), (2, [BLACK])],
        plots={X: curves}, facts={X: X},
    )  # fmt: skip
    page = render_live(contents)
    assert_tame(page)
    assert render_live(contents) == page, "equal contents give equal text"


def test_looks_are_chosen_with_the_first_and_the_last() -> None:
    assert spread(3, 8) == [0, 1, 2]
    assert spread(100, 4) == [0, 33, 66, 99]
