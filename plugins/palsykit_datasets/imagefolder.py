"""One's own photographs: a Hugging Face imagefolder, a folder with metadata.jsonl or metadata.csv."""

import hashlib
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from palsykit.atomic import write_with
from palsykit.faces.alignment import to_frame
from palsykit.faces.records import FaceRecord, Rejected
from palsykit.progress import track
from palsykit_datasets.metadata import NAMES, Row, read_metadata
from palsykit_datasets.photographs import SUFFIXES, decode, warp

VERSION = 1
"""Raise it when the same file would give another aligned picture: cached ones are then made anew."""

SMALLEST = 16
"""px; a picture, or the face frame in it, with a shorter side shows no face."""


class ImageFolder:
    """``ROOT/metadata.jsonl`` or ``.csv`` with a row a picture: file_name, subject and what else is known.

    Further columns: expression, side (the subject's), severity, split, and ``landmarks`` (68 x [x, y]) or ``points5``
    (image-left eye, image-right eye, nose tip, image-left and image-right mouth corner), in px of the upright
    picture; with both, landmarks count. A picture with points is aligned to the face frame by them, and landmarks move
    with it ("given"). What the metadata leaves out stays unknown; nothing is read out of names or folders. A picture
    that cannot be used, or has no row, or is another one's copy is in ``rejected`` with its reason. What a run writes
    to its images/ can be read: its pictures are in the face frame.

    Args:
        image_size: side of every picture in px.
        cache: folder for aligned pictures, named by the hash of file, points, frame, size and version.
        root: the folder.
        frame: "points": every picture is aligned by its points; "aligned": every picture is a square crop in the
            face frame already, and points are used only as landmarks; "auto": by points where there are some, and
            square pictures without are in the face frame already.
        expressions: the folder's own word -> a name or alias of the vocabulary, or the same word to keep it.
        attribution: of the photographs, for reports and cards.

    Raises:
        ValueError: for malformed metadata, with file and line, and for a folder without a usable picture.
    """

    def __init__(
        self,
        image_size: int,
        cache: Path,
        *,
        root: Path,
        frame: Literal["auto", "points", "aligned"] = "auto",
        expressions: dict[str, str] | None = None,
        attribution: str = "",
    ):
        if not root.is_dir():
            raise ValueError(f"imagefolder: {root} is no folder; set the key root to the folder with {NAMES[0]}")
        self.image_size, self.cache, self.attribution = image_size, cache, attribution
        self.records: list[FaceRecord] = []
        self._root, self._frame = root, frame
        self._aligned: dict[str, Path] = {}
        rows = read_metadata(root, expressions or {})
        self.rejected = _without_row(root, {row.name for row in rows})
        seen: dict[str, Row] = {}
        with track(f"aligning {root.name}", len(rows), "photographs") as work:
            for row in rows:
                try:
                    self.records.append(self._record(row, seen))
                except (ValueError, OSError) as error:
                    self.rejected.append(Rejected(str(root / row.name), str(error)))
                work.advance()
        if not self.records:
            reasons = "; ".join(f"{r.path}: {r.reason}" for r in self.rejected[:3]) or "the metadata has no rows"
            raise ValueError(f"imagefolder: no picture in {root} can be used ({reasons})")

    def image(self, record: FaceRecord) -> NDArray[np.uint8]:
        """The aligned picture [image_size, image_size, 3] RGB."""
        with Image.open(self._aligned[record.key]) as picture:
            return np.asarray(picture, dtype=np.uint8)

    def _record(self, row: Row, seen: dict[str, Row]) -> FaceRecord:
        """Aligns the picture unless its aligned one is cached; ``seen`` has the usable pictures by their content.

        Raises:
            ValueError: where it cannot be used.
            OSError: where the file cannot be read.
        """
        path = self._root / row.name
        if not path.is_file():
            raise ValueError(f"there is no such file; {row.where} names it")
        data = path.read_bytes()
        content = hashlib.sha256(data).hexdigest()
        if first := seen.get(content):
            raise ValueError(
                f"the same picture as {first.name} of subject {first.labels.subject}; {row.where} repeats it"
            )
        five = None if self._frame == "aligned" else row.five
        aligned = self.cache / f"{self._digest(content, five)}.png"
        # Only landmarks of a picture that is taken as it is still need its size once it is cached.
        cached = aligned.exists() and (five is not None or row.landmarks is None)
        matrix = to_frame(five, self.image_size) if cached and five is not None else None
        if not cached:
            picture = decode(data)
            matrix = self._matrix(picture, five)
            pixels = Image.fromarray(warp(picture, matrix, self.image_size))
            write_with(aligned, lambda partial: pixels.save(partial, format="PNG"))
        seen[content], self._aligned[row.name] = row, aligned
        moved = None if row.landmarks is None or matrix is None else row.landmarks @ matrix[:, :2].T + matrix[:, 2]
        return FaceRecord(
            key=row.name,
            labels=row.labels,
            landmarks=None if moved is None else moved.astype(np.float32),
            landmarks_source=None if moved is None else "given",
            split=row.split,
        )

    def _matrix(self, picture: Image.Image, five: NDArray[np.float64] | None) -> NDArray[np.float64]:
        """The transform [2, 3] from the picture to the face frame.

        Raises:
            ValueError: where the picture is too small, or its points or its shape do not say where the face is.
        """
        (width, height), size = picture.size, self.image_size
        if min(width, height) < SMALLEST:
            raise ValueError(f"too small: found {width} x {height} px, expected {SMALLEST} px a side at least")
        if five is not None:
            return _by_points(five, width, height, size)
        if self._frame == "points":
            raise ValueError("no landmarks and no points5, which frame: points asks for; add one of the columns")
        if width != height:
            raise ValueError(
                f"found {width} x {height} px and no points to align it by, expected landmarks, points5 or a square "
                f"crop in the face frame; add points5 to its row"
            )
        return np.array([[size / width, 0.0, 0.0], [0.0, size / width, 0.0]])

    def _digest(self, content: str, five: NDArray[np.float64] | None) -> str:
        how = self._frame if five is None else five.tolist()
        return hashlib.sha256(f"imagefolder {VERSION} {self.image_size} {how} {content}".encode()).hexdigest()[:40]


def _by_points(five: NDArray[np.float64], width: int, height: int, size: int) -> NDArray[np.float64]:
    if (five < 0).any() or (five > (width, height)).any():
        raise ValueError(
            f"found eyes, nose or mouth outside the picture of {width} x {height} px; expected points in px of the "
            f"upright picture, as viewers show it; correct them"
        )
    matrix = to_frame(five, size)
    side = size / float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if side < SMALLEST:
        raise ValueError(f"the face is too small: its frame is {side:.0f} px wide, expected {SMALLEST} px at least")
    return matrix


def _without_row(root: Path, named: set[str]) -> list[Rejected]:
    """Pictures below the folder, hidden ones aside, that the metadata does not name."""
    rejected = []
    for path in sorted(root.rglob("*")):
        below = path.relative_to(root)
        hidden = any(part.startswith(".") for part in below.parts)
        if path.suffix.lower() in SUFFIXES and not hidden and below.as_posix() not in named and path.is_file():
            rejected.append(Rejected(str(path), "the metadata has no row for it; add one with file_name and subject"))
    return rejected
