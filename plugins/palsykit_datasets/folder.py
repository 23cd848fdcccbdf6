"""Your own photographs, one folder per subject, with labels in files beside them or in one table."""

from pathlib import Path

from palsykit.data.rejections import printable
from palsykit.faces.interfaces import Detector
from palsykit.faces.vocabulary import FaceLabels
from palsykit_datasets.aligned import AlignedPhotographs
from palsykit_datasets.cells import Said, merged
from palsykit_datasets.entries import Entry, Listing, existing, with_splits
from palsykit_datasets.expressions import UnknownExpression, Words, words_of
from palsykit_datasets.files import meant, reject
from palsykit_datasets.metadata import read_metadata
from palsykit_datasets.reading import Frame
from palsykit_datasets.stamp import Sources
from palsykit_datasets.tree import Tree

TABLE = "labels.csv"


def folder(
    image_size: int,
    cache: Path,
    *,
    root: Path,
    labels: Path | None = None,
    expressions: dict[str, str] | None = None,
    frame: Frame = "points",
    splits: Path | None = None,
    detector: Detector | None = None,
    attribution: str = "",
) -> AlignedPhotographs:
    """``ROOT/SUBJECT/NAME.jpg``, at any depth below the subject's folder. Of a path only the subject is read.

    Labels and landmarks are beside the photograph, in ``NAME.json`` (an object with any of an imagefolder's
    columns but file_name), or in one table, ``ROOT/labels.csv`` (file_name, the path below ROOT, and the
    same columns); landmarks alone also in ``NAME.pts``, ``NAME.tem`` or ``NAME.csv`` (landmark_files.py). What
    neither gives is unknown. If both give a label, they must agree; a column ``subject`` must agree with the folder.

    Args:
        image_size: side of every picture in px.
        cache: folder for aligned pictures and detected faces.
        root: the folder that holds one folder per subject.
        labels: the table, CSV or .jsonl, if it is elsewhere; None: ROOT/labels.csv, if it exists.
        expressions: own word -> a name or alias of the vocabulary, or the same word to keep it.
        frame: "points": photographs are aligned by given points, else by the detector's; "aligned": they are square
            crops in the face frame already; "auto": the latter for square ones without points or detector.
        splits: CSV with the columns subject and split, in place of a split in the labels.
        detector: finds the face in photographs without points; None: the one that works without settings.
        attribution: of the photographs, for reports and cards.

    Raises:
        ValueError: for a malformed table, an unknown expression, and a folder without a usable photograph.
    """
    words = words_of("folder", expressions)
    base = existing("folder", root, "that holds a folder for every subject")
    return AlignedPhotographs(
        image_size,
        cache,
        lambda: with_splits(read_layout(base, labels, words), splits),
        Sources("folder", root, (labels, splits), {"expressions": expressions}),
        frame=frame,
        detector=detector,
        attribution=attribution,
    )


def read_layout(root: Path, labels: Path | None, words: Words) -> Listing:
    """The entries, as folders, sidecar files and the table describe them.

    Raises:
        UnknownExpression: for an unexplained expression.
        ValueError: for a malformed table.
    """
    table = labels or (root / TABLE if (root / TABLE).is_file() else None)
    tree = Tree(root, [] if table is None else [table])
    read = [] if table is None else read_metadata(table, words)
    paths = meant(root, (row.name for row in read), tree.files)
    rows = {paths[row.name]: row.said for row in read}
    listing = Listing("folder", root, rejected=tree.rejected)
    listing.expected = "expected ROOT/SUBJECT/NAME.jpg and landmarks, or the key detector; check the key root"
    for path in tree.pictures:
        try:
            listing.entries.append(_entry(root, path, merged(rows.get(path, Said("")), tree.said_beside(path, words))))
        except UnknownExpression:
            raise
        except (ValueError, OSError) as error:
            listing.rejected.append(reject(path, error))
    known = {printable(path) for path in tree.files} | {listed.path for listed in tree.rejected}
    for path, said in rows.items():
        if printable(path) not in known:
            listing.rejected.append(reject(path, f"there is no such file; {said.where} names it"))
    return listing


def _entry(root: Path, path: Path, said: Said) -> Entry:
    below = path.relative_to(root)
    if len(below.parts) < 2:
        raise ValueError("lies in no subject's folder; expected ROOT/SUBJECT/NAME.jpg; move it into one")
    subject = printable(below.parts[0])
    said = merged(said, Said(f"the folder's name {subject!r}", FaceLabels(subject=subject)))
    return Entry(path, printable(below), said.labels, said.split, said.points, said.where, unread=said.unread)
