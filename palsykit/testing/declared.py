"""What a part declares: every key that a recipe can set has an effect."""

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

from palsykit.recipe.signature import keys_of
from palsykit.testing.result import Check, NotChecked, require
from palsykit.testing.subject import Subject


def checks(subject: Subject) -> list[Check]:
    """The check that keys are used."""
    return [("declared keys are used", lambda: keys_are_used(subject))]


def keys_are_used(subject: Subject) -> None:
    """Every keyword-only parameter is read in the factory's body."""
    keys = keys_of(subject.entry)
    function = _body_of(subject.factory)
    read = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    if "locals" in read:
        raise NotChecked("the factory reads its parameters through locals()")
    require(
        not (unused := [name for name in keys if name not in read]),
        "every keyword-only parameter to be read, because recipes can set it",
        f"{', '.join(unused)} never read in {function.name}",
        "use it or delete it: a key without effect is misleading",
    )


def _body_of(factory: Callable[..., Any]) -> ast.FunctionDef:
    """The syntax tree of the function, or of the class's __init__.

    Raises:
        NotChecked: there is no source to read.
    """
    function = vars(factory).get("__init__") if inspect.isclass(factory) else factory
    if function is None:
        if inspect.isclass(factory) and not hasattr(factory, "__dataclass_fields__"):
            return ast.FunctionDef("__init__", ast.arguments([], [], None, [], [], None, []), [], [])
        raise NotChecked("the factory has no __init__ of its own")
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError) as error:
        raise NotChecked(f"the factory's source cannot be read ({error})") from None
    found = next((node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)), None)
    if found is None:
        raise NotChecked("the factory is not a function or class with source code")
    return found
