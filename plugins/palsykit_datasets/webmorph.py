"""Folders of photographs with webmorph templates, such as the Face Research Lab London Set."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from palsykit.data.left_alone import is_left_alone
from palsykit.data.rejections import printable
from palsykit.faces.alignment import to_frame
from palsykit.faces.interfaces import Detector
from palsykit.faces.vocabulary import FaceLabels, canonical_expression
from palsykit.photographs.files import UnreadablePicture, read_bytes
from palsykit.photographs.frame import warp
from palsykit.photographs.read import read_photograph
from palsykit_datasets.aligned import AlignedPhotographs
from palsykit_datasets.cells import Points
from palsykit_datasets.entries import Entry, Listing, existing, with_splits
from palsykit_datasets.files import files_below, is_picture, legible, reject, strays
from palsykit_datasets.finding import Finder
from palsykit_datasets.landmark_files import read_points
from palsykit_datasets.registration import SIDE, eye_shift
from palsykit_datasets.stamp import Sources

VERSION = 1
"""Increase it when a borrowed template would be moved elsewhere, so that cached results are replaced."""

LEAST_ALIKE = 0.6
"""Correlation of the eye bands below which two photographs do not count as the same pose."""


@dataclass(frozen=True)
class Photograph:
    """A file, the labels of its folder and name, and the points of its template or None."""

    path: Path
    key: str
    labels: FaceLabels
    points: Points | None


def webmorph(
    image_size: int,
    cache: Path,
    *,
    root: Path,
    splits: Path | None = None,
    expressions: dict[str, str] | None = None,
    subject: str = r"(\d+)",
    detector: Detector | None = None,
    attribution: str = "",
) -> AlignedPhotographs:
    """``ROOT/EXPRESSION/NAME.jpg``, some or all with a template ``NAME.tem`` (189 points) beside them.

    A photograph with a template is aligned to the face frame by it and gets its landmarks ("given"). One without takes
    the template of another photograph of the same subject, the first in the order of paths, as a first guess (one
    sitting, one camera set-up) and is then moved so that the eyes correlate best: size and tilt are those of the guess.
    Its landmarks are unknown. If that fails, the detector, if set, finds the face. Unusable photographs are in
    ``rejected`` with a reason. The layout does not give side and severity: both are unknown.

    Args:
        image_size: side of every picture in px.
        cache: folder for aligned pictures and detected faces.
        root: the folder.
        splits: CSV with the columns subject and split; it must name every subject. None: core splits.
        expressions: subfolder -> expression; only these are read. None: every subfolder, by its own name. A name or
            alias of the vocabulary becomes canonical ("neutral" is rest); any other is kept as it is.
        subject: a pattern whose first group, at the start of the file name, is the subject.
        detector: finds the face in photographs that no template fits; None: the one that works without settings.
        attribution: of the photographs, for reports and cards.

    Raises:
        ValueError: for a missing or empty folder, a subject that ``splits`` lacks, a pattern without a group.
    """
    folders = _folders(existing("webmorph", root, "that holds one per expression"), expressions)
    pattern = _pattern(subject)
    return AlignedPhotographs(
        image_size,
        cache,
        lambda: with_splits(read_layout(root, folders, pattern), splits),
        Sources("webmorph", root, (splits,), {"expressions": expressions, "subject": subject}),
        frame="points",
        detector=detector,
        attribution=attribution,
    )


def read_layout(root: Path, folders: Mapping[str, str], pattern: re.Pattern[str]) -> Listing:
    """The entries, as folders, names and templates describe them; photographs deeper in a folder are listed."""
    listing = Listing("webmorph", root)
    listing.expected = "expected ROOT/EXPRESSION/NAME.jpg with NAME.tem; check the keys root, expressions and subject"
    listing.unmarked = "no template, and no other photograph of subject {subject} has one; add one, or set detector"
    files = files_below(root)
    chosen = [path for path in files.paths if _is_read(path.relative_to(root), folders)]
    templates = {path.with_suffix(""): path for path in chosen if path.suffix.lower() == ".tem"}
    named = {path.with_suffix("") for path in chosen if is_picture(path)}
    words = "no photograph of this name lies beside it; rename one of them, or remove it"
    lost = [reject(path, words) for path in sorted(templates[name] for name in templates.keys() - named)]
    listing.rejected = [*files.rejected, *strays(chosen, templates.values(), root), *lost]
    found = []
    for path in filter(is_picture, chosen):
        try:
            found.append(_photograph(path, root, folders, pattern, templates.get(path.with_suffix(""))))
        except (ValueError, OSError) as error:
            listing.rejected.append(reject(path, error))
    for photograph in found:
        finders = [] if photograph.points is not None else _borrowed(photograph, found)
        listing.entries.append(
            Entry(photograph.path, photograph.key, photograph.labels, points=photograph.points, finders=finders)
        )
    return listing


def _folders(root: Path, expressions: dict[str, str] | None) -> dict[str, str]:
    """{subfolder: expression}, sorted."""
    names = sorted(path.name for path in root.iterdir() if path.is_dir() and not is_left_alone(path.name))
    if expressions is None:
        return {name: _word(name) for name in names}
    if missing := sorted(set(expressions) - set(names)):
        raise ValueError(f"webmorph: expressions names {missing}, which {root} lacks; its folders are {names}")
    return {name: _word(word) for name, word in sorted(expressions.items())}


def _word(name: str) -> str:
    """The canonical expression, or the data set's own word if the vocabulary lacks it."""
    try:
        return canonical_expression(name)
    except ValueError:
        return printable(name)


