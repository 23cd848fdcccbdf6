"""Find the face of a photograph and say how it lies in the face frame; refuse a face that cannot be framed."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from palsykit.errors import PalsykitError
from palsykit.faces.alignment import FRAME, similarity, to_frame
from palsykit.faces.interfaces import Detection, Detector
from palsykit.faces.landmarks import JAW
from palsykit.photographs.frame import warp
from palsykit.photographs.read import Photograph
from palsykit.recipe.build import build_part
from palsykit.recipe.schema import PartBlock
from palsykit.recipe.signature import Missing, keys_of
from palsykit.registry import registry

SMALLEST = 40.0
"""px between the eyes; below it lids and lips are a few pixels high."""
MOST_TURNED = 35.0
"""Degrees of yaw or pitch; beyond it one half of the face is hidden."""
TILTED = 45.0
"""Degrees of roll from which a user is told of it."""
LEAST_PRESENCE = 0.5
"""Below it the model of points says that something covers the face, or that there is none."""
SMALL_CROP = 128
"""px; in a square picture up to this side a detector may miss a face that fills it, as in crops for small models."""
NEARLY = (0.1, 6.0, 0.05)
"""A square picture is a crop in the face frame if its five points lie there: scale, degrees, shift in frame sides."""


class UnusableFace(ValueError):
    """No face, or one that cannot be framed: what was found, what was expected, the next step."""


@dataclass(frozen=True, eq=False)
class FramedFace:
    """A photograph and where its face is.

    Attributes:
        photograph: the whole picture.
        to_frame: [2, 3], px of the photograph -> sides of the face frame.
        is_crop: the photograph is a crop in the face frame already, so its pixels are used as they are.
        detection: what the detector says of the face; None for a crop in which it finds none.
        notes: what a user should know, one sentence each.
    """

    photograph: Photograph
    to_frame: NDArray[np.float64]
    is_crop: bool
    detection: Detection | None
    notes: tuple[str, ...] = ()

    def crop(self, size: int) -> NDArray[np.uint8]:
        """The face frame, [size, size, 3] RGB."""
        picture = self.photograph.picture
        if self.is_crop:
            return np.array(picture.resize((size, size), Image.Resampling.LANCZOS))
        return warp(picture, self.to_frame * size, size)

    @cached_property
    def frame_px(self) -> float:
        """Side of the face frame in px of the photograph."""
        return float(1 / np.sqrt(abs(np.linalg.det(self.to_frame[:, :2]))))


def frame_face(
    photograph: Photograph,
    detector: Detector,
    *,
    face: int | None = None,
    force: bool = False,
) -> FramedFace:
    """Choose the face of a photograph and frame it.

    A square picture of at most ``SMALL_CROP`` px in which no face is found is taken as a crop in the face frame.

    Args:
        photograph: an upright picture.
        detector: finds faces.
        face: number of the face, 1 for the largest; None: the largest, with a note if there are several.
        force: accept a face that is small, turned, cut off or covered; the reason becomes a note.

    Raises:
        UnusableFace: no face, no such number, or a face that is refused.
    """
    picture = photograph.picture
    faces = faces_of(photograph, detector)
    if not faces:
        if picture.width == picture.height <= SMALL_CROP:
            note = "no face was found; the small square picture was taken as a crop in the face frame"
            return FramedFace(photograph, _whole(picture.width), True, None, (*photograph.notes, note))
        raise UnusableFace(
            f"found no face in {picture.width} x {picture.height} px; expected a face seen from the front with both "
            "eyes and the mouth visible; crop the photograph around the face, or use another one"
        )
    if face is not None and not 1 <= face <= len(faces):
        raise UnusableFace(f"face {face}: found {len(faces)}: {_listed(faces)}; choose one of these numbers")
    chosen = faces[(face or 1) - 1]
    notes = list(photograph.notes)
    if len(faces) > 1 and face is None:
        notes.append(f"found {len(faces)} faces: {_listed(faces)}; took 1, the largest; choose another by its number")
    if is_crop(chosen.five, picture.size):
        return FramedFace(photograph, _whole(picture.width), True, chosen, tuple(notes))
    problems, remarks = _faults(chosen, picture.size)
    if problems and not force:
        raise UnusableFace(f"{'; '.join(problems)}; use another photograph, or accept this one with --force")
    matrix = to_frame(chosen.five, 1)
    return FramedFace(photograph, matrix, False, chosen, (*notes, *problems, *remarks))


def faces_of(photograph: Photograph, detector: Detector) -> list[Detection]:
    """The faces of a photograph in the order of their numbers, the largest first."""
    return sorted(detector.detect(np.asarray(photograph.picture)), key=eye_distance, reverse=True)


def is_crop(five: NDArray[np.floating], size: tuple[int, int]) -> bool:
    """Whether a picture of ``size`` px with five points [5, 2] px is a crop in the face frame."""
    if size[0] != size[1]:
        return False
    matrix = similarity(five / size[0], FRAME)
    scale = np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    turn = np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0]))
    middle = (five / size[0]).mean(0)
    shift = np.linalg.norm(middle - FRAME.mean(0))
    return bool(abs(scale - 1) <= NEARLY[0] and abs(turn) <= NEARLY[1] and shift <= NEARLY[2])


def eye_distance(detection: Detection) -> float:
    """px between the eyes."""
    return float(np.linalg.norm(detection.five[1] - detection.five[0]))


def _whole(side: int) -> NDArray[np.float64]:
    return np.array([[1 / side, 0, 0], [0, 1 / side, 0]])


def _listed(faces: Sequence[Detection]) -> str:
    """The faces by number: place and size."""
    middles = [detection.five.mean(0) for detection in faces]
    return ", ".join(
        f"{number} at ({x:.0f}, {y:.0f}) with {eye_distance(detection):.0f} px between the eyes"
        for number, (detection, (x, y)) in enumerate(zip(faces, middles, strict=True), start=1)
    )


def hidden_parts(detection: Detection) -> list[str]:
    """Why a part of the face cannot be seen: the head is turned, or something covers it; empty if nothing is known."""
    problems = []
    if (pose := detection.pose) is not None:
        for words, angle in (("to the side", pose.yaw), ("up or down", pose.pitch)):
            if abs(angle) > MOST_TURNED:
                problems.append(
                    f"the head is turned {words} by {abs(angle):.0f} degrees, expected {MOST_TURNED:.0f} or less"
                )
    if detection.presence is not None and detection.presence < LEAST_PRESENCE:
        problems.append(
            f"something covers the face, or it is not a face (presence {detection.presence:.2f}, expected "
            f"{LEAST_PRESENCE:g} or more)"
        )
    return problems


def _faults(detection: Detection, size: tuple[int, int]) -> tuple[list[str], list[str]]:
    """Why the face should be refused, and what is only worth a note."""
    problems, notes = hidden_parts(detection), []
    apart = eye_distance(detection)
    if apart < SMALLEST:
        problems.append(f"the eyes are {apart:.0f} px apart, expected {SMALLEST:.0f} px or more")
    if detection.pose is not None and abs(detection.pose.roll) > TILTED:
        notes.append(f"the face is turned by {detection.pose.roll:.0f} degrees in the picture, and so is the result")
    marks = detection.five if detection.landmarks is None else detection.landmarks
    outside = np.any((marks < 0) | (marks > np.array(size)), axis=1)
    inner = outside if detection.landmarks is None else outside[len(JAW) :]
    if inner.any():
        problems.append(f"the border cuts the face off: {int(inner.sum())} points of eyes, nose or mouth are outside")
    elif outside.any():
        notes.append("the border cuts off a part of the jaw")
    return problems, notes


@cache
def detector_of(block_use: str | None = None) -> Detector:
    """The detector of that name; None: the one that works without settings.

    If several do, palsykit's own comes first.

    Raises:
        PalsykitError: none is installed, or several of other distributions are.
    """
    if block_use is None:
        block_use = _default()
    return cast(Detector, build_part("detectors", PartBlock(use=block_use)))


def _default() -> str:
    entries = [registry().get("detectors", name) for name in registry().names("detectors")]
    ready = [entry for entry in entries if all(key.default is not Missing for key in keys_of(entry).values())]
    own = [entry for entry in ready if entry.distribution == __name__.partition(".")[0]]
    names = [entry.name for entry in own or ready]
    if len(names) != 1:
        found = f"several work without settings ({', '.join(names)})" if names else "no installed plugin has one"
        raise PalsykitError(f"finding a face needs a detector; {found}; `palsykit plugins` lists them; name one")
    return names[0]
