"""Jinja templates: those in this folder, and those of plugins, which may include them."""

import json
import re
from functools import cache

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined


@cache
def environment(package: str | None = None) -> Environment:
    """The templates' environment; ``.html`` templates are escaped, and an undefined name is an error.

    Args:
        package: a plugin whose folder ``templates`` comes first; its pages can include closing.html and metrics.html.
    """
    own = PackageLoader("palsykit.report", "templates")
    made = Environment(
        loader=own if package is None else ChoiceLoader([PackageLoader(package), own]),
        autoescape=lambda name: name is not None and name.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {"text": markdown_text, "literal": lambda text: json.dumps(str(text), ensure_ascii=False)}
    return made


def markdown_text(value: object) -> str:
    """One line of text for a Markdown page, as it is read: it makes no tag, link, picture, heading, list or table."""
    line = re.sub(r"([\\`*]|(?<!\w)_|_(?!\w))", r"\\\1", " ".join(str(value).split()))
    line = re.sub(r"^(\d+)([.)]\s)", r"\1\\\2", markdown_cell(line))
    return re.sub(r"^([#+=~-])", r"\\\1", line)


def markdown_cell(value: object) -> str:
    """Markdown for one cell of a table: it may have bold words, but makes no tag, link or further cell."""
    line = " ".join(str(value).split())
    line = re.sub(r"&(?=#?\w+;)", "&amp;", line).replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"(\||\](?=[(\[:]))", r"\\\1", line)
