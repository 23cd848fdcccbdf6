"""The page: whole, valid, escaped, and nothing from elsewhere."""

import base64
import dataclasses
import io
import re
from html.parser import HTMLParser

from PIL import Image

from palsykit.report.contents import NOT_FOR, ReportContents
from palsykit.report.faces import draw_figure
from palsykit.report.html import paragraphs, render_html

VOID = {"meta", "link", "img", "br"}


class Page(HTMLParser):
    """Reads a page and notes its elements; an element that is not closed in order is a problem."""

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.problems: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> at {self.getpos()}")

    def handle_data(self, data: str) -> None:
        self.text += data


def test_elements_close_in_order_and_ids_are_unique_and_linked(contents: ReportContents) -> None:
    page = Page(render_html(contents))
    assert page.problems == []
    assert page.open == []
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))
    links = {a["href"] for tag, a in page.elements if tag == "a"}
    assert links == {f"#{name}" for name in ids}


def test_the_page_runs_nothing_and_loads_nothing(contents: ReportContents) -> None:
    text = render_html(contents)
    page = Page(text)
    assert not {"script", "iframe", "object", "embed", "form"} & {tag for tag, _ in page.elements}
    for _, attributes in page.elements:
        for name in ("src", "href", "srcset", "action"):
            assert (attributes.get(name) or "#").startswith(("#", "data:"))
    assert "url(" not in text
    assert "@import" not in text
    assert "http" not in text


def test_every_picture_has_an_alternative_text_and_decodes(contents: ReportContents) -> None:
    pictures = [attributes for tag, attributes in Page(render_html(contents)).elements if tag == "img"]
    assert len(pictures) == 1 + 5
    assert all(picture["alt"] for picture in pictures)
    kind, encoded = (pictures[0]["src"] or "").split(",", 1)
    assert kind == "data:image/png;base64"
    assert Image.open(io.BytesIO(base64.b64decode(encoded))).size == draw_figure(contents.rows).size


def test_whatever_the_contents_say_is_escaped(contents: ReportContents) -> None:
    evil = "<script>alert('x')</script>"
    hurt = dataclasses.replace(
        contents,
        title=evil,
        about=evil,
        rows=[dataclasses.replace(contents.rows[0], subject='"' + evil)],
        curves={evil: [dataclasses.replace(curve, name=evil) for curve in contents.curves["train"]]},
        metrics=[dataclasses.replace(contents.metrics[0], name=evil, definition=evil, note=evil, unit=evil)],
        recipe_yaml=evil,
        facts={evil: evil},
        data={evil: {evil: {evil: 1}}},
        rejected=[(evil, evil)],
        notes=[evil],
        attribution=evil,
        licence=evil,
        intervals=evil,
    )
    page = Page(render_html(hurt))
    assert page.problems == []
    assert "script" not in {tag for tag, _ in page.elements}
    assert page.text.count(evil) >= 15


def test_figures_show_digits_intervals_directions_and_what_is_not_defined(contents: ReportContents) -> None:
    text = " ".join(Page(render_html(contents)).text.split())
    assert "psnr 21.7 dB 21.1 to 22.4 39 ↑ higher Peak signal-to-noise ratio." in text
    assert "landmark error not defined — 0 ↓ lower" in text
    assert "Not comparable with figures from Inception features." in text


def test_the_page_says_what_the_model_is_not_for(contents: ReportContents) -> None:
    text = Page(render_html(contents)).text
    assert all(short in text and why in text for short, why in NOT_FOR)


def test_a_run_with_next_to_nothing_still_gives_a_page(contents: ReportContents) -> None:
    bare = ReportContents("bare", "", [], {}, [], "", {})
    text = render_html(bare)
    page = Page(text)
    assert page.problems == []
    assert "has no metrics" in page.text
    assert "Nothing was trained" in page.text
    assert "Every photograph of the data set could be used." in page.text
    assert 'href="#figure"' not in text


def test_equal_contents_give_equal_pages(contents: ReportContents) -> None:
    assert render_html(contents) == render_html(contents)


def test_many_rejected_photographs_are_folded(contents: ReportContents) -> None:
    many = dataclasses.replace(contents, rejected=[(f"{i}.jpg", "no face") for i in range(50)])
    text = render_html(many)
    assert "50 photographs could not be used" in text
    assert "<details open>" not in text
    assert re.search(r"<details open>\s*<summary>1 photograph could", render_html(contents))


def test_blank_lines_separate_paragraphs() -> None:
    assert paragraphs("one\nline\n\n\n\n two ") == ["one line", "two"]
