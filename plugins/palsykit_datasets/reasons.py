"""Counts rejected photographs by kind of reason."""

import re
from collections import Counter
from collections.abc import Sequence

from palsykit.data.rejections import printable
from palsykit.faces.records import Rejected

_SPECIFIC = re.compile(r"[\d/\\'\"]|\w\.\w")
"""A word with one of these belongs to one photograph: a number, a path, a file name, a quotation."""

_TELLING = 3
"""Number of leading words that give the kind of a reason, before words that belong to one photograph."""


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
