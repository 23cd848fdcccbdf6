"""Finds labels that contradict each other, and names that probably mean one person, in any data set."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePosixPath

from palsykit.data.faults import subject_of, tally
from palsykit.data.rejections import printable
from palsykit.faces.pairing import by_subject
from palsykit.faces.records import FaceDataset, FaceRecord
from palsykit.faces.vocabulary import EXPRESSIONS, FaceLabels, Group, Side, nearest_expression

MANY = 4
"""If so many people or more have several affected sides, and most people do, the data are simulated: no mistake is that
frequent."""


def doubts_of(dataset: FaceDataset) -> list[str]:
    """What is probably wrong with a data set's labels, and what its plugin noted while it was read; a line each.

    A data set may have ``notes``, a sequence of lines.
    """
    records = [record for record in dataset.records if record.labels.subject is not None]
    noted = [printable(str(note)) for note in getattr(dataset, "notes", ())]
    people = [] if hasattr(dataset, "truth") else _two_sides(records)  # it poses one person with several palsies
    labels = [*_contradictions(dataset.records), *_misspelt(dataset.records)]
    return [*labels, *people, *_alike(records), *_shared(records), *noted]


def _affected(labels: FaceLabels) -> bool:
    return labels.side not in (None, Side.NONE)


_CONTRADICTIONS: tuple[tuple[str, Callable[[FaceLabels], bool]], ...] = (
    (
        "side none and a House-Brackmann grade above 1",
        lambda labels: labels.side is Side.NONE and (labels.severity or 1) > 1,
    ),
    ("an affected side and House-Brackmann grade 1", lambda labels: _affected(labels) and labels.severity == 1),
    (
        "group normal and a palsy",
        lambda labels: labels.group is Group.NORMAL and (_affected(labels) or (labels.severity or 1) > 1),
    ),
    (
        "group flaccid or synkinetic and no palsy",
        lambda labels: (
            labels.group in (Group.FLACCID, Group.SYNKINETIC) and (labels.side is Side.NONE or labels.severity == 1)
        ),
    ),
)
"""What two labels of one photograph cannot say together -> whether they do."""


def _contradictions(records: Iterable[FaceRecord]) -> list[str]:
    groups = [(what, [r for r in records if contradict(r.labels)]) for what, contradict in _CONTRADICTIONS]
    return [
        f"{tally(f'photographs with {what}', [printable(r.key) for r in found])}: one of the two is wrong"
        for what, found in groups
        if found
    ]


def _misspelt(records: Iterable[FaceRecord]) -> list[str]:
    """Expressions outside the vocabulary that are nearly in it; a data set may take them from names of folders."""
    own = sorted({r.labels.expression for r in records if r.labels.expression} - EXPRESSIONS.keys())
    near = [f"{printable(word)}: did you mean {nearest_expression(word)}?" for word in own if nearest_expression(word)]
    return [tally("expressions that are nearly in the vocabulary", near)] if near else []


def _two_sides(records: Sequence[FaceRecord]) -> list[str]:
    """Subjects with more than one affected side, or a normal group on one photograph and another on the next."""
    torn, mixed = [], []
    for subject, group in by_subject(records).items():
        sides = sorted({str(r.labels.side) for r in group if _affected(r.labels)})
        kinds = {r.labels.group for r in group} - {None}
        if len(sides) > 1:
            torn.append(f"{printable(subject)}: {' and '.join(sides)}")
        if Group.NORMAL in kinds and len(kinds) > 1:
            mixed.append(printable(subject))
    lines = []
    simulated = len(by_subject(records)) >= MANY and 2 * len(torn) > len(by_subject(records))
    if torn and not simulated:
        lines.append(f"{tally('subjects with several affected sides', torn)}; sides are the subject's, so mend one")
    if mixed:
        lines.append(
            f"{tally('subjects in the group normal and in another', mixed)}: one of the two is wrong, or several "
            "collections share a number"
        )
    return lines


def _alike(records: Sequence[FaceRecord]) -> list[str]:
    """Subjects that differ only in spelling: they count as several people, who may be in several splits."""
    spellings: defaultdict[str, list[str]] = defaultdict(list)
    for subject in by_subject(records):
        spellings[plain_name(subject)].append(subject)
    same = [" and ".join(map(_visible, names)) for names in spellings.values() if len(names) > 1]
    if not same:
        return []
    what = tally("subjects that differ only in spelling", same)
    return [f"{what}: if they are the same person, give them one name, because splits go by subject"]


def plain_name(subject: str) -> str:
    """A subject without what spreadsheets and file systems change: case, blanks, leading zeros, ".0", Unicode form."""
    plain = "".join(unicodedata.normalize("NFKC", subject).casefold().split())
    return re.sub(r"(?<!\d)0+(?=\d)", "", re.sub(r"(?<=\d)\.0+$", "", plain))


def _visible(name: str) -> str:
    """A name in which blanks at its ends and combining marks can be seen."""
    decomposed = unicodedata.normalize("NFC", name) != name
    return ascii(name) if decomposed or name != " ".join(name.split()) else printable(name)


def _shared(records: Sequence[FaceRecord]) -> list[str]:
    """Subjects with a file of the same name and expression in two folders: two collections may share a number."""
    found: defaultdict[tuple[str, str, str | None], set[str]] = defaultdict(set)
    for record in records:
        path = PurePosixPath(record.key)
        found[subject_of(record), path.name, record.labels.expression].add(path.parts[0] if path.parts[1:] else "")
    twice = {subject: sorted(tops) for (subject, _, _), tops in found.items() if len(tops) > 1}
    if not twice:
        return []
    shown = [f"{subject} in {' and '.join(tops)}" for subject, tops in twice.items()]
    what = tally("subjects with the same file in several folders", shown)
    return [f"{what}: if the folders are collections that share numbers, these are several people; name them apart"]
