"""Folders of photographs with webmorph templates, such as the Face Research Lab London Set."""

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from palsykit.faces.alignment import five_points, to_frame
from palsykit.faces.records import FaceRecord, Rejected
from palsykit.faces.vocabulary import FaceLabels, canonical_expression
from palsykit.faces.webmorph import read_template, to_ibug68
from palsykit.progress import track
from palsykit_datasets.photographs import SUFFIXES, decode, warp
from palsykit_datasets.registration import SIDE, eye_shift
from palsykit_datasets.splits import read_splits

VERSION = 1
"""Raise it when the same file would give another aligned picture: cached ones are then made anew."""

MOST_ENLARGED = 2.0
"""A face that would have to be enlarged by more is too small."""

LEAST_ALIKE = 0.6
"""Correlation of the eye bands below which two photographs are not taken to show the same pose."""


@dataclass(frozen=True)
class Photograph:
    """A file, what its place and name say, and the 68 points of its template or None."""

    path: Path
    key: str
    subject: str
    expression: str
    points: NDArray[np.float32] | None


class WebmorphFolder:
    """``ROOT/EXPRESSION/NAME.jpg``, some or all with a template ``NAME.tem`` (189 points) beside them.

    A photograph with a template is aligned to the face frame by it and gets its landmarks ("given"). One without takes
    the template of another photograph of the same subject, the first in the order of paths, as a first guess (one
    sitting, one camera set-up) and is then moved so that the eyes correlate best: size and tilt stay the guess's. Its
    landmarks stay unknown. What cannot be used is in ``rejected`` with its reason. Of side and severity the layout
    says nothing: both stay unknown.

    Args:
        image_size: side of every picture in px.
        cache: folder for aligned pictures, named by the hash of files, points, size and version.
        root: the folder.
        splits: CSV with the columns subject and split; it must name every subject. None: core splits.
        expressions: subfolder -> expression; only these are read. None: every subfolder, by its own name. A name or
            alias of the vocabulary becomes canonical ("neutral" is rest); any other is kept as it is.
        subject: a pattern whose first group, at the start of the file name, is the subject.
        attribution: of the photographs, for reports and cards.

    Raises:
        ValueError: for a missing or empty folder, a subject that ``splits`` lacks, a pattern without a group.
    """

    def __init__(
        self,
        image_size: int,
        cache: Path,
        *,
        root: Path,
        splits: Path | None = None,
        expressions: dict[str, str] | None = None,
        subject: str = r"(\d+)",
        attribution: str = "",
    ):
        self.image_size, self.cache, self.attribution = image_size, cache, attribution
        self.rejected: list[Rejected] = []
        self.records: list[FaceRecord] = []
        self._aligned: dict[str, Path] = {}
        found = self._photographs(root, _folders(root, expressions), _pattern(subject))
        where = None if splits is None else _splits_of_all(splits, {photograph.subject for photograph in found})
        self.cache.mkdir(parents=True, exist_ok=True)
        with track(f"aligning {root.name}", len(found), "photographs") as work:
            for photograph in found:
                try:
                    self.records.append(self._record(photograph, found, where))
                except (ValueError, OSError) as error:
                    self.rejected.append(Rejected(str(photograph.path), str(error)))
                work.advance()
        if not self.records:
            reasons = "; ".join(f"{r.path}: {r.reason}" for r in self.rejected[:3]) or "there is none"
            raise ValueError(
                f"webmorph: no photograph in {root} can be used ({reasons}); expected ROOT/EXPRESSION/NAME.jpg "
                f"with NAME.tem; check the keys root, expressions and subject"
            )

    def image(self, record: FaceRecord) -> NDArray[np.uint8]:
        """The aligned picture [image_size, image_size, 3] RGB."""
        with Image.open(self._aligned[record.key]) as picture:
            return np.asarray(picture, dtype=np.uint8)

    def _photographs(self, root: Path, folders: Mapping[str, str], pattern: re.Pattern[str]) -> list[Photograph]:
        """Every photograph with a usable name and, where it has one, a usable template, in the order of paths."""
        found = []
        for folder, expression in folders.items():
            for path in sorted((root / folder).iterdir()):
                if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
                    continue
                try:
                    found.append(_photograph(path, f"{folder}/{path.name}", expression, pattern))
                except (ValueError, OSError) as error:
                    self.rejected.append(Rejected(str(path), str(error)))
        return found

    def _record(
        self, photograph: Photograph, found: Sequence[Photograph], splits: Mapping[str, str] | None
    ) -> FaceRecord:
        """Aligns the photograph unless its aligned picture is cached.

        Raises:
            ValueError: where it cannot be read or aligned.
        """
        data = photograph.path.read_bytes()
        given = photograph.points is not None
        lender = photograph if given else _lender(photograph, found)
        matrix = _alignment(_points(lender), self.image_size)
        name = _digest(self.image_size, _points(lender).tobytes(), data, b"" if given else lender.path.read_bytes())
        aligned = self.cache / f"{name}.png"
        if not aligned.exists():
            picture = decode(data)
            to_size = matrix if given else _registered(picture, lender, self.image_size)
            _save(Image.fromarray(warp(picture, to_size, self.image_size)), aligned)
        self._aligned[photograph.key] = aligned
        return FaceRecord(
            key=photograph.key,
            labels=FaceLabels(subject=photograph.subject, expression=photograph.expression),
            landmarks=(_points(lender) @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32) if given else None,
            landmarks_source="given" if given else None,
            split=None if splits is None else splits[photograph.subject],
        )


