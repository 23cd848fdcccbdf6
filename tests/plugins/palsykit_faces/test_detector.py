"""The detector mediapipe on rendered faces: any size, any direction, several faces, none."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from palsykit.faces.alignment import FRAME, five_points
from palsykit.faces.landmarks import flip_points
from palsykit.testing import check
from palsykit_face_space.dataset import FaceSpace
from palsykit_faces.detector import MediaPipe

SIDE = 128
NEAR = 0.12
"""Largest distance of a point from the renderer's, in distances between the eyes; the mesh's own bias is 5 %."""

Face = tuple[NDArray[np.uint8], NDArray[np.float64]]
"""A picture and its five points."""


@pytest.fixture(scope="module")
def detector() -> MediaPipe:
    return MediaPipe()


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> list[Face]:
    """Two people, 128 px."""
    people = FaceSpace(SIDE, tmp_path_factory.mktemp("cache"), identities=2, validation=0, test=0, renders=1)
    return [(people.image(r), five_points(r.landmarks)) for r in people.records if r.landmarks is not None]


def enlarged(face: Face, side: int) -> Face:
    picture = Image.fromarray(face[0]).resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(picture), face[1] * (side / SIDE)


def on_canvas(width: int, height: int, *placed: tuple[Face, int, int]) -> NDArray[np.uint8]:
    """Faces on grey, each with its left and top px."""
    canvas = np.full((height, width, 3), 150, np.uint8)
    for (picture, _), left, top in placed:
        canvas[top : top + len(picture), left : left + len(picture)] = picture
    return canvas


def assert_there(detection: Any, five: NDArray[np.float64]) -> None:
    apart = np.hypot(*(five[1] - five[0]))
    assert np.hypot(*(detection.five - five).T).max() < NEAR * apart


def test_contract() -> None:
    check("detector", "mediapipe")


def test_a_detection_says_everything(detector: MediaPipe, faces: list[Face]) -> None:
    picture, five = enlarged(faces[0], 512)
    (face,) = detector.detect(picture)
    assert_there(face, five)
    assert face.landmarks is not None
    assert face.mesh is not None
    assert face.box is not None
    assert face.pose is not None
    assert (face.landmarks.shape, face.mesh.shape, face.box.shape) == ((68, 2), (478, 3), (4,))
    assert np.isfinite(face.mesh).all()
    np.testing.assert_allclose(face.five, five_points(face.landmarks))
    assert face.box[0] < face.landmarks[:, 0].min() + 20
    assert face.box[3] > face.landmarks[:, 1].max() - 20
    assert 0.8 < face.score <= face.presence <= 1
    assert abs(face.pose.yaw) < 15
    assert abs(face.pose.pitch) < 25
    # the frame puts the eyes at FRAME, and 63 mm are between the pupils
    expected = np.hypot(*(five[1] - five[0])) / 63
    assert face.px_per_mm_pupils == pytest.approx(expected, rel=0.06)
    assert face.px_per_mm_iris == pytest.approx(expected, rel=0.2)
    assert np.hypot(*(FRAME[1] - FRAME[0])) * 512 / 63 == pytest.approx(expected, rel=0.2)
    # each iris lies between its eye's corners: the subject's right one on the image's left
    right, left = face.mesh[468, 0], face.mesh[473, 0]
    assert face.landmarks[36, 0] < right < face.landmarks[39, 0] < face.landmarks[42, 0] < left < face.landmarks[45, 0]


@pytest.mark.parametrize("side", [64, 100, 256, 1000, 4000])
def test_sizes(detector: MediaPipe, faces: list[Face], side: int) -> None:
    picture, five = enlarged(faces[0], side)
    (face,) = detector.detect(picture)
    assert_there(face, five)


@pytest.mark.parametrize(
    ("width", "height", "side", "left", "top"),
    [(4000, 3000, 500, 3400, 100), (4000, 3000, 200, 1500, 2700), (12000, 700, 400, 9000, 200), (900, 3000, 128, 5, 5)],
)
def test_small_faces_in_large_pictures(
    detector: MediaPipe, faces: list[Face], width: int, height: int, side: int, left: int, top: int
) -> None:
    small = enlarged(faces[1], side)
    (face,) = detector.detect(on_canvas(width, height, (small, left, top)))
    assert_there(face, small[1] + (left, top))


@pytest.mark.parametrize("degrees", [30, 90, 135, 180, 270, 315])
def test_turned_pictures(detector: MediaPipe, faces: list[Face], degrees: int) -> None:
    picture, five = enlarged(faces[0], 256)
    (upright,) = detector.detect(picture)
    whole = on_canvas(400, 400, ((picture, five), 72, 72))
    turned = np.asarray(Image.fromarray(whole).rotate(-degrees, Image.Resampling.BICUBIC))
    (face,) = detector.detect(turned)
    angle = np.deg2rad(degrees)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    assert_there(face, (five + 72 - 200) @ matrix.T + 200)
    assert face.pose is not None
    assert upright.pose is not None
    difference = face.pose.roll - upright.pose.roll - degrees
    assert (difference + 180) % 360 - 180 == pytest.approx(0, abs=5)
    assert face.pose.yaw == pytest.approx(upright.pose.yaw, abs=8)


def test_two_faces_in_order(detector: MediaPipe, faces: list[Face]) -> None:
    large, small = enlarged(faces[0], 400), enlarged(faces[1], 220)
    found = detector.detect(on_canvas(900, 500, (large, 20, 50), (small, 600, 200)))
    assert len(found) == 2
    assert found[0].score >= found[1].score
    first, second = sorted(found, key=lambda face: face.five[0, 0])
    assert_there(first, large[1] + (20, 50))
    assert_there(second, small[1] + (600, 200))


def test_behind_a_large_face_no_small_ones_are_looked_for(
    detector: MediaPipe, faces: list[Face], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    find = detector._full.find
    monkeypatch.setattr(detector._full, "find", lambda *given: asked.append(1) or find(*given))
    large, small = enlarged(faces[0], 400), enlarged(faces[0], 100)
    assert len(detector.detect(on_canvas(500, 500, (large, 50, 50)))) == 1
    assert asked == []
    assert len(detector.detect(on_canvas(900, 900, (small, 300, 400)))) == 1
    assert asked == [1]


def test_a_tight_crop(detector: MediaPipe, faces: list[Face]) -> None:
    picture, five = enlarged(faces[0], 512)
    (face,) = detector.detect(picture)
    assert face.box is not None
    left, top, right, bottom = (round(float(v)) for v in face.box)
    left, top = max(left, 0), max(top, 0)
    (again,) = detector.detect(picture[top:bottom, left:right].copy())
    assert_there(again, five - (left, top))


def test_a_half_dark_picture(detector: MediaPipe, faces: list[Face]) -> None:
    picture, five = enlarged(faces[0], 256)
    dark = picture.copy()
    dark[:, :128] //= 6
    (face,) = detector.detect(dark)
    assert_there(face, five)


def test_nothing_where_there_is_nothing(detector: MediaPipe) -> None:
    rng = np.random.default_rng(0)
    assert detector.detect(rng.integers(0, 256, (300, 400, 3), dtype=np.uint8)) == []
    soft = Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)).resize((300, 300), Image.Resampling.BICUBIC)
    assert detector.detect(np.asarray(soft)) == []
    assert detector.detect(np.zeros((1, 700, 3), np.uint8)) == []


def test_a_mirrored_picture_gives_mirrored_points(detector: MediaPipe, faces: list[Face]) -> None:
    picture, five = enlarged(faces[0], 512)
    (face,), (mirrored,) = detector.detect(picture), detector.detect(picture[:, ::-1])
    assert face.landmarks is not None
    assert mirrored.landmarks is not None
    apart = np.hypot(*(five[1] - five[0]))
    back = flip_points(mirrored.landmarks, 512)
    # the jaw's points lie on no feature, so they slide
    assert np.hypot(*(back - face.landmarks).T)[17:].max() < 0.08 * apart
    assert face.pose is not None
    assert mirrored.pose is not None
    assert mirrored.pose.yaw == pytest.approx(-face.pose.yaw, abs=4)
    assert mirrored.pose.roll == pytest.approx(-face.pose.roll, abs=3)
    assert mirrored.pose.pitch == pytest.approx(face.pose.pitch, abs=4)


def test_the_version_names_weights_and_keys() -> None:
    assert MediaPipe().version == MediaPipe().version
    assert len({MediaPipe().version, MediaPipe(threshold=0.6).version, MediaPipe(presence=0.6).version}) == 3


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 4), (0, 8, 3)])
def test_other_arrays_are_refused(detector: MediaPipe, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected uint8 \[H, W, 3\]"):
        detector.detect(np.zeros(shape, np.uint8))
    with pytest.raises(ValueError, match=r"found float64"):
        detector.detect(np.zeros((8, 8, 3)))
