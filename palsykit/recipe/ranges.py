"""Ranges of numbers for the annotations of a factory's keys: what lies outside is a slip, said with its line.

Without them a width of a terabyte or -1 reaches torch. Every number of a recipe is finite, and a whole one at most
``LIMIT``, whatever its annotation says. A plugin may use these ranges or write its own, such as
``Annotated[int, Field(ge=1, le=8)]``.
"""

from typing import Annotated

from pydantic import Field

LONGEST = 100
"""Most letters of a name of which a file is made."""

LIMIT = 2**63 - 1
"""Largest whole number of a recipe."""

Width = Annotated[int, Field(ge=1, le=8192)]
"""Channels, tokens, the width of a layer, a side in px."""

Layers = Annotated[int, Field(ge=1, le=100)]
"""Blocks, heads, levels."""

Scale = Annotated[float, Field(gt=0, le=64)]
"""A factor of widths."""

People = Annotated[int, Field(ge=0, le=100_000)]
"""People or photographs to make."""


def file_name(name: str) -> str:
    """Accept a name of which a folder or file is made: one that leads nowhere else.

    Raises:
        ValueError: it is empty, has a slash or a control character, begins with a dot, or is too long.
    """
    if not name.strip() or name.startswith(".") or not name.isprintable() or set(name) & set("/\\:"):
        raise ValueError("a name for a folder: text without slashes and colons that does not begin with a dot")
    if len(name.encode("utf-8", "replace")) > LONGEST:
        raise ValueError(f"a name for a folder, at most {LONGEST} letters")
    return name
