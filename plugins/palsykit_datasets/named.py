"""Photographs whose paths give subject and expression, by a pattern of the user or of a publication."""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from palsykit.data.rejections import printable
from palsykit.faces.records import Rejected
from palsykit.faces.vocabulary import FaceLabels
from palsykit_datasets.cells import Said, merged
from palsykit_datasets.entries import Entry
from palsykit_datasets.expressions import UnknownExpression, Words, check_all
from palsykit_datasets.files import legible, reject
from palsykit_datasets.tree import Tree


@dataclass(frozen=True)
class Named:
    """A photograph with the subject and expression of its path, in the data set's own words, and the file beside it."""

    path: Path
    subject: str
    expression: str
    said: Said


def pattern_of(layout: str, pattern: str) -> re.Pattern[str]:
    """The key ``pattern``: a regular expression with the groups subject and expression.

    Raises:
        ValueError: if it is not a regular expression, or lacks a group.
    """
    example = "(?P<subject>[^/]+)/(?P<expression>[^/]+)[.]jpg"
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(
            f"{layout}: pattern {pattern!r} is not a regular expression: {error}; such as {example}"
        ) from None
    if lacking := [group for group in ("subject", "expression") if group not in compiled.groupindex]:
        raise ValueError(f"{layout}: pattern {pattern!r} has no group {' and none '.join(lacking)}; such as {example}")
    return compiled


def read_names(
    tree: Tree, pictures: Sequence[Path], base: Path, pattern: re.Pattern[str], words: Words
) -> tuple[list[Named], list[Rejected]]:
    """Photographs whose whole path below ``base`` fits the pattern; repeated blanks count once.

    Raises:
        UnknownExpression: for an unexplained expression in a file beside a photograph.
    """
    named, rejected = [], []
    for path in pictures:
        try:
            below = legible(path.relative_to(base))
            match = pattern.fullmatch(below)
            subject, expression = (_word(match[group]) if match else "" for group in ("subject", "expression"))
            if not subject or not expression:
                raise ValueError(
                    f"{below!r} does not say subject and expression as the pattern {pattern.pattern!r} has it; rename "
                    f"it, or set the key pattern"
                )
            named.append(Named(path, subject, expression, tree.said_beside(path, words)))
        except UnknownExpression:
            raise
        except (ValueError, OSError) as error:
            rejected.append(reject(path, error))
    return named, rejected


def check_words(layout: str, named: Sequence[Named], words: Words, step: str) -> None:
    """Refuses unexplained expressions, all of them in one message; ``step`` says how to explain them."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for photograph in named:
        found[photograph.expression].append(printable(photograph.path.name))
    check_all(layout, found, words, step)


def described(
    root: Path, named: Sequence[Named], labels_of: Callable[[Named], FaceLabels]
) -> tuple[list[Entry], list[Rejected]]:
    """Merges what paths and the files beside photographs say; photographs for which they differ are rejected."""
    entries, rejected = [], []
    for photograph in named:
        try:
            said = merged(photograph.said, Said("its path or subject", labels_of(photograph)))
        except ValueError as error:
            rejected.append(reject(photograph.path, error))
            continue
        key = printable(photograph.path.relative_to(root))
        entries.append(
            Entry(photograph.path, key, said.labels, said.split, said.points, said.where, unread=said.unread)
        )
    return entries, rejected


def _word(text: str | None) -> str:
    return " ".join((text or "").split())
