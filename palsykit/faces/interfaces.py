"""Interfaces of the face domain: detectors find faces in photographs, posers give a face an expression and a palsy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from palsykit.faces.vocabulary import FaceLabels


@dataclass(frozen=True, eq=False)
class Detection:
    """One face in a photograph.

    Attributes:
        five: [5, 2] px of the photograph: image-left eye, image-right eye, nose tip, image-left and image-right
            mouth corner.
        score: the detector's confidence, 0 to 1.
        landmarks: [68, 2] px (iBUG 68) of the photograph where the detector finds them, else None.
    """

    five: NDArray[np.float64]
    score: float
    landmarks: NDArray[np.float64] | None = None


class Detector(Protocol):
    """Finds faces in a photograph that has no landmarks: ``factory(*, ...)``."""

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
