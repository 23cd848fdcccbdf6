"""Counts rejected photographs by kind of reason."""

import re
from collections import Counter
from collections.abc import Sequence

from palsykit.data.rejections import printable
from palsykit.faces.records import Rejected

_SPECIFIC = re.compile(r"[\d/\\'\"]|\w\.\w")
"""A word with one of these belongs to one photograph: a number, a path, a file name, a quotation."""

_PLACE = re.compile(r"/|\\\\|[A-Za-z]:[/\\]")
"""How the path of a file begins that a reason names first."""

_TELLING = 3
"""Number of leading words that give the kind of a reason, before words that belong to one photograph."""


def kind(reason: str) -> str:
    """The part of a reason that it shares with others: ``too small: found 8 x 9 px`` -> ``too small``.

    The place at the start is left out, as in ``a/rest.pts:3: found a mirrored face``. A reason whose first part has no
    word of its own, such as ``found 'x'``, is told by what was expected.
    """
    first, *rest = re.split(r"[:;,]\s|\s\(|[:;,]$", reason)
    if rest and _PLACE.match(first):
        first, *rest = rest
    told = _plain(first)
    if rest and not set(told.split()) - {"…", "found", "x"}:
        further = [_plain(part) for part in rest]
        return f"{told}, {next((part for part in further if part.startswith('expected')), further[0])}"
    return told


def _plain(text: str) -> str:
    """A part of a reason without what belongs to one photograph."""
    words = text.split()
    plain = ["…" if _SPECIFIC.search(word) else word for word in words]
    if "…" in plain[_TELLING:]:
        plain = plain[: plain.index("…", _TELLING)]
    return " ".join(plain)


def kinds(rejected: Sequence[Rejected]) -> dict[str, int]:
    """Number of rejected photographs per kind of reason, the most frequent first."""
    return dict(Counter(printable(kind(r.reason)) for r in rejected).most_common())
