"""Your own photographs as a Hugging Face imagefolder: a folder with metadata.jsonl or metadata.csv."""

from pathlib import Path

from palsykit.data.imagefolder import METADATA
from palsykit.data.rejections import printable
from palsykit.faces.interfaces import Detector
from palsykit.faces.records import Rejected
from palsykit_datasets.aligned import AlignedPhotographs
from palsykit_datasets.entries import Entry, Listing, existing, with_splits
from palsykit_datasets.expressions import Words, words_of
from palsykit_datasets.files import MADE_WITH, Files, files_below, is_palsykits, is_picture, meant, reject, strays
from palsykit_datasets.metadata import Row, find_metadata, read_metadata
from palsykit_datasets.reading import SMALLEST, Frame
from palsykit_datasets.stamp import Sources


def imagefolder(
    image_size: int,
    cache: Path,
    *,
    root: Path,
    frame: Frame = "auto",
    expressions: dict[str, str] | None = None,
    splits: Path | None = None,
    detector: Detector | None = None,
    attribution: str = "",
) -> AlignedPhotographs:
    """``ROOT/metadata.jsonl`` or ``.csv`` with one row per picture: file_name, subject and what else is known.

    Further columns: expression, side (the subject's), severity, group, sunnybrook, eface, split, and ``landmarks``
    (68 x [x, y]) or ``points5`` (image-left eye, image-right eye, nose tip, image-left and image-right mouth corner),
    in px of the upright picture; landmarks take precedence. A picture with points is aligned to the face frame by
    them, and landmarks move with it, "given" unless the column landmarks_source says "predicted". What the metadata
    leaves out is unknown; nothing is read from names or folders. Pictures that cannot be used, have no row or are
    copies of others are in ``rejected`` with a reason. The images/ of a run and folders that ``palsykit data`` wrote
    can be read as well: their pictures are in the face frame.

    Args:
        image_size: side of every picture in px.
        cache: folder for aligned pictures and detected faces.
        root: the folder.
        frame: "points": every picture is aligned by its points, given or detected; "aligned": every picture is a
            square crop in the face frame already, and points are used only as landmarks; "auto": as "points", and a
            square picture without a face that can be found is taken as such a crop.
        expressions: the folder's own word -> a name or alias of the vocabulary, or the same word to keep it.
        splits: CSV with the columns subject and split, in place of the metadata's column.
        detector: finds the face in pictures without points; None: the one that works without settings. A folder that
            ``palsykit data prepare`` wrote has crops only, and needs none.
        attribution: of the photographs, for reports and cards.

    Raises:
        ValueError: for malformed metadata, with file and line, and for a folder without a usable picture.
    """
    base, words = existing("imagefolder", root, f"with {METADATA}"), words_of("imagefolder", expressions)
    made = [root.parent / name for name in MADE_WITH]
    return AlignedPhotographs(
        image_size,
        cache,
        lambda: with_splits(read_layout(base, words), splits),
        Sources("imagefolder", root, (splits, *made), {"expressions": expressions}),
        frame=frame,
        detector=detector,
        smallest=SMALLEST,
        attribution=attribution,
    )


def read_layout(root: Path, words: Words) -> Listing:
    """The entries, as the metadata describes them.

    Raises:
        ValueError: for malformed metadata, with file and line.
    """
    table, files = find_metadata(root), files_below(root)
    rows = read_metadata(table, words)
    paths = meant(root, (row.name for row in rows), files.paths)
    return Listing(
        "imagefolder",
        root,
        entries=[_entry(root, paths[row.name], row) for row in rows],
        rejected=_without_row(files, set(paths.values()), table),
        expected=f"expected a row with file_name and subject for every picture in {table}",
        nothing="the metadata has no rows",
        unmarked="no landmarks and no points5, which frame: points asks for; add one of the columns, or set detector",
        prepared=is_palsykits(root) or is_palsykits(root.parent),
    )


def _entry(root: Path, path: Path, row: Row) -> Entry:
    said, key = row.said, printable(path.relative_to(root))
    if said.labels.subject is None:
        raise ValueError(
            f"{said.where}: found no subject, expected one for every picture (splits go by subject); add it"
        )
    return Entry(path, key, said.labels, said.split, said.points, said.where, unread=said.unread)


def _without_row(files: Files, named: set[Path], table: Path) -> list[Rejected]:
    """Files below the folder, apart from hidden ones, that no row names."""
    known = {printable(path) for path in named}
    others = [path for path in files.paths if path not in named]
    unreached = [listed for listed in files.rejected if listed.path not in known]
    words = "the metadata has no row for it; add one with file_name and subject"
    return [*unreached, *strays(others, {table}), *(reject(path, words) for path in others if is_picture(path))]
