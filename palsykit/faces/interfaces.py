"""Interfaces of the face domain: detectors find faces in photographs, posers give a face an expression and a palsy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from palsykit.faces.dials import Dials
from palsykit.faces.vocabulary import FaceLabels


@dataclass(frozen=True)
class HeadPose:
    """How a head is turned in a photograph, in degrees.

    Attributes:
        roll: from upright, clockwise in the picture, over -180 to 180. At 90 the top of the head points to the
            picture's right edge; at 180 the face is upside down.
        yaw: positive when the subject looks towards the subject's own left (an upright face turns to the picture's
            right edge).
        pitch: positive when the subject looks up.
    """

    roll: float
    yaw: float
    pitch: float


@dataclass(frozen=True, eq=False)
class Detection:
    """One face in a photograph.

    "Image-left" and "image-right" are those of the face turned upright. Fields with None are those that a detector
    does not find. All px are of the photograph, with the middle of its first pixel at (0.5, 0.5).

    Attributes:
        five: [5, 2] px: image-left eye, image-right eye, nose tip, image-left and image-right mouth corner.
        score: the detector's confidence, 0 to 1.
        landmarks: [68, 2] px (iBUG 68).
        box: [4] px: left, top, right and bottom of the face, from brows to chin; may lie outside the photograph.
        mesh: [478, 3] px: MediaPipe's 468 points of a face, then centre and four edge points of the subject's right
            iris and of the left one. The third number is depth in px, smaller = nearer to the camera; 0 for the iris.
        pose: how the head is turned.
        presence: 0 to 1, how sure the model of points is that there is a face.
        px_per_mm_iris: px per mm if an iris is 11.77 mm across; mean of both eyes.
        px_per_mm_pupils: px per mm if the pupils are 63 mm apart; too small where the head is turned aside.
    """

    five: NDArray[np.float64]
    score: float
    landmarks: NDArray[np.float64] | None = None
    box: NDArray[np.float64] | None = None
    mesh: NDArray[np.float64] | None = None
    pose: HeadPose | None = None
    presence: float | None = None
    px_per_mm_iris: float | None = None
    px_per_mm_pupils: float | None = None


class Detector(Protocol):
    """Finds faces in a photograph that has no landmarks: ``factory(*, ...)``.

    A detector whose 68 points do not see palsies says so by a further attribute ``frames_only = True``: its points
    frame a face, and are not taken as landmarks of a data set. One that may be asked by several threads at once says
    ``parallel = True``; others are asked by one at a time.
    """

    version: str
    """Names everything that its results depend on (model files by hash); part of the names of cached pictures."""

    def detect(self, photograph: NDArray[np.uint8]) -> Sequence[Detection]:
        """Every face in an upright photograph [H, W, 3] RGB, the most confident first; empty if there is none."""
        ...


class Poser(Protocol):
    """Shows what a person's photograph would look like with a named expression and palsy: ``factory(*, ...)``."""

    def pose(
        self, photograph: NDArray[np.uint8], landmarks: NDArray[np.floating], labels: FaceLabels, strength: float = 1.0
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """The picture [H, H, 3] and its landmarks [68, 2] px.

        Args:
            photograph: [H, H, 3] RGB in the face frame, the person at rest and without a palsy.
            landmarks: [68, 2] px (iBUG 68) of it.
            labels: expression, side and severity to show; an unknown expression means rest, an unknown side none.
            strength: of the movement on a healthy side, 0 to 1.

        Raises:
            ValueError: for a severity that contradicts the side, or an unknown expression.
        """
        ...


class FinePoser(Poser, Protocol):
    """A poser with the finer dials of a palsy, which override the grade's. Core tells it by the parameter ``dials``."""

    def pose(
        self,
        photograph: NDArray[np.uint8],
        landmarks: NDArray[np.floating],
        labels: FaceLabels,
        strength: float = 1.0,
        dials: Dials | None = None,
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """The picture [H, H, 3] and its landmarks [68, 2] px; see ``Poser``.

        Args:
            photograph: as there.
            landmarks: as there.
            labels: as there.
            strength: as there.
            dials: of the affected side; without any, everything is as the grade says.

        Raises:
            ValueError: as there; and for dials without an affected side, a length without a healthy side, or a length
                that the face has no room for.
        """
        ...
