"""The MEEI facial palsy photo standard set: 60 people, 8 expressions, in archives by the kind of palsy.

Greene et al., Laryngoscope 2020, doi 10.1002/lary.27986. Of its layout we know the archives ``flaccid``,
``synkinetic`` and ``normal``, the 480 photographs (60 people x 8 expressions), and that a spreadsheet describes 51 of
the people. The user gives the file names inside the archives, and the spreadsheet's headings and words, by the keys
``pattern``, ``expressions``, ``columns`` and ``values``; nothing is guessed.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from palsykit.data.rejections import printable
from palsykit.faces.interfaces import Detector
from palsykit.faces.vocabulary import FaceLabels, Group
from palsykit.progress import say
from palsykit_datasets.aligned import AlignedPhotographs
from palsykit_datasets.entries import Listing, existing, with_splits
from palsykit_datasets.expressions import Words, words_of
from palsykit_datasets.files import reject
from palsykit_datasets.named import Named, check_words, described, pattern_of, read_names
from palsykit_datasets.people import People, read_people
from palsykit_datasets.reading import Frame
from palsykit_datasets.stamp import Sources
from palsykit_datasets.tree import Tree

ARCHIVES = tuple(group.value for group in (Group.FLACCID, Group.SYNKINETIC, Group.NORMAL))


def meei(
    image_size: int,
    cache: Path,
    *,
    root: Path,
    pattern: str | None = None,
    folders: dict[str, str] | None = None,
    expressions: dict[str, str] | None = None,
    metadata: Path | None = None,
    columns: dict[str, str] | None = None,
    values: dict[str, dict[str, str | int | float]] | None = None,
    frame: Frame = "points",
    splits: Path | None = None,
    detector: Detector | None = None,
    attribution: str = "",
) -> AlignedPhotographs:
    """The unpacked archives, ``ROOT/flaccid``, ``ROOT/synkinetic`` and ``ROOT/normal`` or some of them.

    A subject is named by archive and name ("flaccid/12"), because the same name in two archives may mean two people.
    The archive is the group. Side, severity and scores come from the spreadsheet; of the nine people that it does not
    describe they are unknown. Landmarks come from files beside the photographs (landmark_files.py), or from a detector.

    Args:
        image_size: side of every picture in px.
        cache: folder for aligned pictures and detected faces.
        root: the folder that holds the unpacked archives.
        pattern: of the whole path below an archive's folder, a regular expression with the groups subject and
            expression, as ``(?P<subject>[^/]+)/(?P<expression>[^/]+)[.]jpg``. None: the adapter stops and shows
            what the files are called.
        folders: archive -> its folder below ROOT, if its name is not the archive's.
        expressions: the files' own word or number -> a name or alias of the vocabulary, or the same word to keep it.
        metadata: the spreadsheet, saved as CSV. None: its labels are unknown.
        columns: subject, group, side, severity, sunnybrook, eface -> the spreadsheet's heading. ``subject`` is needed;
            ``group`` if two archives use the same name for a subject.
        values: a word of ``columns`` -> {the spreadsheet's word: ours}, as {side: {L: left}, severity: {III: 3}}; a
            word that means unknown is given as "".
        frame: as for the data set "folder".
        splits: CSV with the columns subject ("flaccid/12") and split.
        detector: finds the face in photographs without points; None: the one that works without settings.
        attribution: of the photographs, for reports and cards.

    Raises:
        ValueError: for a missing pattern, an unknown expression, a malformed spreadsheet, or no usable photograph.
    """
    there = _folders(existing("meei", root, f"that holds {', '.join(ARCHIVES)}"), folders or {})
    words = words_of("meei", expressions)
    people = People() if metadata is None else read_people(metadata, columns or {}, values or {})
    if metadata is None and (columns or values):
        raise ValueError("meei: columns and values explain a spreadsheet; set the key metadata to it")
    keys = {"pattern": pattern, "folders": folders, "expressions": expressions, "columns": columns, "values": values}
    return AlignedPhotographs(
        image_size,
        cache,
        lambda: with_splits(read_layout(root, there, pattern, words, people), splits),
        Sources("meei", root, (metadata, splits), keys),
        frame=frame,
        detector=detector,
        attribution=attribution,
    )


def read_layout(
    root: Path,
    folders: Mapping[str, Path],
    pattern: str | None,
    words: Words,
    people: People,
) -> Listing:
    """The entries, as archives, names and the spreadsheet describe them.

    Raises:
        ValueError: for a missing pattern, unknown expressions, all of them in one message, or people mixed up.
    """
    tree = Tree(root)
    inside = {a: [path for path in tree.pictures if path.is_relative_to(folder)] for a, folder in folders.items()}
    if pattern is None:
        raise ValueError(_ask_for_pattern(root, folders, inside))
    outside = [path for path in tree.pictures if not any(path.is_relative_to(folder) for folder in folders.values())]
    words_outside = f"lies in none of the folders {', '.join(folder.name for folder in folders.values())}; move it"
    listing = Listing("meei", root, rejected=[*tree.rejected, *(reject(path, words_outside) for path in outside)])
    listing.notes = people.notes
    listing.expected = f"expected {', '.join(ARCHIVES)} in ROOT with files as the key pattern says ({pattern})"
    named: dict[str, list[Named]] = {}
    for archive, folder in folders.items():
        named[archive], unnamed = read_names(tree, inside[archive], folder, pattern_of("meei", pattern), words)
        listing.rejected += unnamed
    every = [photograph for group in named.values() for photograph in group]
    check_words("meei", every, words, "write expressions: {WORD: smile_full}, or {WORD: WORD} to keep it")
    described_people = people.of({archive: {p.subject for p in group} for archive, group in named.items()})
    _tell(people, named, len(described_people))
    for archive, group in named.items():

        def labels_of(photograph: Named, archive: str = archive) -> FaceLabels:
            known = described_people.get((archive, photograph.subject), FaceLabels())
            expression = words.canonical("meei", photograph.expression)
            subject = f"{archive}/{photograph.subject}"
            return replace(known, subject=subject, expression=expression, group=Group(archive))

        entries, conflicting = described(root, group, labels_of)
        listing.entries += entries
        listing.rejected += conflicting
    return listing


def _folders(root: Path, named: Mapping[str, str]) -> dict[str, Path]:
    """{archive: folder} of the existing ones.

    Raises:
        ValueError: for an unknown archive, a missing folder that a key names, or no folder at all.
    """
    if unknown := sorted(set(named) - set(ARCHIVES)):
        raise ValueError(f"meei: folders names {', '.join(unknown)}, expected {', '.join(ARCHIVES)}")
    paths = {archive: root / named.get(archive, archive) for archive in ARCHIVES}
    there = {archive: path for archive, path in paths.items() if path.is_dir()}
    if not there or set(named) - set(there):
        found = sorted(printable(path.name) for path in root.iterdir() if path.is_dir())
        raise ValueError(
            f"meei: {root} holds the folders {found}, expected {', '.join(path.name for path in paths.values())}; "
            f"unpack the archives there, or say with folders: {{flaccid: NAME}} what they are called"
        )
    return there


def _ask_for_pattern(root: Path, folders: Mapping[str, Path], inside: Mapping[str, list[Path]]) -> str:
    examples = [
        printable(path.relative_to(folders[archive])) for archive, paths in inside.items() for path in paths[:2]
    ]
    return (
        f"meei: no key pattern, and how the files are called is not guessed. Found in {root}, below "
        f"the archives' folders, such as {examples}; expected a regular expression of the whole path with the groups "
        f"subject and expression, as (?P<subject>[^/]+)/(?P<expression>[^/]+)[.]jpg"
    )


def _tell(people: People, named: Mapping[str, list[Named]], described_count: int) -> None:
    count = sum(len({photograph.subject for photograph in group}) for group in named.values())
    if people.rows:
        say(f"meei: the spreadsheet describes {described_count} of {count} people; of the others it says nothing")
        if people.rows > described_count:
            say(f"meei: {people.rows - described_count} of the spreadsheet's rows are of people without photographs")
