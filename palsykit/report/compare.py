"""A page that shows photographs and their syntheses, before and after, with a slider; one HTML file."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from palsykit.faces.records import Rejected
from palsykit.report.html import Picture, address
from palsykit.report.templates import environment

SHOWN_PX = 640
"""Longer side of a picture on the page."""


@dataclass(frozen=True)
class Person:
    """One person on the page.

    Attributes:
        name: heading.
        before: data URL of the photograph.
        pictures: the syntheses.
        notes: what was noticed about the photograph.
    """

    name: str
    before: str
    pictures: tuple[Picture, ...]
    notes: tuple[str, ...] = ()


def picture_address(picture: Image.Image) -> str:
    """A picture as a data URL, at most ``SHOWN_PX`` px."""
    shown = picture.convert("RGB")
    shown.thumbnail((SHOWN_PX, SHOWN_PX), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    shown.save(file, "JPEG", quality=90)
    return address("image/jpeg", file.getvalue())


def render_comparison(title: str, people: Sequence[Person], rejected: Sequence[Rejected] = ()) -> str:
    """The page as a valid HTML document; equal contents give equal text."""
    return environment().get_template("compare.html").render(title=title, people=people, rejected=rejected)
