"""Claim an output folder. It must be new, or made earlier with the same settings; else the error lists what differs."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from palsykit.errors import PalsykitError
from palsykit.files.atomic import is_partial, write_text
from palsykit.files.locks import LOCK

ABSENT = "(absent)"


@dataclass(frozen=True)
class Claim:
    """An output folder, and the marker: the file in it that records its settings.

    Attributes:
        folder: new, empty, or begun earlier.
        marker: name of the marker file.
        what: what the folder holds, such as "palsykit run"; used in messages.
        another: how the user chooses another folder, such as "name another: --output DIR".
        replace: how the user replaces this folder.
        key: a key that the marker must have; distinguishes it from another program's file of the same name.
    """

    folder: Path
    marker: str
    what: str
    another: str
    replace: str = "remove it to start again"
    key: str = ""

    def begun(self) -> bool:
        """Whether the folder has the marker; False if it is new or empty, or holds only what a killed start left.

        Raises:
            PalsykitError: the path is a file, or the folder holds something else.
        """
        if self.folder.exists() and not self.folder.is_dir():
            raise PalsykitError(f"{self.folder}: a file; expected a folder for the {self.what}; {self.another}")
        if (self.folder / self.marker).is_file() and (not self.key or self.key in self.read()):
            return True
        if self.folder.is_dir() and any(not is_partial(path) and path.name != LOCK for path in self.folder.iterdir()):
            raise PalsykitError(
                f"{self.folder}: not empty, and holds no {self.what} (no {self.marker} in it); "
                f"expected a new or empty folder; {self.another}"
            )
        return False

    def read(self) -> dict[str, Any]:
        """Read the marker, a JSON object.

        Raises:
            PalsykitError: it cannot be read.
        """
        file = self.folder / self.marker
        try:
            value = json.loads(file.read_text(encoding="utf-8"))
            if not isinstance(value, dict):
                raise TypeError(f"found {type(value).__name__}, expected an object")
        except (OSError, ValueError, TypeError) as error:
            raise PalsykitError(f"{file}: cannot be read ({error}); {self.another}, or {self.replace}") from error
        return value

    def compare(self, before: object, now: Mapping[str, Any]) -> None:
        """Refuse settings ``now`` if they differ from those ``before``; the error lists the differences."""
        if before != now:
            self.refuse(difference(before if isinstance(before, Mapping) else {}, now))

    def take(self, settings: Mapping[str, Any]) -> None:
        """Write ``settings`` as the marker of a new folder; refuse a folder that was made with others.

        Raises:
            PalsykitError: the folder holds something else, or was made with other settings.
        """
        text = json.dumps(settings, indent=1)
        if self.begun():
            self.compare(self.read(), json.loads(text))
        else:
            write_text(self.folder / self.marker, text + "\n")

    def refuse(self, lines: Sequence[str]) -> NoReturn:
        """Raise a PalsykitError that lists the differences."""
        raise PalsykitError(
            f"{self.folder}: made with other settings; {self.another}, or {self.replace}. Differences:",
            lines or ["the defaults, because the version of palsykit or of a plugin is another"],
        )


def difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """List the changes between two trees of plain values, each as ``key: a -> b``. A list without keys is one value."""
    old, new = dict(_leaves(before)), dict(_leaves(now))
    return [
        f"{key}: {_short(old.get(key, ABSENT))} -> {_short(new.get(key, ABSENT))}"
        for key in {**old, **new}
        if old.get(key, ABSENT) != new.get(key, ABSENT)
    ]


def _leaves(value: Any, path: tuple[object, ...] = ()) -> Iterator[tuple[str, str]]:
    """(key, value) pairs. Values are JSON text, so that 1, true and "1" differ."""
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
