"""The face frame: where eyes and mouth are in every picture that palsykit reads, renders or generates.

The frame is the ArcFace five-point frame (Deng et al., CVPR 2019; insightface's 112 px template) seen from a little
further away, so that brow, chin and hairline are in it: the template, divided by its 112 px, is shrunk by ``ZOOM``
about ``PIVOT`` and the pivot is put in the middle. The ArcFace crop is thus a sub-square of ours, ``ARCFACE_CROP``.
"""

import numpy as np
from numpy.typing import NDArray

from palsykit.faces.landmarks import eye_centres

ARCFACE = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])
"""Image-left eye, image-right eye, nose tip, image-left and image-right mouth corner in the 112 px ArcFace frame."""

ZOOM = 0.8
PIVOT = np.array([0.5, 0.6])
FRAME = (ARCFACE / 112 - PIVOT) * ZOOM + 0.5
"""The same five points in palsykit's frame, as fractions of the image side."""

ARCFACE_CROP = (0.5 - PIVOT[0] * ZOOM, 0.5 - PIVOT[1] * ZOOM, ZOOM)
"""Left, top and side of the ArcFace crop inside our frame, as fractions of the image side."""


def five_points(landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """Eyes, nose tip and mouth corners [5, 2] in image order, from iBUG 68 landmarks [68, 2] in px."""
    right, left = eye_centres(landmarks)
    return np.stack([right, left, landmarks[30], landmarks[48], landmarks[54]]).astype(np.float64)


def similarity(source: NDArray[np.floating], target: NDArray[np.floating]) -> NDArray[np.float64]:
    """The least-squares similarity transform [2, 3] with ``target ~ source @ M[:, :2].T + M[:, 2]`` (Umeyama 1991)."""
    mean_source, mean_target = source.mean(0), target.mean(0)
    a, b = source - mean_source, target - mean_target
    u, s, vt = np.linalg.svd(b.T @ a)
    reflect = np.diag([1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = u @ reflect @ vt
    scale = (s * np.diag(reflect)).sum() / (a**2).sum()
    linear = scale * rotation
    return np.column_stack([linear, mean_target - linear @ mean_source])


def to_frame(points: NDArray[np.floating], size: int) -> NDArray[np.float64]:
    """The transform [2, 3] from a photograph with five points [5, 2] in px to the frame at ``size`` px."""
    return similarity(points, FRAME * size)
