"""From mesh and irises to what a detection says: five and 68 points, the head's angles, px per mm."""

import numpy as np
from numpy.typing import NDArray

from palsykit.faces.alignment import five_points
from palsykit.faces.interfaces import Detection, HeadPose
from palsykit.faces.measures import IRIS_MM, PUPILS_MM
from palsykit_faces.mesh import INNER, OUTER, Mesh

JAW = (162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389)
BROWS = (71, 63, 105, 66, 107, 336, 296, 334, 293, 301)
NOSE = (168, 197, 5, 4, 75, 97, 2, 326, 305)
EYES = (33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380)
MOUTH = (61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87)
MESH68 = (*JAW, *BROWS, *NOSE, *EYES, *MOUTH)
"""The mesh's points that stand for iBUG's 68."""

LIDS = ((0, 11, 13, 8, 5, 3), (8, 13, 11, 0, 3, 5))
"""The iris model's lid points that stand for iBUG's 36 to 41 (the subject's right eye) and 42 to 47 (the left one)."""

_TOP, _CHIN = 10, 152


def detection(score: float, mesh: Mesh, lids: NDArray[np.float64], irises: NDArray[np.float64]) -> Detection:
    """The record of one face.

    Args:
        score: the detector's, 0 to 1; it is multiplied by the mesh's presence.
        mesh: of the face.
        lids: [2, 71, 2] px, of ``read_eyes``.
        irises: [2, 5, 2] px, likewise.
    """
    landmarks = mesh.points[list(MESH68), :2].copy()
    landmarks[36:42], landmarks[42:48] = (eye[list(order)] for eye, order in zip(lids, LIDS, strict=True))
    across = np.hypot(*(irises[:, 1] - irises[:, 3]).T)
    down = np.hypot(*(irises[:, 2] - irises[:, 4]).T)
    flat = np.concatenate([irises.reshape(10, 2), np.zeros((10, 1))], 1)
    return Detection(
        five=five_points(landmarks),
        score=score * mesh.presence,
        landmarks=landmarks,
        box=np.concatenate([mesh.points[:, :2].min(0), mesh.points[:, :2].max(0)]),
        mesh=np.concatenate([mesh.points, flat]),
        pose=pose(mesh.points),
        presence=mesh.presence,
        px_per_mm_iris=float(np.concatenate([across, down]).mean()) / IRIS_MM,
        px_per_mm_pupils=float(np.hypot(*(irises[1, 0] - irises[0, 0]))) / PUPILS_MM,
    )


def pose(points: NDArray[np.float64]) -> HeadPose:
    """The head's angles from the mesh [468, 3]: of the line through the eyes' corners, and of that from top to chin."""
    right, left = (points[[outer, inner]].mean(0) for outer, inner in zip(OUTER, INNER, strict=True))
    across = left - right
    roll = np.arctan2(across[1], across[0])
    down = points[_CHIN] - points[_TOP]
    along = -np.sin(roll) * down[0] + np.cos(roll) * down[1]
    # depth grows away from the camera: the chin comes nearer when the head is thrown back
    yaw = np.degrees(np.arctan2(across[2], np.hypot(across[0], across[1])))
    pitch = np.degrees(np.arctan2(-down[2], along))
    return HeadPose(float(np.degrees(roll)), float(yaw), float(pitch))
