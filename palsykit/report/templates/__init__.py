"""The templates beside this file, and those of a plugin that include them."""

from functools import cache

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined


@cache
def environment(package: str | None = None) -> Environment:
    """Escapes everything in ``.html`` templates; a name that a template does not find is an error.

    Args:
        package: whose folder ``templates`` is looked in first; its pages can include closing.html and metrics.html.
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
