"""Signed asymmetry: it names the affected side, grows with severity, turns round in a flip, knows no roll or size."""

import importlib.resources
from dataclasses import fields
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors.numpy import load_file

from palsykit.faces import measures
from palsykit.faces.flip import Face
from palsykit.faces.vocabulary import EXPRESSIONS, FaceLabels, Group, Side
from palsykit.faces.webmorph import to_ibug68
from palsykit_face_space.palsy import Action, displace_all
from palsykit_metrics.asymmetry_index import SYNKINETIC_WEIGHTS, WEIGHTS, Asymmetry, Weights

MEASURES = [field.name for field in fields(Asymmetry)]
ASSET = importlib.resources.files("palsykit_face_space") / "assets/face_space.safetensors"
GRADES = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
IN_MOVEMENT = [name for name in EXPRESSIONS if name != "rest"]
# effort lowers the healthy brow as palsy lowers the other one
TELLING = {*product(EXPRESSIONS, [*MEASURES, "fai"])} - {("eye_closure_tight", "brow")}


@pytest.fixture(scope="module")
def template() -> np.ndarray:
    """The face space's mean shape: symmetric, for mirrored samples went into it."""
    return load_file(str(ASSET))["shape_mean"].astype(np.float64)


def posed(template: np.ndarray, expression: str, side: Side, grade: float, group: Group | None = None) -> np.ndarray:
    side, group = (Side.NONE, None) if grade == 1 else (side, group)
    return to_ibug68(displace_all(template[None], [Action(expression, side, grade, group=group)]).points[0])


def of(points: np.ndarray) -> dict[str, np.ndarray]:
    found = Asymmetry.of(points)
    others = {"fai": measures.facial_asymmetry_index(points), "combined": found.combined()}
    return {name: getattr(found, name) for name in MEASURES} | others


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_healthy_face_is_symmetric(template: np.ndarray, expression: str) -> None:
    for name, value in of(posed(template, expression, Side.NONE, 1.0)).items():
        assert abs(value) < 1e-3, name


@pytest.mark.parametrize("expression", IN_MOVEMENT)
@pytest.mark.parametrize(("side", "sign"), [(Side.LEFT, 1), (Side.RIGHT, -1)])
def test_the_index_names_the_side_and_grows_with_the_grade(
    template: np.ndarray, expression: str, side: Side, sign: int
) -> None:
    # At grade II the eye shuts with minimal effort: nothing is to be seen.
    grades = GRADES[1:] if expression == "eye_closure_gentle" else GRADES
    faces = np.stack([posed(template, expression, side, grade) for grade in grades])
    index = sign * Asymmetry.of(faces).combined(expression)
    assert (np.diff(index) > 0.005).all()


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("expression", EXPRESSIONS)
@pytest.mark.parametrize(("side", "sign"), [(Side.LEFT, 1), (Side.RIGHT, -1)])
def test_without_tone_the_index_names_the_side_of_any_face(
    template: np.ndarray, expression: str, side: Side, sign: int, known: bool
) -> None:
    faces = np.stack([posed(template, expression, side, grade) for grade in GRADES[3:]])
    index = sign * Asymmetry.of(faces).combined(expression if known else None)
    assert (np.diff(index) > 0.04).all()
    assert (index[1:] > 0.06).all()


def test_a_flaccid_face_at_rest_is_symmetric_up_to_grade_four(template: np.ndarray) -> None:
    for value in of(posed(template, "rest", Side.LEFT, 4.0)).values():
        assert abs(value) < 1e-6


@pytest.mark.parametrize(("expression", "measure"), sorted(TELLING))
def test_no_measure_of_a_flaccid_palsy_points_to_the_healthy_side(
    template: np.ndarray, expression: str, measure: str
) -> None:
    for grade in GRADES[4:]:
        assert of(posed(template, expression, Side.LEFT, grade))[measure] > 0.001
        assert of(posed(template, expression, Side.RIGHT, grade))[measure] < -0.001


@pytest.mark.parametrize(
    ("expression", "measure"),
    [
        ("brow_raise", "brow"),
        ("eye_closure_gentle", "fissure"),
        ("eye_closure_tight", "fissure"),
        ("smile_gentle", "commissure"),
        ("smile_full", "commissure"),
    ],
)
def test_a_requested_movement_shows_more_than_rest(template: np.ndarray, expression: str, measure: str) -> None:
    still, moving = (of(posed(template, word, Side.LEFT, 5.0))[measure] for word in ("rest", expression))
    assert moving > 1.2 * still


@pytest.mark.parametrize("expression", EXPRESSIONS)
@pytest.mark.parametrize(("side", "sign"), [(Side.LEFT, 1), (Side.RIGHT, -1)])
def test_the_known_group_finds_the_side_of_a_synkinetic_palsy(
    template: np.ndarray, expression: str, side: Side, sign: int
) -> None:
    faces = np.stack([posed(template, expression, side, grade, Group.SYNKINETIC) for grade in GRADES[1:4]])
    assert (sign * Asymmetry.of(faces).combined(expression, Group.SYNKINETIC) > 0).all()


@pytest.mark.parametrize(("expression", "weight"), [("eye_closure_gentle", 2), ("eye_closure_tight", 1)])
def test_a_corner_drawn_up_as_the_eyes_close_names_the_side_of_a_synkinetic_palsy_alone(
    expression: str, weight: float
) -> None:
    drawn = Asymmetry(*(np.float64(value) for value in (0.0, 0.0, -0.03, -0.01)))  # up and out, on the left
    assert drawn.combined(expression, Group.SYNKINETIC) == pytest.approx(weight * 0.03)
    assert drawn.combined(expression) <= 0  # nothing that a flaccid palsy does


