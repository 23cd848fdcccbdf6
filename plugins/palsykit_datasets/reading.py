"""Reads one photograph of a layout: opens it, finds its face and aligns it to the face frame."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from palsykit.errors import PalsykitError
from palsykit.faces.alignment import to_frame
from palsykit.faces.interfaces import Detector
from palsykit.faces.records import FaceRecord
from palsykit.files.atomic import write_with
from palsykit.photographs.files import read_bytes
from palsykit.photographs.find import SMALL_CROP, detector_of
from palsykit.photographs.frame import warp
from palsykit.photographs.read import Photograph, count_pictures, open_picture, read_photograph
from palsykit_datasets.cells import Points
from palsykit_datasets.entries import Entry
from palsykit_datasets.finding import Finder, by_detector, find_face
from palsykit_datasets.storage import cache_written

VERSION = 4
"""Increase it when the same file would give another aligned picture, so that cached pictures are replaced."""

SMALLEST = 16
"""px; no face can be seen in a picture, or in a face frame, with a shorter side."""

LYING = 45.0
"""Degrees between the eyes and the horizontal from which a face lies on its side."""

MOST_ENLARGED = 2.0
"""Largest factor by which a face may be enlarged, unless a layout sets another limit."""

Frame = Literal["auto", "points", "aligned"]
"""How a photograph is brought into the face frame.

"points": by its points, given or detected; "aligned": it already is a square crop in the face frame, and points are
used only as landmarks; "auto": as "points", and a small square picture (find.SMALL_CROP) without points is taken as a
crop in the face frame. A picture that is such a crop is recognised, and keeps its pixels.
"""

NO_DETECTOR = "none"
"""In place of a version where no detector works without settings."""


@dataclass(frozen=True, eq=False, slots=True)
class Reading:
    """What reading one entry gave. It does not depend on other entries.

    Attributes:
        content: SHA-256 of the file; None if it could not be read.
        record: None if the photograph cannot be used.
        aligned: the name of its aligned picture in the cache, without the suffix.
        believed: it was taken as a crop in the face frame because it is square.
        count: pictures in the file, of which the first is read.
        error: why it cannot be used.
    """

    content: str | None
    record: FaceRecord | None = None
    aligned: str = ""
    believed: bool = False
    count: int = 1
    error: ValueError | None = None


class Reader:
    """Reads entries, in any order and in several threads.

    Pictures and detected faces are cached under the hash of file, points, frame, size, finder and version, so that an
    interrupted reading resumes.

    Args:
        image_size: side of every picture in px.
        cache: folder for aligned pictures and detected faces.
        frame: how a photograph is brought into the face frame.
        detector: finds the face in photographs without points; its landmarks count as predicted. None: the detector
            that works without settings, if one is installed.
        smallest: px that a face frame must have in the photograph; None: half of ``image_size``.
        unmarked: why a photograph without points and detector is not used; ``{subject}`` is filled in.
        prepared: the pictures are crops in the face frame.
    """

    def __init__(
        self,
        image_size: int,
        cache: Path,
        *,
        frame: Frame,
        detector: Detector | None,
        smallest: float | None,
        unmarked: str = "",
        prepared: bool = False,
    ):
        self.image_size, self.cache, self._frame = image_size, cache, frame
        self.smallest = max(SMALLEST, image_size / MOST_ENLARGED) if smallest is None else smallest
        self._given = None if detector is None else by_detector(detector)
        self._unmarked, self._prepared = unmarked, prepared
        self._only_one, self._default = Lock(), list[Finder | None]()

    def read(self, entry: Entry) -> Reading:
        """Aligns the photograph unless it is cached.

        Raises:
            PalsykitError: the disk fails, or the cache cannot be written.
        """
        content = None
        try:
            photograph = _Photograph(_bytes(entry))
            content = photograph.content
            return self._read(entry, photograph)
        except ValueError as error:
            return Reading(content, error=error)

    @property
    def version(self) -> str | None:
        """The default detector's, if photographs were shown to it: what was read depends on it."""
        if not self._default:
            return None
        return NO_DETECTOR if self._default[0] is None else self._default[0].version

    def default_version(self) -> str:
        """The version of the detector that works without settings."""
        finder = self._without_settings()
        return NO_DETECTOR if finder is None else finder.version

    def _read(self, entry: Entry, photograph: "_Photograph") -> Reading:
        # Find the points, and with them the name of the aligned picture in the cache.
        points, source = self._points(entry, photograph)
        five = None if self._frame == "aligned" or points is None or points.whole else points.five
        name = self._digest(photograph.content, five)
        aligned = self.cache / f"{name}.png"
        # Align the picture if it is not cached, and move the landmarks with it.
        landmarks = None if points is None else points.landmarks
        if entry.points is not None and (five is None or not aligned.exists()):
            _check_given(entry.points, photograph)
        matrix = self._to_frame(photograph, five, aligned.exists(), landmarks is not None)
        if not aligned.exists() and matrix is not None:
            pixels = Image.fromarray(warp(photograph.picture, matrix, self.image_size))
            with cache_written(self.cache):
                write_with(aligned, lambda partial: pixels.save(partial, format="PNG"), lasting=False)
        believed = self._frame == "auto" and five is None and not self._prepared
        moved = _moved(landmarks, matrix)
        record = FaceRecord(
            key=entry.key,
            labels=entry.labels,
            landmarks=moved,
            landmarks_source=None if moved is None else source,
            split=entry.split,
            further=None if points is None else _moved(points.further, matrix),
            digest=_digest_of(entry, photograph.content),
        )
        believed = believed and (points is None or photograph.is_small)
        return Reading(photograph.content, record, name, believed, photograph.count)

    def _points(self, entry: Entry, photograph: "_Photograph") -> tuple[Points | None, str]:
        """Given points, else detected ones, else None; and their source.

        Raises:
            ValueError: if points are needed, and none are given or detected.
        """
        if entry.points is not None or self._frame == "aligned":
            return entry.points, "given" if entry.points is None else entry.points.source
        finders = [*entry.finders, *([] if self._finder is None else [self._finder])]
        if finders:
            try:
                return find_face(finders, self.cache, photograph.content, lambda: photograph.picture), "predicted"
            except ValueError as error:
                width, height = photograph.picture.size
                if self._given is None and self._frame == "auto" and width == height:
                    raise ValueError(f"{error}; if it is a crop in the face frame, set frame: aligned") from None
                raise
        if self._frame == "points":
            raise ValueError(self._unmarked.format(subject=entry.labels.subject))
        return None, "given"

    @property
    def _finder(self) -> Finder | None:
        """The detector that was given, else the one that works without settings; a prepared folder has crops only."""
        if self._given is not None or self._prepared:
            return self._given
        with self._only_one:
            if not self._default:
                self._default.append(self._without_settings())
        return self._default[0]

    def _without_settings(self) -> Finder | None:
        try:
            return by_detector(detector_of(), crops=True, small=SMALL_CROP if self._frame == "auto" else 0)
        except PalsykitError:  # none is installed
            return None

    def _to_frame(
        self, photograph: "_Photograph", five: NDArray[np.float64] | None, cached: bool, landmarks: bool
    ) -> NDArray[np.float64] | None:
        """The transform [2, 3] from the photograph to the face frame; None if it is cached and moves no landmarks.

        Raises:
            ValueError: if the picture is too small, or neither points nor shape give the place of the face.
        """
        if cached and five is not None:
            return to_frame(five, self.image_size)  # it was checked before it was cached
        if cached and not landmarks:
            return None
        (width, height), size = photograph.picture.size, self.image_size
        if min(width, height) < SMALLEST:
            raise ValueError(f"too small: found {width} x {height} px, expected {SMALLEST} px a side at least")
        if five is not None:
            return _by_points(five, width, height, size, self.smallest)
        if width != height:
            raise ValueError(
                f"found {width} x {height} px and no points to align it by, expected landmarks, five points or a "
                f"square crop in the face frame; give points"
            )
        return np.array([[size / width, 0.0, 0.0], [0.0, size / width, 0.0]])

    def _digest(self, content: str, five: NDArray[np.float64] | None) -> str:
        how = self._frame if five is None else five.tolist()
        facts = f"aligned {VERSION} {self.image_size} {self.smallest:g} {how} {content}"
        return hashlib.sha256(facts.encode()).hexdigest()[:40]


