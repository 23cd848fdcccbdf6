"""Problems in a recipe, each with its place, what was found and what was expected."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from palsykit.errors import PalsykitError

MEMBER = "\0member"
"""Marks a union's member in an error's location. Pydantic's own name for it could be the name of a key."""

INSIDE = "a file inside the run's folder, or of an installed package"
TRUST = "you have not run this recipe here: if you trust it, palsykit trust {}"
"""What is expected of a file that a stranger's recipe names, and the next step."""

KeyPath = tuple[str | int, ...]
"""Path from the top of the recipe to a value: ``("fits", 0, "steps")``."""


@dataclass(frozen=True)
class Problem:
    """One problem for the user to correct.

    Attributes:
        where: ``file:line:column`` or ``--set ...``.
        key: the key, dotted: ``fits.0.steps``; empty for the file itself.
        found: what the recipe has there.
        expected: what is valid there.
        hint: the nearest known name, or the next step.
    """

    where: str
    key: str
    found: str
    expected: str
    hint: str = ""

    def __str__(self) -> str:
        key = f"{_cut(self.key)}: " if self.key else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{_cut(self.where)}: {key}found {_cut(self.found)}, expected {self.expected}{hint}"


class RecipeError(PalsykitError):
    """A recipe that cannot be used; ``problems`` lists everything that is wrong with it."""

    problems: tuple[Problem, ...]

    def __init__(self, recipe: str, problems: Sequence[Problem]):
        unique = tuple(dict.fromkeys(problems))
        count = "1 problem" if len(unique) == 1 else f"{len(unique)} problems"
        super().__init__(f"recipe {recipe} has {count}:", unique)


class Complaint(NamedTuple):
    """One error of a validation.

    Attributes:
        kind: "missing" or "extra_forbidden" for a key, or pydantic's error type for a value.
        path: from the validated block to the value, or to the missing or unknown key.
    """

    kind: str
    path: KeyPath
    found: str
    expected: str
    hint: str = ""


def refused(found: str, expected: str, hint: str = "", at: KeyPath = ()) -> ValidationError:
    """An error with the texts of a ``Problem``; pydantic adds the place. ``at``: path inside the validated value."""
    words = {"found": found, "expected": expected, "hint": hint}
    error = PydanticCustomError("refused", "{expected}", words)
    return ValidationError.from_exception_data("recipe", [{"type": error, "loc": at, "input": None}])


def complaints(error: ValidationError) -> list[Complaint]:
    """Convert pydantic's errors: one per value, and within a block the unknown keys first."""
    # Remove the parts of a location that are not in the recipe: a union's member and a mapping's key.
    unwritten = (MEMBER, "[key]")
    items = [(tuple(part for part in item["loc"] if part not in unwritten), item) for item in error.errors()]
    paths = [path for path, _ in items]

    # Join the errors of a union's members on the same value: "a whole number or text".
    result: dict[KeyPath, Complaint] = {}
    for path, item in items:
        context = item.get("ctx", {})
        # if a member has the right shape, its errors lie deeper and say more; skip those of the others
        if item["loc"][-1:] == (MEMBER,) and any(other != path and other[: len(path)] == path for other in paths):
            continue
        if item["type"] == "missing" and isinstance(path[-1], int):
            path = path[:-1]  # the list is too short
        expected = _expected(item["type"], item["msg"], context)
        if path in result:
            before = result[path].expected
            expected = before if expected in before.split(" or ") else f"{before} or {expected}"
        found = context["found"] if item["type"] == "refused" else describe(item["input"])
        result[path] = Complaint(item["type"], path, found, expected, context.get("hint", ""))

    # Sort.
    order = list(result)

    def place(path: KeyPath) -> tuple[int, bool]:
        if result[path].kind != "extra_forbidden":
            return order.index(path), True
        return next(number for number, other in enumerate(order) if other[: len(path) - 1] == path[:-1]), False

    return [result[path] for path in sorted(order, key=place)]


def dotted(path: KeyPath) -> str:
    """``("fits", 0, "steps")`` -> ``fits.0.steps``."""
    return ".".join(str(part) for part in path)


def nearest(name: str, known: Iterable[str]) -> str:
    """``did you mean "x"?``, or empty if no name is close."""
    close = get_close_matches(name, list(known), n=1)
    return f'did you mean "{close[0]}"?' if close else ""


def describe(value: Any) -> str:
    """A value in YAML notation with its kind, shortened to one line."""
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


def _cut(text: str, most: int = 400) -> str:
    """One line without control characters, cut in its middle; a stranger's recipe may have any text as a key."""
    line = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text[: 2 * most])
    line += text[2 * most :][-most:]
    return line if len(line) <= most else f"{line[: most // 2]} ... {line[-most // 3 :]}"


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


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
    if kind == "refused":
        return str(context["expected"])
    words = message.removeprefix("Input should be ").removeprefix("Value should have ")
    return words[:1].lower() + words[1:]
