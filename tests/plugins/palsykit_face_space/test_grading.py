"""Every simulated face is graded by the scale's own measure and table, and has the grade that was asked."""

import numpy as np
import pytest

from palsykit.faces.landmarks import flip_points
from palsykit.faces.vocabulary import Group, Side
from palsykit.faces.webmorph import to_ibug68
from palsykit_face_space.grading import NEEDED, grade, measure
from palsykit_face_space.model import SPREAD, load_model
from palsykit_face_space.movements import MEAN, Manner, draw_manner
from palsykit_face_space.palsy import Action, displace_all

SIDES = [Side.LEFT, Side.RIGHT, Side.BILATERAL]
GRADES = [2.0, 3.0, 4.0, 5.0, 6.0]
PEOPLE = range(12)
POINTS = {1.0: (8, 8), 2.0: (6.5, 7.5), 3.0: (4.5, 6.5), 4.0: (2.5, 4.5), 5.0: (0.5, 2.5), 6.0: (0, 0.5)}
"""Grade -> the scale's points, rounded: 8, 7, 5-6, 3-4, 1-2 and 0."""


def face(person: int) -> tuple[np.ndarray, Manner]:
    """Shape and manner of a person: 0 is the mean, the others are drawn as the face space draws them."""
    model, rng = load_model(), np.random.default_rng(person)
    mean, basis = (part.numpy().astype(np.float64) for part in (model.shape_mean, model.shape_basis))
    if person == 0:
        return mean, MEAN
    return mean + np.tensordot(SPREAD * np.clip(rng.normal(size=len(basis)), -2, 2), basis, 1), draw_manner(rng)


def photographed(
    person: int, side: Side = Side.NONE, severity: float = 1.0, group: Group | None = None
) -> dict[str, np.ndarray]:
    """Landmarks of a person's movements with most effort."""
    shape, manner = face(person)
    actions = [Action(name, side, severity, 1.0, group, manner=manner) for name in NEEDED]
    points = displace_all(np.stack([shape] * len(actions)), actions).points
    return {name: to_ibug68(face) for name, face in zip(NEEDED, points, strict=True)}


@pytest.mark.parametrize("severity", GRADES)
@pytest.mark.parametrize("side", SIDES)
def test_every_face_has_the_grade_that_was_asked(side: Side, severity: float) -> None:
    for person in PEOPLE:
        before = photographed(person) if side is Side.BILATERAL else None
        for group in (Group.FLACCID, Group.SYNKINETIC) if severity < 5 else (Group.FLACCID,):
            found = grade(photographed(person, side, severity, group), side, before)
            assert found.grade == severity, (person, group, found)
            low, high = POINTS[severity]
            assert low <= found.points <= high, (person, group, found)


def test_healthy_people_have_grade_one_and_eight_points() -> None:
    for person in range(40):
        found = grade(photographed(person), Side.NONE)
        assert (found.grade, found.points) == (1, pytest.approx(8)), (person, found)


def test_the_mean_persons_bilateral_palsy_is_graded_by_the_scales_ten_millimetres() -> None:
    for severity in GRADES:
        assert grade(photographed(0, Side.BILATERAL, severity), Side.BILATERAL).grade == severity


def test_the_healthy_side_of_a_palsied_face_is_healthy() -> None:
    for severity in GRADES:
        shots = photographed(3, Side.LEFT, severity)
        assert grade(shots, Side.RIGHT, photographed(3)).grade == 1
        assert grade(shots, Side.NONE).grade == severity, "the weaker side counts"


@pytest.mark.parametrize(("between", "either"), [(2.4, {2, 3}), (3.5, {3, 4}), (4.6, {4, 5}), (5.2, {5})])
def test_a_grade_between_whole_ones_is_one_of_its_neighbours(between: float, either: set[int]) -> None:
    assert grade(photographed(0, Side.RIGHT, between), Side.RIGHT).grade in either


def test_the_forehead_is_still_at_grade_four_and_the_mouth_is_not() -> None:
    right, left = measure(photographed(0, Side.LEFT, 4.0))
    assert right.brow_rise == pytest.approx(10, abs=0.1)
    assert left.brow_rise == pytest.approx(0, abs=1e-4)
    assert 5 < np.hypot(*left.smile) < 8 < np.hypot(*right.smile)


def test_the_grade_is_read_from_the_points_alone_whatever_roll_and_size() -> None:
    shots = photographed(4, Side.RIGHT, 5.0)
    turn = np.deg2rad(9)
    matrix = 2.5 * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    turned = {name: points @ matrix + [30, -7] for name, points in shots.items()}
    assert grade(turned, Side.RIGHT).points == pytest.approx(grade(shots, Side.RIGHT).points, abs=1e-3)
    mirrored = {name: flip_points(points, 128) for name, points in shots.items()}
    assert grade(mirrored, Side.LEFT).points == pytest.approx(grade(shots, Side.RIGHT).points, abs=1e-3)
    assert grade(mirrored, Side.LEFT).regions == grade(shots, Side.RIGHT).regions
    still = dict.fromkeys(NEEDED, shots["rest"])
    assert grade(still, Side.RIGHT).grade == 6, "a face that does not move at all"


def test_what_cannot_be_graded_is_refused() -> None:
    shots = photographed(0)
    with pytest.raises(ValueError, match=r"expected smile_full too"):
        grade({name: points for name, points in shots.items() if name != "smile_full"}, Side.LEFT)
    with pytest.raises(ValueError, match=r"rest: found landmarks of shape \(5, 2\)"):
        grade(shots | {"rest": np.zeros((5, 2))}, Side.LEFT)


def test_people_differ_as_the_pairs_and_healthy_asymmetry_say() -> None:
    manners = [draw_manner(np.random.default_rng(n)) for n in range(2_000)]
    sides = np.array([np.hypot(*measure_smile(manner)) for manner in manners[:200]])
    assert sides.mean() == pytest.approx(10, abs=0.4)
    assert 2 < sides.std() < 3, "the London pairs' open smiles: 2.8 mm"
    differences = np.abs([(m.brow_difference, m.mouth_difference) for m in manners])
    assert 0.06 < differences.mean() < 0.09


def measure_smile(manner: Manner) -> tuple[float, float]:
    """Movement of the left corner of the mean face, (out, up) in mm."""
    shape = load_model().shape_mean.numpy().astype(np.float64)
    points = displace_all(np.stack([shape] * len(NEEDED)), [Action(name, manner=manner) for name in NEEDED]).points
    return measure({name: to_ibug68(face) for name, face in zip(NEEDED, points, strict=True)})[1].smile
