"""A factory's signature: positional parameters come from core, keyword-only ones are the recipe's keys."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from palsykit.errors import PalsykitError
from palsykit.hookspecs import INTERFACES
from palsykit.recipe.annotations import adapter
from palsykit.registry import Entry


class Missing:
    """The default of a key that has none."""


@dataclass(frozen=True)
class Key:
    """One key of a part: its annotation, the check made of it and its default, or ``Missing``."""

    name: str
    annotation: Any
    check: TypeAdapter[Any]
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
    default = Missing if parameter.default is inspect.Parameter.empty else parameter.default
    try:
        return Key(parameter.name, annotation, adapter(annotation), default)
    except Exception as error:  # pydantic raises many kinds for what it cannot check
        raise PalsykitError(f"{entry}: key {parameter.name}: no check for {annotation} ({error})") from error
