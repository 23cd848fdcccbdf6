"""The photographs of a layout as a data set: aligned once, in parallel, and found again by an index."""

import functools
import hashlib
import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from palsykit.data.faults import tally
from palsykit.data.rejections import printable
from palsykit.errors import PalsykitError
from palsykit.faces.index import read_index, write_index
from palsykit.faces.interfaces import Detector
from palsykit.faces.records import FaceRecord, NothingUsable, Rejected
from palsykit.parallel import in_parallel
from palsykit.photographs.files import refuse_disk
from palsykit.photographs.read import note_on_others
from palsykit_datasets.cells import COLUMNS
from palsykit_datasets.entries import Entry, Listing
from palsykit_datasets.files import reject
from palsykit_datasets.reading import Frame, Reader
from palsykit_datasets.stamp import Sources, stamp


class AlignedPhotographs:
    """A data set of a layout's entries, aligned when it is built; unusable photographs are in ``rejected``.

    Photographs are read in several threads, which changes no bit. What was found is kept in an index; while no file,
    setting or version changes, the next start opens neither tables nor photographs.

    Args:
        image_size: side of every picture in px.
        cache: folder for aligned pictures, detected faces and the index.
        read_layout: lists the entries; not called if the index holds what it gave.
        sources: the folder, and everything else that the entries depend on.
        frame: how a photograph is brought into the face frame.
        detector: finds the face in photographs without points; its landmarks count as predicted. None: the detector
            that works without settings, if one is installed.
        smallest: px that a face frame must have in the photograph; None: half of ``image_size``.
        attribution: of the photographs.

    Attributes:
        notes: what a user should know of how the photographs were read, a line each.

    Raises:
        NothingUsable: if no photograph can be used, with the first reasons.
        PalsykitError: the disk fails, or the cache cannot be written.
    """

    def __init__(
        self,
        image_size: int,
        cache: Path,
        read_layout: Callable[[], Listing],
        sources: Sources,
        *,
        frame: Frame,
        detector: Detector | None = None,
        smallest: float | None = None,
        attribution: str = "",
    ):
        self.image_size, self.cache, self.attribution = image_size, cache, attribution
        self.records: Sequence[FaceRecord] = []
        self.rejected: list[Rejected] = []
        self.notes: list[str] = []
        self._aligned: dict[str, str] = {}
        how: dict[str, Any] = {"frame": frame, "detector": detector, "smallest": smallest}
        facts = [image_size, frame, smallest, None if detector is None else detector.version]
        name = hashlib.sha256(repr((sources.name, facts)).encode()).hexdigest()[:40]
        index, origin = cache / f"{name}.safetensors", stamp(sources)
        if origin is not None and self._found_again(index, origin, Reader(image_size, cache, **how)):
            return
        listing = read_layout()
        reader = Reader(image_size, cache, **how, unmarked=listing.unmarked, prepared=listing.prepared)
        self._read(listing, reader)
        if origin is not None and origin == stamp(sources):
            extra = [list(self._aligned.values()), [[r.path, r.reason] for r in self.rejected], self.notes,
                     reader.version]  # fmt: skip
            write_index(index, origin, self.records, extra, listing.root.name)

    def image(self, record: FaceRecord) -> NDArray[np.uint8]:
        """The aligned picture [image_size, image_size, 3] RGB."""
        aligned = self.cache / f"{self._aligned[record.key]}.png"
        try:
            with Image.open(aligned) as picture:
                return np.asarray(picture, dtype=np.uint8)
        except (OSError, ValueError, SyntaxError) as error:
            if isinstance(error, OSError):
                refuse_disk(aligned, error)
            aligned.unlink(missing_ok=True)
            raise PalsykitError(
                f"{aligned}: the aligned picture of {record.key} is gone from the cache, or damaged ({error}); run the "
                "command again, which makes it again"
            ) from error

    def _found_again(self, index: Path, origin: str, reader: Reader) -> bool:
        """Takes everything from the index; False if it does not hold, or an aligned picture is gone from the cache."""
        if (found := read_index(index, origin)) is None:
            return False
        records, (aligned, rejected, notes, version) = found
        there = {entry.name for entry in os.scandir(self.cache)}
        if any(f"{name}.png" not in there for name in aligned):
            return False
        if version is not None and version != reader.default_version():
            return False
        self.records, self.notes = records, notes
        self.rejected = [Rejected(path, reason) for path, reason in rejected]
        self._aligned = dict(zip((record.key for record in records), aligned, strict=True))
        return True

    def _read(self, listing: Listing, reader: Reader) -> None:
        records: list[FaceRecord] = []
        self.rejected, believed = list(listing.rejected), []
        entries, seen = listing.entries, dict[str, Entry]()
        readings = in_parallel(reader.read, entries, f"aligning {listing.root.name}", len(entries), "photographs")
        for entry, reading in zip(entries, readings, strict=True):
            if (reason := self._refusal(entry, reading.content, seen) or reading.error) or reading.record is None:
                self.rejected.append(reject(entry.path, reason))
                continue
            if reading.believed:
                believed.append(entry.key)
            if reading.count > 1:
                self.rejected.append(reject(entry.path, note_on_others(reading.count)))
            seen[str(reading.content)], self._aligned[entry.key] = entry, reading.aligned
            records.append(reading.record)
        self.records = records
        self.notes = [*listing.notes, *_unread(entries), *_elsewhere(listing.root, entries), *_taken_as_crops(believed)]
        if not records:
            reasons = "; ".join(f"{r.path}: {r.reason}" for r in self.rejected[:3]) or listing.nothing
            raise NothingUsable(
                f"{listing.layout}: no picture in {listing.root} can be used ({reasons}); {listing.expected}",
                self.rejected,
            )

    def _refusal(self, entry: Entry, content: str | None, seen: dict[str, Entry]) -> str | None:
        """Why a repeated name or picture is not used; ``seen`` holds the usable ones by their content."""
        if entry.key in self._aligned:
            return f"another file's name reads {entry.key!r} as well; rename one"
        if content is not None and (first := seen.get(content)):
            repeats = f"; {entry.where} repeats it" if entry.where else ""
            return f"the same picture as {first.key} of subject {first.labels.subject}{repeats}"
        return None


def _taken_as_crops(believed: Sequence[str]) -> list[str]:
    if not believed:
        return []
    what = tally("square photographs without points that are taken as crops in the face frame", believed)
    return [f"{what}; if they are not, give their points, or set frame: points"]


def _elsewhere(root: Path, entries: Sequence[Entry]) -> list[str]:
    """The photographs outside the folder to which links in it lead: those of a stranger may lead to any picture."""
    base = os.path.realpath(root)  # functions of os.path also take links to themselves and names that are too long
    is_below = functools.cache(lambda path: Path(os.path.realpath(path)).is_relative_to(base))

    def leads_out(path: Path) -> bool:
        return not is_below(path.parent) or (os.path.islink(path) and not is_below(path))  # noqa: PTH114

    keys = [entry.key for entry in entries if leads_out(entry.path)]
    if not keys:
        return []
    what = tally("photographs outside the folder, to which links in it lead", keys)
    return [f"{what}; they are used; if the links are not yours, remove them"]


def _unread(entries: Sequence[Entry]) -> list[str]:
    """The columns of tables and sidecar files that nothing reads."""
    counts = Counter(column for entry in entries for column in dict.fromkeys(entry.unread))
    columns = [f"{printable(column)} of {count} photographs" for column, count in counts.most_common()]
    return (
        [f"{tally('columns that are not read', columns)}; those that are read: {', '.join(COLUMNS)}"] if columns else []
    )
