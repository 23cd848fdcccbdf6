"""Find the landmarks of a face in a photograph of any size: the finder frames it, the network finds 68 points."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from palsykit.faces import measures
from palsykit.faces.flip import Face
from palsykit.faces.interfaces import Detection, Detector
from palsykit.faces.vocabulary import FaceLabels, Side
from palsykit.photographs.find import FramedFace, eye_distance, frame_face
from palsykit.photographs.read import Photograph
from palsykit_measure.network import PointsNetwork

Points = NDArray[np.float64]

_SYMMETRIC = FaceLabels(side=Side.NONE)
"""Labels that allow a flip; the flipped picture is read and its points are flipped back."""


@dataclass(frozen=True, eq=False)
class Reading:
    """What was found in one photograph.

    Attributes:
        framed: the photograph and where its face is.
        landmarks: [68, 2] px (iBUG 68) of the photograph.
        px_per_mm: by "pupils" and, if the finder sees it, "iris".
        notes: what a user should know, one sentence each.
    """

    framed: FramedFace
    landmarks: Points
    px_per_mm: dict[str, float]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Reader:
    """Reads photographs with one finder and one network."""

    network: PointsNetwork
    detector: Detector

    def read(self, photograph: Photograph, face: int | None = None, force: bool = False) -> Reading:
        """The mean of two readings: of the photograph, and of its mirror image, flipped back.

        Neither finder nor network is the same in a mirror, but their mean is: the mirrored photograph gives the same
        lengths with sides exchanged, up to rounding. So no side is favoured.

        Args:
            photograph: upright.
            face: number of the face, 1 for the largest.
            force: accept a face that is small, turned, cut off or covered.

        Raises:
            UnusableFace: there is none, or it is refused.
        """
        framed = frame_face(photograph, self.detector, face=face, force=force)
        points, notes = self._points(framed), framed.notes
        seen = [framed.detection]
        mirrored = self._mirrored(framed)
        if mirrored is None:
            notes = (*notes, "the face was found in the photograph, but not in its mirror image; it was read once")
        else:
            width = photograph.picture.width
            points = (points + _flip(self._points(mirrored), width)) / 2
            seen.append(mirrored.detection)
        return Reading(framed, points, _px_per_mm(seen, points), notes)

    def _points(self, framed: FramedFace) -> Points:
        """The network's points [68, 2] in px of the photograph."""
        found = self.network.find(np.stack([framed.crop(self.network.size)]))[0]
        back = np.linalg.inv(np.vstack([framed.to_frame, [0, 0, 1]]))
        return np.asarray(found @ back[:2, :2].T + back[:2, 2])

    def _mirrored(self, framed: FramedFace) -> FramedFace | None:
        """The same face in the mirrored photograph, found and framed anew; None if it is not found there."""
        pixels = Face(np.asarray(framed.photograph.picture), None, _SYMMETRIC).mirrored().picture
        mirror = replace(framed.photograph, picture=Image.fromarray(pixels), notes=())
        if framed.detection is None:
            return replace(framed, photograph=mirror)
        width = pixels.shape[1]
        middle = framed.detection.five.mean(0) * (-1, 1) + (width, 0)
        near = [
            detection
            for detection in self.detector.detect(pixels)
            if np.hypot(*(detection.five.mean(0) - middle)) < eye_distance(framed.detection) / 2
        ]
        if not near:
            return None
        return frame_face(mirror, _Found(near[0]), force=True)


@dataclass
class _Found:
    """A detector that has found its face already."""

    detection: Detection
    version: str = ""

    def detect(self, photograph: NDArray[np.uint8]) -> list[Detection]:
        return [self.detection]


def _flip(points: Points, width: int) -> Points:
    """Points of the mirrored photograph, ``width`` px wide, as points of the photograph."""
    nothing = np.zeros((1, width, 3), np.uint8)
    flipped = Face(nothing, points.astype(np.float32), _SYMMETRIC).mirrored().landmarks
    assert flipped is not None
    return flipped.astype(np.float64)


def _px_per_mm(seen: list[Detection | None], landmarks: Points) -> dict[str, float]:
    """Means over the detections that say it; without any, the corners of the eyes say where the pupils are."""
    detections = [detection for detection in seen if detection is not None]
    irises = [d.px_per_mm_iris for d in detections if d.px_per_mm_iris is not None]
    pupils = [d.px_per_mm_pupils for d in detections if d.px_per_mm_pupils is not None]
    by_pupils = float(np.mean(pupils)) if pupils else float(measures.px_per_mm(landmarks))
    return {"pupils": by_pupils} | ({"iris": float(np.mean(irises))} if irises else {})