def _moved(points: NDArray[np.float64] | None, matrix: NDArray[np.float64] | None) -> NDArray[np.float32] | None:
    """Points [N, 2] px of the photograph, moved to the aligned picture."""
    return None if points is None or matrix is None else (points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)


def _digest_of(entry: Entry, content: str) -> str:
    """What a photograph and its given points are, by their content."""
    given = [] if entry.points is None else [entry.points.five, entry.points.landmarks, entry.points.further]
    parts = [content, *(points.tobytes().hex() for points in given if points is not None)]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()


def _bytes(entry: Entry) -> bytes:
    try:
        return read_bytes(entry.path)
    except ValueError as error:
        raise ValueError(f"{error}; {entry.where} names it" if entry.where else str(error)) from None


class _Photograph:
    """A file's bytes, opened when they are needed."""

    def __init__(self, data: bytes):
        self._data = data
        self.content = hashlib.sha256(data).hexdigest()

    @cached_property
    def _read(self) -> Photograph:
        return read_photograph(self._data)

    @property
    def picture(self) -> Image.Image:
        return self._read.picture

    @property
    def orientation(self) -> int:
        """EXIF's, 1 to 8; 1: viewers show it as it is stored."""
        return 1 if self._read.original is None else self._read.original.orientation

    @cached_property
    def count(self) -> int:
        """How many pictures the file holds, of which the first is read."""
        return count_pictures(self._data)

    @cached_property
    def is_small(self) -> bool:
        """Whether no detector looks at it (find.SMALL_CROP)."""
        with open_picture(self._data) as opened:
            return max(opened.size) <= SMALL_CROP


def _check_given(points: Points, photograph: _Photograph) -> None:
    """Refuses points of another picture: outside of this one, or of it as it is stored where viewers turn it.

    If viewers turn a picture upright and the face lies on its side, or on its head, its points were not turned.

    Raises:
        ValueError: if so.
    """
    _refuse_outside(points.five, *photograph.picture.size)
    right, down = points.five[1] - points.five[0]
    turned = abs(float(np.degrees(np.arctan2(down, right))))
    if photograph.orientation != 1 and turned > LYING:
        raise ValueError(
            f"found points of a face turned by {turned:.0f} degrees, and viewers turn the picture (EXIF orientation "
            f"{photograph.orientation}); expected points in px of the upright picture; turn them, or save the picture "
            "upright without EXIF"
        )


def _refuse_outside(five: NDArray[np.float64], width: int, height: int) -> None:
    if (five < 0).any() or (five > (width, height)).any():
        raise ValueError(
            f"found eyes, nose or mouth outside the picture of {width} x {height} px; expected points in px of the "
            f"upright picture, as viewers show it; correct them, or show the whole face"
        )


def _by_points(five: NDArray[np.float64], width: int, height: int, size: int, smallest: float) -> NDArray[np.float64]:
    _refuse_outside(five, width, height)
    matrix = to_frame(five, size)
    side = size / float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if side < smallest:
        raise ValueError(
            f"the face is too small: its frame is {side:.0f} px wide, expected {smallest:g} px at least for pictures "
            f"of {size} px"
        )
    return matrix