def _pattern(subject: str) -> re.Pattern[str]:
    try:
        pattern = re.compile(subject)
    except re.error as error:
        raise ValueError(f"webmorph: subject {subject!r} is not a regular expression: {error}") from None
    if pattern.groups < 1:
        raise ValueError(rf"webmorph: subject {subject!r} has no group; expected one around the subject, as (\d+)")
    return pattern


def _is_read(below: Path, folders: Mapping[str, str]) -> bool:
    """Whether a file is in a chosen folder, or beside these folders."""
    return len(below.parts) == 1 or below.parts[0] in folders


def _photograph(
    path: Path, root: Path, folders: Mapping[str, str], pattern: re.Pattern[str], template: Path | None
) -> Photograph:
    below = path.relative_to(root)
    if len(below.parts) != 2:
        raise ValueError("does not lie in an expression's folder itself, ROOT/EXPRESSION/NAME.jpg; move it there")
    match = pattern.match(legible(Path(path.name)))
    if match is None or not match[1]:
        raise ValueError(f"the name does not say the subject: it does not start with {pattern.pattern!r}")
    points = None if template is None else read_points(template)
    return Photograph(path, printable(below), FaceLabels(subject=match[1], expression=folders[below.parts[0]]), points)


def _borrowed(photograph: Photograph, found: Sequence[Photograph]) -> list[Finder]:
    """By the template of the subject's first photograph that has one and can be read."""
    for lender in found:
        if lender.labels.subject == photograph.labels.subject and lender.points is not None:
            try:
                data = read_bytes(lender.path)
            except UnreadablePicture:  # it is listed by itself
                continue
            places = lender.points.five.tobytes()
            version = f"webmorph {VERSION} {hashlib.sha256(data).hexdigest()} {hashlib.sha256(places).hexdigest()}"
            return [Finder(version, partial(_registered, data, lender.key, lender.points.five))]
    return []


def _registered(data: bytes, lender: str, five: NDArray[np.float64], picture: Image.Image) -> Points:
    """The lender's five points, moved by the shift of the eyes from the lender's photograph to this one.

    Raises:
        ValueError: if one size is not a multiple of the other, or the lender's eyes are not found.
    """
    reference = read_photograph(data).picture
    (width, height), ratio = reference.size, picture.width / reference.width
    if abs(picture.width * height - picture.height * width) > max(width, height):
        raise ValueError(
            f"no template, and {lender}, whose template would be borrowed, is {width} x {height} px "
            f"where this is {picture.width} x {picture.height}: not one camera set-up"
        )
    guess = to_frame(five * ratio, SIDE)
    shift, likeness = eye_shift(warp(reference, to_frame(five, SIDE), SIDE), warp(picture, guess, SIDE))
    if likeness < LEAST_ALIKE:
        raise ValueError(
            f"no template, and the eyes of {lender} are not found in it "
            f"(correlation {likeness:.2f}, expected {LEAST_ALIKE} at least); add a template"
        )
    return Points(five * ratio + np.linalg.inv(guess[:, :2]) @ shift)
