"""A folder claimed by what it is made of: new, or begun earlier of the same; others are refused with the difference."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from palsykit.errors import PalsykitError

ABSENT = "(absent)"


@dataclass(frozen=True)
class Claim:
    """A folder, and the file in it that says what it is made of.

    Attributes:
        folder: new, empty, or begun earlier.
        marker: name of the file.
        what: what the folder holds, in words, such as "palsykit run".
        another: what the user does to take another folder, such as "name another: --output DIR".
        anew: what the user does to replace this one.
        key: of the marker, by which a file of another program with the same name is told apart.
    """

    folder: Path
    marker: str
    what: str
    another: str
    anew: str = "remove it to make it anew"
    key: str = ""

    def begun(self) -> bool:
        """Whether the folder's marker is there; False where the folder is new or empty.

        Raises:
            PalsykitError: it is a file, or it holds something else.
        """
        if self.folder.exists() and not self.folder.is_dir():
            raise PalsykitError(f"{self.folder}: a file; expected a folder for the {self.what}; {self.another}")
        if (self.folder / self.marker).is_file() and (not self.key or self.key in self.read()):
            return True
        if self.folder.is_dir() and any(self.folder.iterdir()):
            raise PalsykitError(
                f"{self.folder}: not empty, and no {self.what} (no {self.marker} in it); expected a new or empty "
                f"folder; {self.another}"
            )
        return False

    def read(self) -> dict[str, Any]:
        """The marker, a JSON object.

        Raises:
            PalsykitError: it cannot be read.
        """
        file = self.folder / self.marker
        try:
            value = json.loads(file.read_text(encoding="utf-8"))
            if not isinstance(value, dict):
                raise TypeError(f"found {type(value).__name__}, expected an object")
        except (OSError, ValueError, TypeError) as error:
            raise PalsykitError(f"{file}: cannot be read ({error}); {self.another}, or {self.anew}") from error
        return value

    def compare(self, before: object, now: Mapping[str, Any]) -> None:
        """Refuses settings ``now`` that differ from those ``before``, with the difference."""
        if before != now:
            self.refuse(difference(before if isinstance(before, Mapping) else {}, now))

    def refuse(self, lines: Sequence[str]) -> NoReturn:
        """Raises a PalsykitError that lists what differs."""
        raise PalsykitError(
            f"{self.folder}: made with other settings; {self.another}, or {self.anew}. They differ in",
            lines or ["defaults of another version of palsykit or of a plugin"],
        )


def difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What changed between two trees of plain values: ``key: a -> b`` for each; lists without keys are one value."""
    old, new = dict(_leaves(before)), dict(_leaves(now))
    return [
        f"{key}: {_short(old.get(key, ABSENT))} -> {_short(new.get(key, ABSENT))}"
        for key in {**old, **new}
        if old.get(key, ABSENT) != new.get(key, ABSENT)
    ]


def _leaves(value: Any, path: tuple[object, ...] = ()) -> Iterator[tuple[str, str]]:
    """Values as JSON text, so that 1 and true and "1" differ."""
    items: list[tuple[object, Any]] = []
    if isinstance(value, Mapping):
        items = list(value.items())
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        items = list(enumerate(value))
    if not items:
        yield ".".join(map(str, path)), json.dumps(value, ensure_ascii=False)
    for key, item in items:
        yield from _leaves(item, (*path, key))


def _short(text: str) -> str:
    return text if len(text) <= 160 else f"{text[:120]} ... {text[-36:]}"
