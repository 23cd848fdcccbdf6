"""Lists rejected photographs, with file names that any program can print."""

import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from palsykit.errors import PalsykitError
from palsykit.faces.records import NothingUsable, Rejected
from palsykit.files.atomic import write_text
from palsykit.files.csv_text import csv_text

NAME = "rejected.csv"

_UNPRINTABLE = ("Cc", "Cs", "Zl", "Zp")
"""Unicode's control characters, surrogates, and separators of lines and paragraphs."""


def printable(text: str | Path) -> str:
    r"""Text that is UTF-8 and stays on its line: a file name's odd bytes as ``\xff``, line breaks as ``\n``."""
    plain = text.as_posix() if isinstance(text, Path) else text
    return "".join(_escape(c) if unicodedata.category(c) in _UNPRINTABLE else c for c in plain)


def _escape(character: str) -> str:
    """Python represents a byte that is not UTF-8 as a lone surrogate, U+DC80 to U+DCFF."""
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


@contextmanager
def list_on_failure(folder: Path) -> Iterator[None]:
    """Wraps the building of a data set. If no photograph can be used, lists the rejected ones in FOLDER.

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
    rows = ((printable(r.path), printable(r.reason)) for r in rejected)
    write_text(folder / NAME, csv_text(("path", "reason"), rows))
