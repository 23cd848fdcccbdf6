"""The texts of the page, in every language, from one table: ``texts.json``. A language is added there alone."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from palsykit.faces.vocabulary import EXPRESSIONS

FIRST = "en"
"""The language that has every text; what another lacks is shown in this one."""


@cache
def _table() -> Mapping[str, Mapping[str, str]]:
    table: dict[str, dict[str, str]] = json.loads(Path(__file__).with_name("texts.json").read_text(encoding="utf-8"))
    return table


@cache
def languages() -> tuple[str, ...]:
    """Codes of the languages, the first one first."""
    return tuple(_table()["language"])


def preferred(header: str) -> str:
    """The language of a browser's ``Accept-Language`` header that the table has; else the first."""
    wanted: list[tuple[float, int, str]] = []
    for part in header.split(","):
        code, _, quality = part.strip().partition(";q=")
        try:
            wanted.append((-float(quality or 1), len(wanted), code.split("-")[0].lower()))
        except ValueError:
            continue
    return next((code for _, _, code in sorted(wanted) if code in languages()), FIRST)


class Texts:
    """The texts in one language: ``texts("photograph.tab")``."""

    def __init__(self, language: str):
        self.language = language

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key, with ``values`` in place of ``{name}``.

        Raises:
            KeyError: the table has no such key.
        """
        row = _table()[key]
        text = row.get(self.language, row[FIRST])
        return text.format(**values) if values else text

    def expressions(self) -> list[tuple[str, str]]:
        """(in words, name) of each expression, as a menu takes them."""
        return [(self(f"expression.{name}"), name) for name in EXPRESSIONS]

    def reason(self, message: str) -> str:
        """Why a picture is refused: the program's own message, with a sentence in this language before it."""
        for key in _table():
            if key.startswith("reason.") and key.removeprefix("reason.") in message:
                sentence = self(key)
                return f"{sentence} ({message})" if self.language != FIRST else message
        return message
