"""What a part says of itself: keys that are used and documented, a docstring with shapes and source."""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable
from typing import Any

from palsykit.recipe.signature import keys_of
from palsykit.testing.result import Check, NotChecked, Unmet
from palsykit.testing.subject import Subject

SHAPES = re.compile(r"\[[A-Z0-9][^\[\]]*\]|\bscalars?\b")
"""[B, T, W], [68, 2] px, or the word scalar."""

SOURCE = re.compile(
    r"arXiv:\d{4}\.\d{4,5}|\bdoi\b|https?://|github\.com/|\bet al\b|\(?\b(?:19|20)\d\d\b\)?"
    r"|\b(?:diffusers|torchmetrics|PyTorch|scikit-image|CFCPalsy)\b|\b[Oo]ur own\b"
)
"""A paper, an address, a library, or the words "our own" where there is no source."""

SHAPED = frozenset({"networks", "encoders", "fusions", "denoisers", "samplers", "synthesisers", "posers"})
SOURCED = frozenset({"networks", "encoders", "fusions", "denoisers", "attention", "schedulers", "samplers", "trainers"})
"""Interfaces that give tensors, and those that are methods.

A data set's source is its attribution, a metric's is on its card; the rest are tools.
"""


def checks(subject: Subject) -> list[Check]:
    """Keys used, keys documented, shapes, source."""
    return [
        ("declared keys are used", lambda: keys_are_used(subject)),
        ("declared keys are documented", lambda: keys_are_documented(subject)),
        ("docstring gives shapes and source", lambda: docstring(subject)),
    ]


def keys_are_used(subject: Subject) -> None:
    """Every keyword-only parameter is read in the factory's body."""
    keys = keys_of(subject.entry)
    function = _body_of(subject.factory)
    read = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    if "locals" in read:
        raise NotChecked("the factory reads its parameters through locals()")
    if unused := [name for name in keys if name not in read]:
        raise Unmet(
            "every keyword-only parameter to be read, for it is a key that recipes can set",
            f"{', '.join(unused)} never read in {function.name}",
            "use it or delete it: a key without effect would be believed",
        )


def _body_of(factory: Callable[..., Any]) -> ast.FunctionDef:
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
        raise NotChecked("the factory is no function or class with a source")
    return found


def keys_are_documented(subject: Subject) -> None:
    """Every key's name stands in a docstring."""
    text = subject.texts()
    missing = [name for name in keys_of(subject.entry) if not re.search(rf"\b{re.escape(name)}\b", text)]
    if missing:
        raise Unmet(
            "a word on every key in the docstring's Args",
            f"nothing on {', '.join(missing)}",
            f"add to Args: `{missing[0]}: what it does, its unit`",
        )


def docstring(subject: Subject) -> None:
    """A docstring of its own with shapes (where tensors go in and out) and a source."""
    text = subject.texts()
    if not text.strip():
        raise Unmet(
            "a docstring",
            "none",
            'begin with one sentence and its source: """Feature-wise modulation (Perez et al., arXiv:1709.07871)."""',
        )
    if subject.entry.interface in SHAPED and not SHAPES.search(text):
        raise Unmet(
            "shapes in the docstrings of the class or its methods, as in [B, T, W]",
            "none",
            "say what goes in and what comes out, as in `Tokens [B, T, W] -> [B, T, width]`",
        )
    if subject.entry.interface in SOURCED and not SOURCE.search(f"{text} {_around(subject)}"):
        raise Unmet(
            "a source: arXiv number, DOI, address, authors with year, or a library's name",
            f'none in "{text.strip().splitlines()[0][:80]}"',
            'name it, as in (Perez et al., arXiv:1709.07871); where there is none, say "our own"',
        )


def _around(subject: Subject) -> str:
    """The docstrings of the factory's module and of the functions in it."""
    module = inspect.getmodule(subject.factory)
    if module is None:
        return ""
    functions = [value for value in vars(module).values() if inspect.isfunction(value)]
    own = [value.__doc__ for value in functions if value.__module__ == module.__name__]
    return "\n".join(text for text in (module.__doc__, *own) if text)
