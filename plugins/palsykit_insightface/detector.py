"""A palsykit detector from SCRFD, the detector of insightface's model packs."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from palsykit.errors import PalsykitError
from palsykit.faces.interfaces import Detection
from palsykit.files.hashes import sha256
from palsykit_insightface.model import load
from palsykit_insightface.pack import Pack, find


class InsightFaceDetector:
    """Find faces with five points, optionally with 68 landmarks, using the models of an insightface pack.

    SCRFD (Guo et al., arXiv:2105.04714) reads the photograph scaled into squares of several sizes: the large one finds
    small faces, the small one finds faces that fill the photograph. The landmarks are x and y of the last 68 of the
    1,103 3D points of 1k3d68. All files are local; nothing is downloaded.

    Args:
        pack: folder of an unpacked pack (buffalo_l, antelopev2 ...), or the ONNX file of its detector.
        landmarks: also use the pack's 68-point model.
        threshold: lowest confidence of a face.
        sizes: sides in px, multiples of 32, of the squares that the detector reads.

    Raises:
        PalsykitError: the extra is missing, the pack lacks a model, or a model is of another kind.
    """

    def __init__(
        self,
        *,
        pack: Path,
        landmarks: bool = False,
        threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5,
        sizes: tuple[Annotated[int, Field(ge=32, multiple_of=32)], ...] = (128, 640),
    ):
        if not sizes:
            raise ValueError("sizes: found none, expected at least one, for example [128, 640]")
        files = find(pack, landmarks)
        self._slimmest = min(sizes)
        self._detector = load(files.detector)
        self._detector.prepare(-1, det_thresh=threshold, input_size=[(size, size) for size in sizes])
        self._landmarks = None if files.landmarks is None else load(files.landmarks)
        self.version = _version(files, threshold, sizes)
        self._try(files)

    def detect(self, photograph: NDArray[np.uint8]) -> Sequence[Detection]:
        """All faces in an upright photograph [H, W, 3] RGB, the highest score first; empty if there is none."""
        height, width = photograph.shape[:2]
        if max(height, width) >= self._slimmest * min(height, width):
            return []  # too narrow: scaled into the square, it would have no width
        picture = np.ascontiguousarray(photograph[..., ::-1])  # insightface reads BGR, as OpenCV does
        boxes, points = self._detector.detect(picture)
        return [
            Detection(
                five=np.asarray(five, np.float64),
                score=min(float(box[4]), 1.0),
                landmarks=self._points(picture, box, five),
            )
            for box, five in zip(boxes, points, strict=True)
        ]

    def _points(self, picture: NDArray[np.uint8], box: NDArray[Any], five: NDArray[Any]) -> NDArray[np.float64] | None:
        if self._landmarks is None:
            return None
        from insightface.app.common import Face

        face = Face(bbox=box[:4], kps=five, det_score=box[4])
        return np.asarray(self._landmarks.get(picture, face), np.float64)[:, :2]

    def _try(self, files: Pack) -> None:
        """Run the models once: a model that only looks like SCRFD would otherwise fail at the first photograph."""
        grey = np.full((64, 64, 3), 128, np.uint8)
        try:
            self.detect(grey)
            self._points(grey, np.array([8.0, 8.0, 56.0, 56.0, 1.0]), np.full((5, 2), 32.0))
        except Exception as error:  # insightface, OpenCV and onnxruntime may raise anything for other shapes
            raise PalsykitError(
                f"{files.detector.parent}: its models do not run as insightface's do, expected the unchanged files of "
                f"a published pack ({type(error).__name__}: {error})"
            ) from error


def _version(files: Pack, threshold: float, sizes: Sequence[int]) -> str:
    models = [sha256(file) for file in (files.detector, files.landmarks) if file]
    text = f"insightface {models} {threshold} {list(sizes)}"
    return f"insightface-{hashlib.sha256(text.encode()).hexdigest()[:24]}"
