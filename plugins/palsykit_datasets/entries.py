"""What a layout knows about the photographs below a folder, before any of them is opened."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from palsykit.data.consistency import plain_name
from palsykit.data.faults import tally
from palsykit.faces.records import Rejected
from palsykit.faces.vocabulary import FaceLabels
from palsykit_datasets.cells import Points
from palsykit_datasets.finding import Finder
from palsykit_datasets.splits import read_splits


@dataclass(frozen=True, eq=False)
class Entry:
    """One photograph.

    Attributes:
        path: the file.
        key: its path below the data set's folder, as text that UTF-8 can hold.
        labels: what is known; the subject always is.
        split: if the layout prescribes one.
        points: the place of the face, if given.
        where: the file and line that describe it, or "" if names and folders do.
        finders: tried in this order on a photograph without points, before the data set's detector.
        unread: columns with a content that nothing reads.
    """

    path: Path
    key: str
    labels: FaceLabels
    split: str | None = None
    points: Points | None = None
    where: str = ""
    finders: Sequence[Finder] = ()
    unread: Sequence[str] = ()


@dataclass
class Listing:
    """Every photograph that a layout describes, and the rejected ones.

    Attributes:
        layout: the adapter's registered name.
        root: the data set's folder.
        expected: what to do if nothing can be used.
        nothing: the reason if there is nothing to list.
        unmarked: why a photograph without points, and without a detector, is not used; ``{subject}`` is filled in.
        prepared: the pictures were written by ``palsykit data prepare``, so they are in the face frame.
        notes: what a user should know of the files, a line each.
    """

    layout: str
    root: Path
    entries: list[Entry] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    expected: str = ""
    nothing: str = "there is none"
    unmarked: str = "no landmarks are given and no detector is set; give five points or 68, or set the key detector"
    prepared: bool = False
    notes: list[str] = field(default_factory=list)


def existing(layout: str, root: Path, holds: str) -> Path:
    """The data set's folder, checked.

    Raises:
        ValueError: if it is not a folder; ``holds`` says what should be in it.
    """
    if not root.is_dir():
        raise ValueError(f"{layout}: {root} is not a folder; set the key root to the folder {holds}")
    return root


def with_splits(listing: Listing, path: Path | None) -> Listing:
    """The listing with the splits of a CSV file (columns subject and split), and all splits checked.

    Raises:
        ValueError: for a subject that the file lacks, splits from two sources, or a subject in two splits.
    """
    if path is not None:
        splits = read_splits(path)
        if said := next((entry for entry in listing.entries if entry.split is not None), None):
            raise ValueError(
                f"{path}: found splits here and in {said.where}, expected one of them; drop the key splits"
            )
        subjects = {str(entry.labels.subject) for entry in listing.entries}
        if missing := sorted(subjects - set(splits)):
            near = {plain_name(name): name for name in sorted(set(splits) - subjects)}
            meant = [f"{name} may be {near[plain_name(name)]}" for name in missing if plain_name(name) in near]
            hint = f" ({', '.join(meant)}, spelt otherwise)" if meant else ""
            raise ValueError(f"{path}: no split for subject {', '.join(missing)}{hint}; add a line for each")
        if others := sorted(set(splits) - subjects):
            listing.notes.append(tally(f"subjects of {path.name} without a photograph", others))
        listing.entries = [replace(entry, split=splits[str(entry.labels.subject)]) for entry in listing.entries]
    _agree(listing.entries)
    return listing


def _agree(entries: Sequence[Entry]) -> None:
    """Checks that each subject is in one split, and that all photographs have a split, or none."""
    splits: dict[str | None, str | None] = {}
    for entry in entries:
        where = entry.where or entry.key
        if (entry.split is None) != (entries[0].split is None):
            raise ValueError(
                f"{where}: found split {entry.split!r} where {entries[0].where or entries[0].key} has "
                f"{entries[0].split!r}; expected one for every picture or for none"
            )
        if (split := splits.setdefault(entry.labels.subject, entry.split)) != entry.split:
            raise ValueError(
                f"{where}: found subject {entry.labels.subject!r} in {entry.split} and, above, in {split}; expected one"
            )
