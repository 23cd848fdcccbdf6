"""Rendered faces know their pupils and folds, and the camera moves them as it moves the landmarks."""

from pathlib import Path

import numpy as np

from palsykit.faces.pairing import pair
from palsykit.faces.views import batch, view
from palsykit_face_space.dataset import FaceSpace


def test_further_points_lie_where_the_landmarks_say(tmp_path: Path) -> None:
    faces = FaceSpace(64, tmp_path, identities=3, validation=0, test=0, renders=3)
    for record in faces.records:
        points, further = record.landmarks, record.further
        assert further.shape == (8, 2)
        for pupil, eye in ((further[0], points[36:42]), (further[1], points[42:48])):
            assert np.linalg.norm(pupil - eye.mean(0)) < 0.03 * 64
        assert (further[2:5, 0] < points[33, 0]).all()  # the subject's right fold, left of the nose in the picture
        assert (further[5:8, 0] > points[33, 0]).all()
        assert (np.diff(further[2:5, 1]) > 0).all(), "from the nose down"


def test_a_mirrored_face_has_mirrored_further_points(tmp_path: Path) -> None:
    faces = FaceSpace(64, tmp_path, identities=1, validation=0, test=0, renders=2)
    plain, mirrored = (batch(faces, pair(faces.records, 0), [flag] * 2).driver for flag in (False, True))
    assert np.allclose(mirrored.further[:, 0, 0], 64 - plain.further[:, 1, 0])
    assert np.allclose(mirrored.further[:, 5:, 1], plain.further[:, 2:5, 1])
    assert view(faces, faces.records).rows(0, 1).further.shape == (1, 8, 2)
