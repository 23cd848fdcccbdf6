"""What could not be used, listed so that any file name can be read, and counted by kind of reason."""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from palsykit.atomic import write_text
from palsykit.faces.records import Rejected

NAME = "rejected.csv"

_SPECIFIC = re.compile(r"[\d/\\'\"]|\w\.\w")
"""A word with one of these is about one photograph: a number, a path, a file's name, a quotation."""

_TELLING = 3
"""Words that say what kind of reason it is, where one photograph's own follow."""


def shown(text: str) -> str:
    r"""Text that is UTF-8 and stays on its line: a file name's odd bytes as ``\xff``, control characters as ``\n``."""
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    """Python keeps a byte that is no UTF-8 as a lone surrogate, U+DC80 to U+DCFF."""
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def kind(reason: str) -> str:
    """The part of a reason that it shares with others: ``too small: found 8 x 9 px`` -> ``too small``."""
    words = re.split(r"[:;,]\s|\s\(|[:;,]$", reason, maxsplit=1)[0].split()
    plain = ["…" if _SPECIFIC.search(word) else word for word in words]
    if "…" in plain[_TELLING:]:
        plain = plain[: plain.index("…", _TELLING)]
    return " ".join(plain)


def kinds(rejected: Sequence[Rejected]) -> dict[str, int]:
    """How many were rejected for each kind of reason, the most frequent first."""
    return dict(Counter(shown(kind(r.reason)) for r in rejected).most_common())


def write_rejected(folder: Path, rejected: Sequence[Rejected]) -> None:
    """FOLDER/rejected.csv: path and reason of each, UTF-8; a heading alone where nothing was rejected."""
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(["path", "reason"])
    writer.writerows((shown(r.path), shown(r.reason)) for r in rejected)
    write_text(folder / NAME, table.getvalue())
