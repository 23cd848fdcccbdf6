"""Lists rejected photographs, with file names that any program can print, and counts them by kind of reason."""

import csv
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from palsykit.errors import PalsykitError
from palsykit.faces.records import NothingUsable, Rejected
from palsykit.files.atomic import write_text

NAME = "rejected.csv"

_SPECIFIC = re.compile(r"[\d/\\'\"]|\w\.\w")
"""A word with one of these belongs to one photograph: a number, a path, a file name, a quotation."""

_UNPRINTABLE = ("Cc", "Cs", "Zl", "Zp")
"""Unicode's control characters, surrogates, and separators of lines and paragraphs."""

_TELLING = 3
"""Number of leading words that give the kind of a reason, before words that belong to one photograph."""


def printable(text: str | Path) -> str:
    r"""Text that is UTF-8 and stays on its line: a file name's odd bytes as ``\xff``, line breaks as ``\n``."""
    plain = text.as_posix() if isinstance(text, Path) else text
    return "".join(_escaped(c) if unicodedata.category(c) in _UNPRINTABLE else c for c in plain)


def _escaped(character: str) -> str:
    """Python represents a byte that is not UTF-8 as a lone surrogate, U+DC80 to U+DCFF."""
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
    """Number of rejected photographs per kind of reason, the most frequent first."""
    return dict(Counter(printable(kind(r.reason)) for r in rejected).most_common())


@contextmanager
def listed(folder: Path) -> Iterator[None]:
    """Wraps the building of a data set: if no photograph can be used, the rejected ones are still listed in FOLDER.

    Raises:
        PalsykitError: whatever building raises; if no photograph can be used, with the place of the list.
    """
    try:
        yield
    except PalsykitError as error:
        cause = error.__cause__
        if not isinstance(cause, NothingUsable) or not cause.rejected:
            raise
        write_rejected(folder, cause.rejected)
        raise PalsykitError(f"{error.message}; {folder / NAME} lists all {len(cause.rejected)}") from cause


def write_rejected(folder: Path, rejected: Sequence[Rejected]) -> None:
    """FOLDER/rejected.csv: path and reason of each, UTF-8; only the heading if nothing was rejected."""
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(["path", "reason"])
    writer.writerows((printable(r.path), printable(r.reason)) for r in rejected)
    write_text(folder / NAME, table.getvalue())
