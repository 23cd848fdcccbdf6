"""Rendered faces know their pupils and folds, and the camera moves them as it moves the landmarks."""

from pathlib import Path

import numpy as np

from palsykit.faces.pairing import pair
from palsykit.faces.views import batch, view
from palsykit.faces.vocabulary import Side
from palsykit_face_space.dataset import FaceSpace
from palsykit_face_space.model import draw, load_model
from palsykit_face_space.palsy import Action, displace_all, further_points
from palsykit_face_space.simulated import Simulated


def test_further_points_lie_where_the_landmarks_say(tmp_path: Path) -> None:
    faces = FaceSpace(64, tmp_path, identities=3, validation=0, test=0, renders=3)
    for record in faces.records:
        points, further = record.landmarks, record.further
        assert further.shape == (8, 2)
        for pupil, eye in ((further[0], points[36:42]), (further[1], points[42:48])):
            assert np.isnan(pupil).all() or np.linalg.norm(pupil - eye.mean(0)) < 0.03 * 64
        assert (further[2:5, 0] < points[33, 0]).all()  # the subject's right fold, left of the nose in the picture
        assert (further[5:8, 0] > points[33, 0]).all()
        assert (np.diff(further[2:5, 1]) > 0).all(), "from the nose down"


def test_a_pupil_that_cannot_be_seen_is_unknown() -> None:
    person = draw(load_model(), np.random.default_rng(0)).shape.numpy()[None].astype(np.float64)
    shut = displace_all(person, [Action("eye_closure_tight", Side.LEFT, 6.0)])
    seen = np.isfinite(further_points(shut)).all(-1)[0]
    assert not seen[0], "the subject's right eye is shut"
    assert not seen[1], "the left one rolls up"
    assert seen[2:].all(), "the folds are there"
    assert np.isfinite(further_points(displace_all(person, [Action("rest")]))).all()


def test_further_points_of_a_photograph_move_with_its_landmarks(tmp_path: Path) -> None:
    source = FaceSpace(64, tmp_path, identities=2, validation=0, test=0, renders=1, vary=())
    made = Simulated(64, tmp_path, source=source, renders=12)
    still = {record.key: record for record in source.records}
    steps = []
    for record in made.records:
        original = still[record.key.partition("#")[0]]
        fold = record.further[2:] - original.further[2:]
        corners = record.landmarks[[48, 54]] - original.landmarks[[48, 54]]
        if record.labels.expression == "rest" and record.labels.side == Side.NONE:
            assert np.abs(fold).max() < 0.1
        steps += [(corners[0, 0], fold[2, 0]), (corners[1, 0], fold[5, 0])]  # the lowest point of each fold, outward
    assert np.corrcoef(np.array(steps).T)[0, 1] > 0.9


def test_a_mirrored_face_has_mirrored_further_points(tmp_path: Path) -> None:
    faces = FaceSpace(64, tmp_path, identities=1, validation=0, test=0, renders=2)
    plain, mirrored = (batch(faces, pair(faces.records, 0), [flag] * 2).driver for flag in (False, True))
    assert np.allclose(mirrored.further[:, 0, 0], 64 - plain.further[:, 1, 0])
    assert np.allclose(mirrored.further[:, 5:, 1], plain.further[:, 2:5, 1])
    assert view(faces, faces.records).rows(0, 1).further.shape == (1, 8, 2)