def test_any_other_group_is_measured_as_flaccid(template: np.ndarray) -> None:
    face = Asymmetry.of(posed(template, "smile_full", Side.LEFT, 4.0))
    assert face.combined("smile_full", Group.FLACCID) == face.combined("smile_full")
    assert face.combined(None, Group.SYNKINETIC) == face.combined()


@pytest.mark.parametrize("expression", IN_MOVEMENT)
def test_the_known_expression_finds_the_side_of_a_synkinetic_palsy(template: np.ndarray, expression: str) -> None:
    faces = np.stack([posed(template, expression, Side.RIGHT, grade, Group.SYNKINETIC) for grade in GRADES[2:4]])
    assert (Asymmetry.of(faces).combined(expression) < -0.01).all()


def test_the_affected_corner_stays_behind(template: np.ndarray) -> None:
    rest, smile = (posed(template, word, Side.LEFT, 4.0) for word in ("rest", "smile_full"))
    excursion = measures.commissure_excursion(smile, rest)
    assert excursion.left < 0.7 * excursion.right
    assert np.allclose(measures.commissure_excursion(rest, rest), 0)


def test_differences_are_those_of_the_lengths() -> None:
    """A face drawn by hand: outer corners 100 apart, so that px are percent."""
    points = np.zeros((68, 2))
    points[[36, 39, 42, 45], 0] = 0, 30, 70, 100
    points[17:22], points[22:27] = (15, -25), (85, -22)
    points[[37, 38]], points[[40, 41]] = (15, -4), (15, 5)
    points[[43, 44]], points[[46, 47]] = (85, -6), (85, 7)
    points[48:], points[48], points[54] = (45, 80), (30, 80), (70, 86)
    lips = (18 * 45 + 30 + 70) / 20
    expected = {"brow": 0.03, "fissure": 0.04, "commissure": 0.06, "mouth": (50 - lips) / 100, "fai": 0.06}
    found = of(points)
    assert {name: float(found[name]) for name in expected} == pytest.approx(expected)
    assert found["combined"] == pytest.approx(sum(expected[name] for name in MEASURES))


@st.composite
def people(draw: st.DrawFn) -> np.ndarray:
    """A face like no other: the mean face's 68 points, each moved."""
    mean = to_ibug68(load_file(str(ASSET))["shape_mean"])
    return (mean + draw(arrays(np.float64, (68, 2), elements=st.floats(-3, 3)))).astype(np.float32)


def in_a_mirror(points: np.ndarray) -> np.ndarray:
    mirror = Face(np.zeros((128, 128, 3), np.uint8), points, FaceLabels(side=Side.LEFT)).mirrored()
    assert mirror.landmarks is not None
    return mirror.landmarks


@given(people(), st.sampled_from([None, *EXPRESSIONS]))
def test_a_flip_changes_the_sign_and_nothing_else(points: np.ndarray, expression: str | None) -> None:
    mirror = in_a_mirror(points)
    plain, turned = of(points), of(mirror)
    for name in plain:
        assert turned[name] == pytest.approx(-plain[name], abs=1e-5), name
    index = Asymmetry.of(mirror).combined(expression)
    assert index == pytest.approx(-Asymmetry.of(points).combined(expression), abs=1e-5)


@given(people(), st.floats(-180, 180), st.floats(0.2, 5), st.floats(-500, 500))
def test_roll_size_and_place_change_nothing(points: np.ndarray, degrees: float, scale: float, shift: float) -> None:
    turn = np.deg2rad(degrees)
    matrix = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    moved = points.astype(np.float64) @ matrix.T + [shift, -shift]
    for name, value in of(points).items():
        assert of(moved)[name] == pytest.approx(value, abs=1e-6), name


def test_a_batch_is_measured_as_its_faces_are(template: np.ndarray) -> None:
    faces = np.stack([posed(template, word, Side.LEFT, 4.0) for word in EXPRESSIONS])
    together = of(faces.reshape(2, 4, 68, 2))
    for name, values in together.items():
        assert values.shape == (2, 4)
        assert np.allclose(values.ravel(), [of(face)[name] for face in faces])


def test_what_cannot_be_measured_is_nan(template: np.ndarray) -> None:
    unknown, collapsed = np.full((68, 2), np.nan), np.ones((68, 2))
    found = of(np.stack([unknown, collapsed, posed(template, "rest", Side.LEFT, 6.0)]))
    for values in found.values():
        assert np.isnan(values).tolist() == [True, True, False]


def test_every_expression_has_weights_of_one_sum() -> None:
    assert list(WEIGHTS) == list(EXPRESSIONS)
    assert list(SYNKINETIC_WEIGHTS) == list(EXPRESSIONS)
    every = (*WEIGHTS.values(), *SYNKINETIC_WEIGHTS.values(), Weights())
    sums = {sum(abs(getattr(weights, name)) for name in MEASURES) for weights in every}
    assert sums == {4}, "so that no expression counts more than another"


def test_what_is_no_face_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(5, 2\), expected \(\.\.\., 68, 2\)"):
        Asymmetry.of(np.zeros((5, 2)))
    with pytest.raises(ValueError, match="unknown expression 'grin'; expected one of rest"):
        Asymmetry.of(np.zeros((68, 2))).combined("grin")