def _folders(root: Path, expressions: dict[str, str] | None) -> dict[str, str]:
    """{subfolder: expression}, sorted."""
    if not root.is_dir():
        raise ValueError(f"webmorph: {root} is no folder; set the key root to the folder that holds one per expression")
    names = sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    if expressions is None:
        return {name: _word(name) for name in names}
    if missing := sorted(set(expressions) - set(names)):
        raise ValueError(f"webmorph: expressions names {missing}, which {root} lacks; its folders are {names}")
    return {name: _word(word) for name, word in sorted(expressions.items())}


def _word(name: str) -> str:
    """The canonical expression, or the data set's own word where it is none of the vocabulary's."""
    try:
        return canonical_expression(name)
    except ValueError:
        return name


def _pattern(subject: str) -> re.Pattern[str]:
    try:
        pattern = re.compile(subject)
    except re.error as error:
        raise ValueError(f"webmorph: subject {subject!r} is no regular expression: {error}") from None
    if pattern.groups < 1:
        raise ValueError(rf"webmorph: subject {subject!r} has no group; expected one around the subject, as (\d+)")
    return pattern


def _photograph(path: Path, key: str, expression: str, pattern: re.Pattern[str]) -> Photograph:
    match = pattern.match(path.name)
    if match is None or not match[1]:
        raise ValueError(f"the name does not say the subject: it does not start with {pattern.pattern!r}")
    template = path.with_suffix(".tem")
    points = to_ibug68(read_template(template)) if template.exists() else None
    return Photograph(path, key, match[1], expression, points)


def _splits_of_all(path: Path, subjects: set[str]) -> dict[str, str]:
    splits = read_splits(path)
    if missing := sorted(subjects - set(splits)):
        raise ValueError(f"{path}: no split for subject {', '.join(missing)}; add a line for each")
    return splits


def _lender(photograph: Photograph, found: Sequence[Photograph]) -> Photograph:
    """The subject's first photograph with a template."""
    for other in found:
        if other.subject == photograph.subject and other.points is not None:
            return other
    raise ValueError(f"no template, and no other photograph of subject {photograph.subject} has one")


def _points(photograph: Photograph) -> NDArray[np.float32]:
    if photograph.points is None:
        raise ValueError(f"{photograph.path} has no template")
    return photograph.points


def _digest(size: int, *parts: bytes) -> str:
    hashes = [hashlib.sha256(part).hexdigest() for part in parts]
    return hashlib.sha256(f"webmorph {VERSION} {size} {hashes}".encode()).hexdigest()[:40]


def _registered(picture: Image.Image, lender: Photograph, size: int) -> NDArray[np.float64]:
    """The lender's alignment, moved by what the eyes have moved from the lender's photograph to this one.

    Raises:
        ValueError: where the sizes are no multiples of each other, or the lender's eyes are not found again.
    """
    reference, points = decode(lender.path.read_bytes()), _points(lender)
    (width, height), ratio = reference.size, picture.width / reference.width
    if abs(picture.width * height - picture.height * width) > max(width, height):
        raise ValueError(
            f"no template, and {lender.key}, whose template would be borrowed, is {width} x {height} px "
            f"where this is {picture.width} x {picture.height}: not one camera set-up"
        )
    guess = to_frame(five_points(points * ratio), SIDE)
    shift, likeness = eye_shift(warp(reference, to_frame(five_points(points), SIDE), SIDE), warp(picture, guess, SIDE))
    if likeness < LEAST_ALIKE:
        raise ValueError(
            f"no template, and the eyes of {lender.key} are not found in it "
            f"(correlation {likeness:.2f}, expected {LEAST_ALIKE} at least); add a template"
        )
    matrix = _alignment(points * np.float32(ratio), size)
    matrix[:, 2] -= shift * size / SIDE
    return matrix


def _alignment(points: NDArray[np.float32], size: int) -> NDArray[np.float64]:
    five = five_points(points)
    if np.ptp(five[:2], axis=0).max() < 1:
        raise ValueError("the template's eyes are less than 1 px apart")
    matrix = to_frame(five, size)
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if scale > MOST_ENLARGED:
        raise ValueError(
            f"the face is too small: {size / scale:.0f} px wide in the frame's measure, "
            f"expected {size / MOST_ENLARGED:.0f} at least for pictures of {size} px"
        )
    return matrix


def _save(picture: Image.Image, path: Path) -> None:
    """Writes beside and renames, so that a stopped run leaves no half picture."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    picture.save(part, format="PNG")
    part.replace(path)
