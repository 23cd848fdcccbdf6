"""Lengths of a face are what they say, in any unit; a flip swaps sides, roll changes nothing."""

import importlib.resources
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors.numpy import load_file

from palsykit.faces import measures
from palsykit.faces.flip import Face
from palsykit.faces.measures import Halves
from palsykit.faces.vocabulary import FaceLabels, Side
from palsykit.faces.webmorph import to_ibug68

ASSET = importlib.resources.files("palsykit_face_space") / "assets/face_space.safetensors"
HALVES: list[Callable[..., Halves]] = [
    measures.brow_height,
    measures.fissure_height,
    measures.palpebral_fissure,
    measures.commissure_depth,
    measures.commissure_lateral,
    measures.canthus_to_commissure,
    measures.lower_lip_depth,
    measures.lip_opening,
]


@pytest.fixture
def drawn() -> np.ndarray:
    """A face drawn by hand: outer corners 100 apart, so that px are percent; pupils 70 apart."""
    points = np.zeros((68, 2))
    points[[36, 39, 42, 45], 0] = 0, 30, 70, 100
    points[17:22], points[22:27] = (15, -25), (85, -22)
    points[[37, 38]], points[[40, 41]] = (15, -4), (15, 5)
    points[[43, 44]], points[[46, 47]] = (85, -6), (85, 7)
    points[48:], points[48], points[54], points[51] = (45, 80), (30, 80), (72, 86), (44, 76)
    points[[58, 59]], points[[56, 55]] = [(44, 90), (38, 88)], [(56, 91), (62, 89)]
    points[[61, 62, 63]], points[[67, 66, 65]] = [(46, 79), (50, 79), (54, 80)], [(46, 82), (50, 84), (54, 86)]
    return points


EXPECTED: dict[str, tuple[float, ...] | float] = {
    "brow_height": (25, 22),
    "fissure_height": (9, 13),
    "palpebral_fissure": (9 * 1.265, 13 * 1.265),
    "commissure_depth": (80, 86),
    "commissure_lateral": (20, 22),
    "mouth_width": np.hypot(42, 6),
    "canthus_to_commissure": (80, np.hypot(2, 86)),
    "facial_asymmetry_index": np.hypot(2, 86) - 80,
    "philtrum_deviation": -6,
    "lower_lip_depth": (89, 90),
    "lip_opening": (3, 6),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_length_is_what_it_says(drawn: np.ndarray, name: str) -> None:
    measure, expected = getattr(measures, name), np.array(EXPECTED[name])
    assert measure(drawn) == pytest.approx(expected / 100)
    assert measure(drawn, 2.0) == pytest.approx(expected / 2), "px per mm"
    several = np.array(measure(np.stack([drawn, drawn]), np.array([2.0, 4.0])))
    assert several == pytest.approx(np.stack([expected / 2, expected / 4], -1)), "one unit a face"


def test_the_line_of_the_eyes_is_as_long_as_between_their_middles(drawn: np.ndarray) -> None:
    assert measures.eye_line(drawn) == pytest.approx(70)


def test_a_corner_moves_out_and_up_on_its_own_side(drawn: np.ndarray) -> None:
    smile = drawn.copy()
    smile[48] += -3, -4
    smile[54] += 6, -8
    moved = measures.commissure_movement(smile, drawn, 1.0, 1.0)
    assert moved.right == pytest.approx((3, 4))
    assert moved.left == pytest.approx((6, 8))
    assert measures.commissure_excursion(smile, drawn, 2.0, 2.0) == pytest.approx((2.5, 5))
    assert measures.commissure_excursion(2 * smile, drawn, 2.0, 1.0) == pytest.approx((5, 10)), "each in its own unit"
    assert measures.commissure_excursion(smile, smile) == pytest.approx((0, 0))


def test_rest_is_laid_over_the_face_by_the_bridge_of_the_nose_too() -> None:
    face = to_ibug68(load_file(str(ASSET))["shape_mean"]).astype(np.float64)
    lower = face.copy()
    lower[[36, 39, 42, 45]] += 0, 2  # as a network sees the corners of shut eyes
    assert measures.commissure_excursion(lower, face, 1.0, 1.0) == pytest.approx((1, 1), abs=0.1)
    unknown = lower.copy()
    unknown[27:31] = np.nan
    assert measures.commissure_excursion(unknown, face, 1.0, 1.0) == pytest.approx((2, 2), abs=1e-6), (
        "by the eyes alone"
    )
    turned = face @ np.array([[np.cos(0.1), np.sin(0.1)], [-np.sin(0.1), np.cos(0.1)]])
    assert measures.commissure_excursion(turned, face, 1.0, 1.0) == pytest.approx((0, 0), abs=1e-6)


@st.composite
def people(draw: st.DrawFn) -> np.ndarray:
    """A face like no other: the mean face's 68 points, each moved."""
    mean = to_ibug68(load_file(str(ASSET))["shape_mean"])
    return (mean + draw(arrays(np.float64, (68, 2), elements=st.floats(-3, 3)))).astype(np.float32)


def in_a_mirror(points: np.ndarray) -> np.ndarray:
    mirror = Face(np.zeros((128, 128, 3), np.uint8), points, FaceLabels(side=Side.LEFT)).mirrored()
    assert mirror.landmarks is not None
    return mirror.landmarks


@given(people(), people())
def test_a_flip_swaps_the_sides(points: np.ndarray, rest: np.ndarray) -> None:
    mirror = in_a_mirror(points)
    for measure in HALVES:
        here, there = measure(points), measure(mirror)
        assert np.allclose([there.left, there.right], [here.right, here.left], atol=1e-5), measure.__name__
        assert there.difference == pytest.approx(-here.difference, abs=1e-5)
    for signed in (measures.philtrum_deviation, measures.facial_asymmetry_index):
        assert signed(mirror) == pytest.approx(-signed(points), abs=1e-5)
    assert measures.mouth_width(mirror) == pytest.approx(measures.mouth_width(points), abs=1e-5)
    here, there = (measures.commissure_excursion(*faces) for faces in ((points, rest), (mirror, in_a_mirror(rest))))
    assert np.allclose([there.left, there.right], [here.right, here.left], atol=1e-5)


@given(people(), st.floats(-180, 180), st.floats(0.2, 5), st.floats(-500, 500))
def test_roll_size_and_place_change_nothing(points: np.ndarray, degrees: float, scale: float, shift: float) -> None:
    turn = np.deg2rad(degrees)
    matrix = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    moved = points.astype(np.float64) @ matrix.T + [shift, -shift]
    for measure in HALVES:
        assert np.allclose(measure(moved), measure(points), atol=1e-6), measure.__name__
        assert np.array(measure(moved, scale)) == pytest.approx(np.array(measure(points, 1.0)), abs=1e-4), (
            measure.__name__
        )


def test_what_cannot_be_measured_is_nan() -> None:
    faces = np.stack([np.full((68, 2), np.nan), np.ones((68, 2)), to_ibug68(load_file(str(ASSET))["shape_mean"])])
    for measure in HALVES:
        assert np.isnan(measure(faces).right).tolist() == [True, True, False]
        assert np.isnan(measure(faces, 1.0).right).tolist() == [True, True, False]


def test_what_is_no_face_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(5, 2\), expected \(\.\.\., 68, 2\)"):
        measures.brow_height(np.zeros((5, 2)))
