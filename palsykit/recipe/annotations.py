"""Translate a parameter's annotation into a type with which pydantic validates a recipe's value.

Validation is strict: "4" and true are not integers. But an integer is valid for a float, a list for a tuple, and a
name for an Enum. Four kinds of annotation are special: ``Path`` is a file, ``Network`` the name of an entry of
``networks``, the protocol of an interface a nested part ``{use: ...}``, and a model of ``palsykit.recipe.schema`` a
block. The validation's context handles them with its methods ``file``, ``network``, ``part`` and ``block``. These
raise ValueError with a text for the user.
"""

import math
import re
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import AfterValidator, BeforeValidator, PlainValidator, Strict, Tag, ValidationInfo

from palsykit.hookspecs import TABLE
from palsykit.recipe.problems import MEMBER, describe, refused
from palsykit.recipe.ranges import LIMIT
from palsykit.recipe.schema import Block, PartBlock
from palsykit.recipe.values import bare

PARTS = {(row.home, protocol): row.name for row in TABLE for protocol in row.protocols}
"""(module, protocol) -> registry group. By name, so that reading a recipe does not import torch."""

NETWORKS = {("palsykit.interfaces", "Network"), ("palsykit.networks", "SharedNetwork")}

ENTRY = re.compile(r"[^\W\d_][\w-]{0,99}")
"""A name of a network, condition, map or metric: files and modules are called by it."""

SECTIONS = {row.section: row.name for row in TABLE if row.section}
"""A field of the schema that contains parts -> their registry group."""


def readable(annotation: Any, section: str = "") -> Any:
    """The type that pydantic validates instead of ``annotation``; ``section``: the schema's field with the block."""
    if (special := _special(annotation, section)) is not None:
        return special
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is Any:
        return Annotated[Any, AfterValidator(bare)]
    if annotation in (int, float):
        return Annotated[annotation, AfterValidator(_bounded)]
    if annotation in (tuple, set, frozenset) or (isinstance(annotation, type) and issubclass(annotation, Enum)):
        return Annotated[annotation, Strict(False)]
    if origin is Literal:
        return Annotated[annotation, BeforeValidator(_no_stray_bool(arguments))]
    if origin is None:
        return annotation
    if origin is Annotated and arguments[0] in (int, float):
        return Annotated[(*arguments, AfterValidator(_bounded))]
    if origin is Annotated:
        return Annotated[(readable(arguments[0], section), *arguments[1:])]
    if origin in (Union, UnionType):
        if any(_origin(member) in NETWORKS for member in arguments):
            arguments = tuple(member for member in arguments if member is not str)  # a name, read by Network
        return Union[tuple(_member(member, section) for member in arguments)]  # noqa: UP007 (known at run time)
    if origin is dict and is_block(arguments[-1]):
        entry: Any = _special(arguments[-1], section, entry=True)
        named_files = getattr(arguments[-1], "named_files", True)
        return Annotated[dict[str, entry], BeforeValidator(_names if named_files else _mapping)]
    inner = tuple(member if member is ... else readable(member, section) for member in arguments)
    generic = origin[inner]
    return Annotated[generic, Strict(False)] if origin in (tuple, set, frozenset) else generic


def is_special(annotation: Any) -> bool:
    """Whether ``annotation`` is or contains a file, a network or a part."""
    return _special(annotation) is not None or any(is_special(inner) for inner in get_args(annotation))


def is_block(annotation: Any) -> bool:
    """Whether ``annotation`` is a block of the schema."""
    return isinstance(annotation, type) and issubclass(annotation, Block | PartBlock)


def takes_null(annotation: Any) -> bool:
    """Whether null is a valid value for ``annotation``."""
    if get_origin(annotation) in (Union, UnionType, Annotated):
        return any(takes_null(member) for member in get_args(annotation))
    return annotation in (Any, None, NoneType, object)


def _special(annotation: Any, section: str = "", entry: bool = False) -> Any:
    """The type for a file, network, part or block; None for others. ``entry``: it is a value of a mapping."""
    if annotation is Path:
        return _validated(lambda reading, value: reading.file(_text(value)))
    if _origin(annotation) in NETWORKS:
        return _validated(lambda reading, value: reading.network(value))
    if (interface := PARTS.get(_origin(annotation))) is not None:
        return _validated(lambda reading, value: reading.part(interface, value, PartBlock))
    if not is_block(annotation):
        return None
    if issubclass(annotation, PartBlock):
        return _validated(lambda reading, value: reading.part(SECTIONS[section], value, annotation), entry)
    return _validated(lambda reading, value: reading.block(annotation, value), entry)


def _validated(make: Callable[[Any, Any], Any], entry: bool = False) -> Any:
    def validate(value: Any, info: ValidationInfo) -> Any:
        if entry and value is None:
            raise refused("null", "a part, or nothing", "no parent recipe has an entry of this name to remove")
        return make(info.context, value)

    return Annotated[Any, PlainValidator(validate)]


def _member(annotation: Any, section: str) -> Any:
    return annotation if annotation is NoneType else Annotated[readable(annotation, section), Tag(MEMBER)]


def _no_stray_bool(members: tuple[Any, ...]) -> Callable[[Any], Any]:
    """Refuse true for Literal[1]: in Python they are equal, so pydantic accepts it."""

    def check(value: Any) -> Any:
        if isinstance(value, bool) and not any(isinstance(member, bool) for member in members):
            raise ValueError(" or ".join(map(repr, members)))
        return value

    return check


def _bounded(value: float) -> float:
    """Refuse numbers that no calculation bears: infinity, not a number, and integers that no C library takes."""
    if isinstance(value, int) and abs(value) > LIMIT:
        raise ValueError(f"a whole number from -{LIMIT} to {LIMIT}")
    if not math.isfinite(value):
        raise ValueError("a finite number")
    return value


def _mapping(value: Any) -> Any:
    if not isinstance(value, dict):
        raise ValueError("a mapping of names")
    return value


def _names(value: Any) -> Any:
    for name in _mapping(value):
        if not ENTRY.fullmatch(name):
            expected = "a name of letters, digits, - and _, which begins with a letter: files are called by it"
            raise refused(describe(name), expected, at=(name,))
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a file's path")
    return value


def _origin(annotation: Any) -> tuple[str, str]:
    return (annotation.__module__, annotation.__name__) if isinstance(annotation, type) else ("", "")
