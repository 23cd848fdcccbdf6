"""What is wrong with a recipe: every problem with its place, what was found and what was expected."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from palsykit.errors import PalsykitError

KeyPath = tuple[str | int, ...]
"""From the recipe's top to a value: ``("fits", 0, "steps")``."""


@dataclass(frozen=True)
class Problem:
    """One thing to mend.

    Attributes:
        where: ``file:line:column`` or ``--set ...``.
        key: the key, dotted: ``fits.0.steps``; empty for the file itself.
        found: what is there.
        expected: what could be.
        hint: the nearest known name, or the next step.
    """

    where: str
    key: str
    found: str
    expected: str
    hint: str = ""

    def __str__(self) -> str:
        key = f"{self.key}: " if self.key else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{self.where}: {key}found {self.found}, expected {self.expected}{hint}"


class RecipeError(PalsykitError):
    """A recipe that cannot be used; ``found`` is everything that is wrong with it."""

    def __init__(self, recipe: str, problems: Sequence[Problem]):
        unique = tuple(dict.fromkeys(problems))
        count = "1 problem" if len(unique) == 1 else f"{len(unique)} problems"
        super().__init__(f"recipe {recipe} has {count}:", unique)
        self.found = unique


def dotted(path: KeyPath) -> str:
    """``("fits", 0, "steps")`` -> ``fits.0.steps``."""
    return ".".join(str(part) for part in path)


def nearest(name: str, known: Iterable[str]) -> str:
    """``did you mean "x"?`` or nothing."""
    close = get_close_matches(name, list(known), n=1)
    return f'did you mean "{close[0]}"?' if close else ""


def describe(value: Any) -> str:
    """A value as YAML would spell it, with its kind, short enough for one line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return _short("{" + ", ".join(map(str, value)) + "}") + " (mapping)"
    if isinstance(value, list | tuple):
        return _short("[" + ", ".join(describe(item) for item in value) + "]")
    if isinstance(value, str):
        return _short(f'"{value}"') + " (text)"
    return _short(repr(value))


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."
