"""Sorts the files of a data set's folder: photographs, ``NAME.json`` beside ``NAME.jpg``, and the rest."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from palsykit.faces.records import Rejected
from palsykit_datasets.cells import Said
from palsykit_datasets.expressions import Words
from palsykit_datasets.files import files_below, is_picture, reject, strays
from palsykit_datasets.landmark_files import SUFFIXES, read_sidecar


class Tree:
    """Every file below a folder.

    Args:
        root: the folder.
        tables: files that describe many photographs and belong to none.

    Attributes:
        files: all reachable files, in the order of their paths.
        pictures: those with a picture's extension.
        rejected: unreachable files, pictures with another extension, and landmarks without a photograph.
    """

    def __init__(self, root: Path, tables: Sequence[Path] = ()):
        found = files_below(root)
        self.files: Sequence[Path] = found.paths
        self.pictures = [path for path in found.paths if is_picture(path)]
        named = {(path.parent, path.stem) for path in self.pictures}
        self._beside: defaultdict[tuple[Path, str], list[Path]] = defaultdict(list)
        orphans = []
        for path in found.paths:
            if path.suffix.lower() not in SUFFIXES or path in tables:
                continue
            if (path.parent, path.stem) in named:
                self._beside[path.parent, path.stem].append(path)
            elif path.parent != root or path.suffix.lower() not in (
                ".csv",
                ".json",
            ):  # a document at the top
                orphans.append(path)
        read = {*tables, *orphans, *(path for paths in self._beside.values() for path in paths)}
        words = "no photograph of this name lies beside it; rename one of them, or remove it"
        self.rejected: list[Rejected] = [
            *found.rejected,
            *strays(found.paths, read, root),
            *(reject(path, words) for path in orphans),
        ]

    def said_beside(self, picture: Path, words: Words) -> Said:
        """The content of the file beside a photograph; empty without one.

        Raises:
            UnknownExpression: for an unexplained expression.
            ValueError: for two files, or a malformed one.
        """
        found = self._beside.get((picture.parent, picture.stem), [])
        if len(found) > 1:
            names = " and ".join(path.name for path in found)
            raise ValueError(f"found {names} beside it, expected one file of landmarks; remove the others")
        return read_sidecar(found[0], words) if found else Said("")
