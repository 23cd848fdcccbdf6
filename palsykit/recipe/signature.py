"""A factory's signature: positional parameters come from core, keyword-only ones are the recipe's keys."""

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
"""The default of a key that has none."""


class Key(NamedTuple):
    """One key of a part or block: its annotation and its default, or ``Missing``."""

    name: str
    annotation: Any
    default: Any


@cache
def keys_of(entry: Entry) -> dict[str, Key]:
    """The recipe's keys for a part, in the order of its factory's signature.

    Raises:
        PalsykitError: the factory cannot be loaded, or is not written as ``palsykit.hookspecs`` asks; the message
            names part and plugin.
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
        step = "import what its annotations name at run time, not under TYPE_CHECKING"
        raise PalsykitError(f"{entry}: an annotation of its factory cannot be read ({error}); {step}") from error
    except (ValueError, TypeError, AttributeError, SyntaxError) as error:
        raise PalsykitError(f"{entry}: the signature of its factory cannot be read ({error})") from error


def _check_positional(entry: Entry, parameters: list[inspect.Parameter]) -> None:
    given = INTERFACES[entry.interface].positional
    if any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in parameters):
        return
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    taken = [parameter.name for parameter in parameters if parameter.kind in kinds]
    if len(taken) != len(given):
        step = "a recipe's keys are keyword-only: they stand after `*`"
        message = f"its factory takes ({', '.join(taken)}), core gives ({', '.join(given)})"
        raise PalsykitError(f"{entry}: {message}; {step}")


def _key(entry: Entry, parameter: inspect.Parameter) -> Key:
    annotation = Any if parameter.annotation is inspect.Parameter.empty else parameter.annotation
    key = Key(parameter.name, annotation, parameter.default)
    try:
        model([key])
    except Exception as error:  # pydantic raises many kinds for what it cannot check
        words = str(error).splitlines()[0]
        raise PalsykitError(f"{entry}: key {parameter.name}: no check for {annotation} ({words})") from error
    return key


@cache
def fields_of(kind: type[BaseModel]) -> dict[str, Key]:
    """The keys that the schema gives a block; what is a part's own stands in ``parameters``."""
    keys = {}
    for name, about in kind.model_fields.items():
        annotation: Any = Annotated[(about.annotation, *about.metadata)] if about.metadata else about.annotation
        keys[name] = Key(name, annotation, Missing if about.is_required() else about.default)
    return {name: key for name, key in keys.items() if name not in ("use", "parameters")}


@cache
def model_of(kind: type[BaseModel], entry: Entry | None = None) -> TypeAdapter[dict[str, Any]]:
    """The check of a block: of the schema's ``kind`` and, where it is a part's, of the keys of its factory.

    Raises:
        PalsykitError: as ``keys_of``.
    """
    keys = (keys_of(entry) if entry else {}) | fields_of(kind)
    if not issubclass(kind, PartBlock):
        return model(keys.values())
    return model([Key("use", Annotated[Any, AfterValidator(_usable)], ""), *keys.values()], open=entry is None)


def _usable(use: Any) -> Any:
    """A part's name; one that cannot be used comes as the error that says why."""
    if isinstance(use, ValidationError):
        raise use
    return use


def model(keys: Iterable[Key], open: bool = False) -> TypeAdapter[dict[str, Any]]:
    """The check of a mapping with these keys: all of them and, unless it is ``open``, no others.

    It is made of a TypedDict, whose keys may have any name, where a BaseModel's must not be one of its attributes. It
    fills in no defaults, for those of a factory are values like any other: a default may name a file or a network.
    """
    fields: Any = {key.name: readable(key.annotation, key.name) for key in keys}
    optional = {key.name for key in keys if key.default is not Missing}
    fields |= {name: NotRequired[fields[name]] for name in optional}
    block = cast(Any, TypedDict)("block", fields)
    extra: Any = "ignore" if open else "forbid"
    block.__pydantic_config__ = ConfigDict(strict=True, extra=extra, arbitrary_types_allowed=True)
    return TypeAdapter(block)
