"""Values of a recipe: text and mappings that know their place in it, and conversion to plain YAML values."""

from enum import Enum
from pathlib import Path
from typing import Any

from palsykit.recipe.problems import KeyPath
from palsykit.recipe.schema import Block, PartBlock


class WrittenText(str):
    """Text that knows its place in the recipe, so that a relative path starts at the right folder."""

    path: KeyPath = ()


class WrittenMapping(dict[str, Any]):
    """A mapping that knows its place in the recipe."""

    path: KeyPath = ()


class WrittenPath(type(Path())):  # type: ignore[misc]  # Path itself can be derived from in Python 3.12
    """A file that a recipe names, with the text for the resolved recipe."""

    text: str


def placed(value: Any, path: KeyPath) -> Any:
    """Copy ``value``; its text and mappings remember their place, starting at ``path``."""
    if isinstance(value, str):
        text = WrittenText(value)
        text.path = path
        return text
    if isinstance(value, dict):
        mapping = WrittenMapping({key: placed(item, (*path, key)) for key, item in value.items()})
        mapping.path = path
        return mapping
    if isinstance(value, list):
        return [placed(item, (*path, index)) for index, item in enumerate(value)]
    return value


def bare(value: Any) -> Any:
    """``value`` without the places added by ``placed``."""
    if isinstance(value, WrittenText):
        return str(value)
    if isinstance(value, dict):
        return {key: bare(item) for key, item in value.items()}
    return [bare(item) for item in value] if isinstance(value, list) else value


def plain(value: Any) -> Any:
    """Convert a value to plain YAML values: mappings, lists, text, numbers, true, false and null.

    Raises:
        TypeError: it cannot be converted.
    """
    if isinstance(value, Enum):
        return plain(value.value)
    if value is None or isinstance(value, bool):
        return value
    for kind in (str, int, float):
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, Path):
        return str(getattr(value, "text", value))
    if isinstance(value, PartBlock):
        own = {name: plain(item) for name, item in value if name != "parameters"}
        return own | plain(value.parameters)
    if isinstance(value, Block):
        return {name: plain(item) for name, item in value}
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(plain(item) for item in value)
    raise TypeError(f"{value!r} of type {type(value).__name__} cannot be written in a recipe")
