"""Jinja templates: those in this folder, and those of plugins, which may include them."""

from functools import cache

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined


@cache
def environment(package: str | None = None) -> Environment:
    """The templates' environment; ``.html`` templates are escaped, and an undefined name is an error.

    Args:
        package: a plugin whose folder ``templates`` comes first; its pages can include closing.html and metrics.html.
    """
    own = PackageLoader("palsykit.report", "templates")
    return Environment(
        loader=own if package is None else ChoiceLoader([PackageLoader(package), own]),
        autoescape=lambda name: name is not None and name.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
