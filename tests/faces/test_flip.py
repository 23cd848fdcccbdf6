"""A photograph in a mirror: pixels, landmarks, side and what is measured of it change together, or not at all."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from palsykit.faces.flip import Face, FlipRefused, mirror_labels, refusal
from palsykit.faces.vocabulary import EXPRESSIONS, FaceLabels, Group, Side

FOLLOWS = {
    "subject": "the same person",
    "expression": "asked of both halves of the face, or refused",
    "side": "the other one",
    "severity": "of the affected side, wherever it is",
    "group": "the kind of palsy",
    "sunnybrook": "a score of the whole face",
    "eface": "a score of the whole face",
}
"""What a flip does to each label. A new label must be thought about before it can be flipped."""

known = st.builds(
    FaceLabels,
    subject=st.sampled_from([None, "s1"]),
    expression=st.sampled_from([None, *EXPRESSIONS]),
    side=st.sampled_from(list(Side)),
    severity=st.sampled_from([None, 1.0, 3.0, 6.0]),
    group=st.sampled_from([None, *Group]),
)


@st.composite
def faces(draw: st.DrawFn) -> Face:
    height, width = draw(st.integers(2, 12)), draw(st.integers(2, 12))
    picture = draw(arrays(np.uint8, (height, width, 3)))
    inside = st.floats(0, width, width=32) | st.just(float("nan"))
    points = draw(st.none() | arrays(np.float32, (68, 2), elements=inside))
    return Face(picture, points, draw(known))


@given(faces())
def test_flipping_twice_is_the_identity(face: Face) -> None:
    again = face.mirrored().mirrored()
    assert np.array_equal(again.picture, face.picture)
    assert again.labels == face.labels
    if face.landmarks is None:
        assert again.landmarks is None
    else:
        assert again.landmarks is not None
        assert again.landmarks.dtype == face.landmarks.dtype
        np.testing.assert_allclose(again.landmarks, face.landmarks, atol=2e-6)


@given(faces())
def test_once_is_not(face: Face) -> None:
    assert np.array_equal(face.mirrored().picture[:, 0], face.picture[:, -1])
    sides = {face.labels.side, face.mirrored().labels.side}
    assert sides in ({Side.LEFT, Side.RIGHT}, {Side.NONE}, {Side.BILATERAL})


def test_landmarks_stay_on_their_pixels_and_change_their_index() -> None:
    picture = np.zeros((8, 10, 3), np.uint8)
    picture[3, 2] = 255
    points = np.full((68, 2), 5.0, np.float32)
    points[36] = 2.5, 3.5  # the middle of that pixel: the outer corner of the subject's right eye
    mirror = Face(picture, points, FaceLabels(side=Side.RIGHT)).mirrored()
    x, y = mirror.landmarks[45]
    assert mirror.picture[int(y), int(x)].tolist() == [255, 255, 255]
    assert mirror.labels.side is Side.LEFT


def test_every_label_was_thought_about() -> None:
    assert {field.name for field in fields(FaceLabels)} <= set(FOLLOWS), "say what a flip does to the new label"


def test_what_has_no_side_stays() -> None:
    labels = FaceLabels("s1", "smile_full", Side.LEFT, 4.0)
    assert mirror_labels(labels) == replace(labels, side=Side.RIGHT)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (FaceLabels("s1", "rest"), "the affected side is unknown"),
        (FaceLabels("s1", "rest", None, 3.0), "the affected side is unknown"),
        (FaceLabels("s1", "left wink", Side.NONE, 1.0), "the expression 'left wink' is the data set's own word"),
        (FaceLabels("s1", "wink", Side.RIGHT, 2.0), "may name a side; expected one of rest, brow_raise"),
    ],
)
def test_labels_that_cannot_follow_refuse_the_flip(labels: FaceLabels, said: str) -> None:
    face = Face(np.zeros((4, 4, 3), np.uint8), None, labels)
    with pytest.raises(FlipRefused, match=f"subject 's1': .*{said}"):
        face.mirrored()


@pytest.mark.parametrize("labels", [FaceLabels("s1", "rest", None, 1.0), FaceLabels("s1", group=Group.NORMAL)])
def test_a_normal_face_needs_no_side(labels: FaceLabels) -> None:
    assert refusal(labels) is None
    assert mirror_labels(labels) == labels
