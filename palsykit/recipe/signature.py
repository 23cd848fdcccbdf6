"""Read a factory's signature: core gives the positional parameters; the keyword-only ones are the recipe's keys."""

import inspect
from collections.abc import Callable, Iterable
from functools import cache
from typing import Annotated, Any, NamedTuple, NotRequired, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from palsykit.errors import PalsykitError
from palsykit.hookspecs import INTERFACES
from palsykit.recipe.annotations import readable
from palsykit.recipe.schema import PartBlock
from palsykit.registry import Entry

Missing = inspect.Parameter.empty
"""Stands for the default of a key that has none."""


class Key(NamedTuple):
    """One key of a part or block: its annotation and its default, or ``Missing``."""

    name: str
    annotation: Any
    default: Any


@cache
def keys_of(entry: Entry) -> dict[str, Key]:
    """The keys of a part in a recipe, in the order of its factory's signature.

    Raises:
        PalsykitError: the factory cannot be loaded, or its signature does not follow ``palsykit.hookspecs``; the
            message names part and plugin.
    """
    factory = entry.load()
    parameters = _parameters(entry, factory)
    _check_positional(entry, parameters)
    return {
        parameter.name: _key(entry, parameter)
        for parameter in parameters
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }


def _parameters(entry: Entry, factory: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(factory, eval_str=True).parameters.values())
    except NameError as error:
        step = "import the names in its annotations at run time, not under TYPE_CHECKING"
        raise PalsykitError(f"{entry}: an annotation of its factory cannot be read ({error}); {step}") from error
    except (ValueError, TypeError, AttributeError, SyntaxError) as error:
        raise PalsykitError(f"{entry}: the signature of its factory cannot be read ({error})") from error


def _check_positional(entry: Entry, parameters: list[inspect.Parameter]) -> None:
    expected = INTERFACES[entry.interface].positional
    if any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in parameters):
        return
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    actual = [parameter.name for parameter in parameters if parameter.kind in kinds]
    if len(actual) != len(expected):
        step = "make the recipe's keys keyword-only: write them after `*`"
        message = f"its factory takes ({', '.join(actual)}), core gives ({', '.join(expected)})"
        raise PalsykitError(f"{entry}: {message}; {step}")


def _key(entry: Entry, parameter: inspect.Parameter) -> Key:
    annotation = Any if parameter.annotation is inspect.Parameter.empty else parameter.annotation
    key = Key(parameter.name, annotation, parameter.default)
    try:
        model([key])
    except Exception as error:  # pydantic raises many types for annotations that it cannot validate
        words = str(error).splitlines()[0]
        raise PalsykitError(f"{entry}: key {parameter.name}: {annotation} cannot be validated ({words})") from error
    return key


@cache
def fields_of(kind: type[BaseModel]) -> dict[str, Key]:
    """The keys of a block that the schema defines; ``parameters`` has those of the part."""
    keys = {}
    for name, about in kind.model_fields.items():
        annotation: Any = Annotated[(about.annotation, *about.metadata)] if about.metadata else about.annotation
        keys[name] = Key(name, annotation, Missing if about.is_required() else about.default)
    return {name: key for name, key in keys.items() if name not in ("use", "parameters")}


@cache
def model_of(kind: type[BaseModel], entry: Entry | None = None) -> TypeAdapter[dict[str, Any]]:
    """The validator of a block: the schema's ``kind`` and, for a part, the keys of its factory.

    Raises:
        PalsykitError: as in ``keys_of``.
    """
    keys = (keys_of(entry) if entry else {}) | fields_of(kind)
    if not issubclass(kind, PartBlock):
        return model(keys.values())
    return model([Key("use", Annotated[Any, AfterValidator(_usable)], ""), *keys.values()], open=entry is None)


def _usable(use: Any) -> Any:
    """Accept a part's name. A name that cannot be used arrives as an error; raise it."""
    if isinstance(use, ValidationError):
        raise use
    return use


def model(keys: Iterable[Key], open: bool = False) -> TypeAdapter[dict[str, Any]]:
    """The validator of a mapping with these keys; refuses other keys unless ``open``.

    It is a TypedDict, because its keys may have any name; a BaseModel's must not be one of its attributes. It does not
    fill in defaults: a factory's default may name a file or a network and is validated like any value.
    """
    fields: Any = {key.name: readable(key.annotation, key.name) for key in keys}
    optional = {key.name for key in keys if key.default is not Missing}
    fields |= {name: NotRequired[fields[name]] for name in optional}
    block = cast(Any, TypedDict)("block", fields)
    extra: Any = "ignore" if open else "forbid"
    block.__pydantic_config__ = ConfigDict(strict=True, extra=extra, arbitrary_types_allowed=True)
    return TypeAdapter(block)
