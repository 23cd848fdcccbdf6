"""A parameter's annotation -> a strict pydantic check of what a recipe may write for it.

Strict means that "4" and true are no integers; an integer serves for a float, a list for a tuple, a name for an
Enum. Three kinds of annotation are more than values: ``Path`` is a file, ``Network`` the name of an entry of
``networks``, and every other protocol of ``palsykit.interfaces`` a part of its own, ``{use: ...}``.
"""

from collections.abc import Callable
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Protocol, Union, get_args, get_origin

from pydantic import BeforeValidator, ConfigDict, PlainValidator, Strict, TypeAdapter, ValidationError, ValidationInfo
from pydantic.errors import PydanticUserError

from palsykit.hookspecs import TABLE
from palsykit.recipe.problems import KeyPath

PARTS = {(row.home, protocol): row.name for row in TABLE for protocol in row.protocols}
"""(module, protocol) -> registry group; told by name, so that core need not import torch to read a recipe."""

NETWORKS = {("palsykit.interfaces", "Network"), ("palsykit.networks", "SharedNetwork")}


class Reading(Protocol):
    """What becomes of the special kinds; each raises ValueError with words for the user."""

    def file(self, text: str) -> Any: ...

    def network(self, written: Any) -> Any: ...

    def part(self, interface: str, written: Any) -> Any: ...


class WrittenText(str):
    """Text that knows its place in the recipe, so that a path in it starts from the right folder."""

    path: KeyPath = ()


class WrittenMapping(dict[str, Any]):
    """A mapping that knows its place in the recipe."""

    path: KeyPath = ()


def adapter(annotation: Any) -> TypeAdapter[Any]:
    """The check of one parameter.

    Raises:
        TypeError: pydantic cannot check such an annotation; the plugin's author must change it.
    """
    config = ConfigDict(strict=True, arbitrary_types_allowed=True)
    try:
        return TypeAdapter(_readable(annotation), config=config)
    except PydanticUserError as error:
        if error.code == "type-adapter-config-unused":  # a pydantic model or a dataclass brings its own
            return TypeAdapter(_readable(annotation))
        raise TypeError(str(error).splitlines()[0]) from error


def read(check: TypeAdapter[Any], written: Any, reading: Reading) -> Any:
    """The value of ``written``, special kinds as ``reading`` makes them.

    Raises:
        pydantic.ValidationError: it is not what the annotation says.
    """
    return check.validate_python(written, context=reading)


def plain(value: Any) -> Any:
    """A value as YAML holds it: mappings, lists, text, numbers, true, false and null.

    Raises:
        TypeError: it has no such form.
    """
    if isinstance(value, Enum):
        return plain(value.value)
    if value is None or isinstance(value, bool):
        return value
    for kind in (str, int, float):
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(plain(item) for item in value)
    raise TypeError(f"{value!r} of type {type(value).__name__} cannot be written in a recipe")


def is_special(annotation: Any) -> bool:
    """Whether ``annotation`` is, or holds, a file, a network or a part."""
    if annotation is Path or _is_network(annotation) or _interface(annotation) is not None:
        return True
    return any(is_special(inner) for inner in get_args(annotation))


def complaints(error: ValidationError, written: Any) -> list[tuple[KeyPath, Any, str]]:
    """(path below the parameter, what is there, what was expected), the members of a union in one."""
    found: dict[KeyPath, list[str]] = {}
    for item in error.errors(include_url=False):
        path = _real_path(item["loc"], written)
        words = _expected(item["type"], item["msg"], item.get("ctx", {}))
        if words not in found.setdefault(path, []):
            found[path].append(words)
    # of a union's members, the one whose shape fits says more: keep the deeper complaint
    deepest = [path for path in found if not any(path != other and other[: len(path)] == path for other in found)]
    return [(path, _at(written, path), " or ".join(found[path])) for path in deepest]


def _readable(annotation: Any) -> Any:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is Path:
        return _special(lambda reading, value: reading.file(_text(value, "a file's path")))
    if _is_network(annotation):
        return _special(lambda reading, value: reading.network(value))
    interface = _interface(annotation)
    if interface is not None:
        return _special(lambda reading, value: reading.part(interface, value))
    if annotation in (tuple, set, frozenset) or (isinstance(annotation, type) and issubclass(annotation, Enum)):
        return Annotated[annotation, Strict(False)]
    if origin is Literal:
        return Annotated[annotation, BeforeValidator(_no_stray_bool(arguments))]
    if origin is None:
        return annotation
    if origin is Annotated:
        return Annotated[(_readable(arguments[0]), *arguments[1:])]
    if origin in (Union, UnionType):
        if any(_is_network(member) for member in arguments):
            arguments = tuple(member for member in arguments if member is not str)  # the name, which Network reads
        return Union[tuple(_readable(member) for member in arguments)]  # noqa: UP007 (members are known at run time)
    inner = tuple(member if member is ... else _readable(member) for member in arguments)
    generic = origin[inner]
    return Annotated[generic, Strict(False)] if origin in (tuple, set, frozenset) else generic


def _special(make: Callable[[Reading, Any], Any]) -> Any:
    def validate(value: Any, info: ValidationInfo) -> Any:
        if info.context is None:
            raise ValueError("a value that a reading makes")
        return make(info.context, value)

    return Annotated[Any, PlainValidator(validate)]


def _no_stray_bool(members: tuple[Any, ...]) -> Callable[[Any], Any]:
    """To Python true equals 1, so that pydantic takes it for Literal[1]."""

    def check(value: Any) -> Any:
        if isinstance(value, bool) and not any(isinstance(member, bool) for member in members):
            raise ValueError(" or ".join(map(repr, members)))
        return value

    return check


def _text(value: Any, expected: str) -> str:
    if not isinstance(value, str):
        raise ValueError(expected)
    return value


def _is_network(annotation: Any) -> bool:
    return _origin(annotation) in NETWORKS


def _interface(annotation: Any) -> str | None:
    return PARTS.get(_origin(annotation))


def _origin(annotation: Any) -> tuple[str, str]:
    return (annotation.__module__, annotation.__name__) if isinstance(annotation, type) else ("", "")


def placed(value: Any, path: KeyPath) -> Any:
    """``value`` with its text and mappings knowing that they stand at ``path``."""
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


def _real_path(loc: tuple[int | str, ...], written: Any) -> KeyPath:
    """pydantic's location without the names it gives to a union's members."""
    path: KeyPath = ()
    for part in loc:
        if isinstance(written, dict) and part in written:
            written = written[str(part)]
        elif isinstance(written, list | tuple) and isinstance(part, int) and part < len(written):
            written = written[part]
        else:
            continue
        path = (*path, part)
    return path


def _at(value: Any, path: KeyPath) -> Any:
    for part in path:
        value = value[part]
    return value


WORDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "none_required": "null",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
}


def _expected(kind: str, message: str, context: dict[str, Any]) -> str:
    if kind in WORDS:
        return WORDS[kind].format(**context)
    if kind == "value_error":
        return str(context["error"])
    words = message.removeprefix("Input should be ").removeprefix("Value should have ")
    return words[:1].lower() + words[1:]
