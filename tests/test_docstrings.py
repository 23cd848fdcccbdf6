"""Docstrings of our parts describe every key, the shapes of tensors, and a source.

A rule of this house, so it is no part of the contract that palsykit.testing checks for everybody.
"""

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from palsykit.recipe.signature import keys_of
from palsykit.registry import Entry, registry

SHAPES = re.compile(r"\[[A-Z0-9][^\[\]]*\]|\bscalars?\b")
"""[B, T, W], [68, 2] px, or the word scalar."""

SOURCE = re.compile(
    r"arXiv:\d{4}\.\d{4,5}|\bdoi\b|https?://|github\.com/|\bet al\b|\(?\b(?:19|20)\d\d\b\)?"
    r"|\b(?:diffusers|torchmetrics|PyTorch|scikit-image|CFCPalsy)\b|\b[Oo]ur own\b"
)
"""A paper, an address, a library, or the words "our own" where there is no source."""

SHAPED = frozenset({"networks", "encoders", "fusions", "denoisers", "samplers", "synthesisers", "posers"})
"""Interfaces that take or give tensors."""

SOURCED = frozenset({"networks", "encoders", "fusions", "denoisers", "attention", "schedulers", "samplers", "trainers"})
"""Interfaces that are methods. A data set's source is its attribution, a metric's is on its card."""

OURS = [entry for entry in registry().entries.values() if entry.distribution == "palsykit"]


def faults(entry: Entry) -> list[str]:
    """What is missing in the docstrings of a part."""
    factory = entry.load()
    text = _own(factory)
    lacking = [f"nothing on the key {key}" for key in keys_of(entry) if not re.search(rf"\b{re.escape(key)}\b", text)]
    if not text.strip():
        lacking.append("no docstring")
    if entry.interface in SHAPED and not SHAPES.search(text):
        lacking.append("no shapes, as in [B, T, W]")
    if entry.interface in SOURCED and not SOURCE.search(f"{text} {_around(factory)}"):
        lacking.append("no source, as in (Perez et al., arXiv:1709.07871), or the words our own")
    return lacking


def _own(factory: Callable[..., Any]) -> str:
    """The docstrings of the factory and, where it is a class, of its own public methods; none of a parent's."""
    if not inspect.isclass(factory):
        return inspect.getdoc(factory) or ""
    members = [m for name, m in vars(factory).items() if not name.startswith("_") or name == "__init__"]
    texts = [vars(factory).get("__doc__"), *(m.__doc__ for m in members if inspect.isfunction(m))]
    return "\n".join(text for text in texts if text)


def _around(factory: Callable[..., Any]) -> str:
    """The docstrings of the factory's module and of the functions in it."""
    module = inspect.getmodule(factory)
    assert module is not None
    functions = [value for value in vars(module).values() if inspect.isfunction(value)]
    own = [value.__doc__ for value in functions if value.__module__ == module.__name__]
    return "\n".join(text for text in (module.__doc__, *own) if text)


@pytest.mark.parametrize("entry", OURS, ids=lambda entry: f"{entry.interface}-{entry.name}")
def test_docstrings_of_our_parts(entry: Entry) -> None:
    assert faults(entry) == []


class Bare:
    def __init__(self, inputs: Mapping[str, object], *, width: int = 8): ...


class Documented(Bare):
    """Tokens side by side, [B, T, W] (our own)."""

    def __init__(self, inputs: Mapping[str, object], *, width: int = 8):
        """width: of the tokens."""


def test_the_check_sees_what_it_looks_for() -> None:
    found = faults(Entry("fusions", "bare", "-", "-", "-", Bare))
    assert found == ["nothing on the key width", "no docstring", "no shapes, as in [B, T, W]", found[3]]
    assert found[3].startswith("no source")
    assert faults(Entry("fusions", "documented", "-", "-", "-", Documented)) == []
