"""The templates beside this file."""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined


@cache
def environment() -> Environment:
    """Escapes everything in ``.html`` templates; a name that a template does not find is an error."""
    return Environment(
        loader=PackageLoader("palsykit.report", "templates"),
        autoescape=lambda name: name is not None and name.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
