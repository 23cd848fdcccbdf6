"""The finer dials on faces: they override the grade, of the affected side and of their region alone."""

from itertools import product

import numpy as np
import pytest

from palsykit.faces.dials import Dials, Length
from palsykit.faces.vocabulary import EXPRESSIONS, Group, Side
from palsykit.faces.webmorph import FLIP
from palsykit_face_space.model import load_model
from palsykit_face_space.palsy import Action, Pose, displace_all

FACE = load_model().shape_mean.numpy().astype(np.float64)
MM = float(np.linalg.norm(FACE[1] - FACE[0])) / 63
RIGHT_BROW, LEFT_BROW, RIGHT_CORNER, LEFT_CORNER = 73, 80, 87, 93
UPPER_FACE = [*range(18, 50), *range(71, 87)]
MOUTH = [*range(87, 109)]


def posed(expression: str, dials: Dials, severity: float = 4.0, side: Side = Side.LEFT, **more: Group) -> Pose:
    return displace_all(FACE[None], [Action(expression, side, severity, dials=dials, **more)])


def height(pose: Pose, left: int, right: int) -> float:
    """How much higher the left point is than the right one, in mm."""
    return float(pose.points[0, right, 1] - pose.points[0, left, 1]) / MM


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_no_dial_changes_nothing(expression: str) -> None:
    plain = displace_all(FACE[None], [Action(expression, Side.LEFT, 4.0)])
    assert np.array_equal(posed(expression, Dials()).points, plain.points)


@pytest.mark.parametrize(("severity", "share"), list(product((2.0, 6.0), (0.0, 0.2, 1.0))))
def test_a_share_is_of_the_healthy_movement_whatever_the_grade(severity: float, share: float) -> None:
    rest = posed("rest", Dials(), severity).points[0]
    raised = posed("brow_raise", Dials(brow=share), severity).points[0] - rest
    assert -raised[LEFT_BROW, 1] == pytest.approx(-share * raised[RIGHT_BROW, 1], abs=1e-6)
    smiling = posed("smile_full", Dials(mouth=share), severity).points[0] - rest
    assert smiling[LEFT_CORNER] == pytest.approx(share * smiling[RIGHT_CORNER] * [-1, 1], abs=0.02)
    for name in ("eye_closure_gentle", "eye_closure_tight"):
        assert posed(name, Dials(eye=share), severity).closure[0] == pytest.approx([1, share])


@pytest.mark.parametrize("expression", EXPRESSIONS)
@pytest.mark.parametrize("severity", [2.0, 5.0])
@pytest.mark.parametrize("asked", [-6.0, -4.0, 0.0, 3.0])
def test_a_length_is_what_is_measured_in_the_picture(expression: str, severity: float, asked: float) -> None:
    corner = posed(expression, Dials(mouth=Length(asked)), severity)
    assert height(corner, LEFT_CORNER, RIGHT_CORNER) == pytest.approx(asked, abs=1e-6)
    if expression != "eye_closure_tight":  # effort lowers the healthy brow too, and the lid is below
        brow = posed(expression, Dials(brow=Length(asked)), severity)
        assert height(brow, LEFT_BROW, RIGHT_BROW) == pytest.approx(asked, abs=1e-6)
    right, left = posed(expression, Dials(eye=Length(asked)), severity).lid_gap[0]
    assert left == pytest.approx(max(0.0, right + asked), abs=1e-6)


def test_a_dial_moves_its_own_region_of_the_affected_side() -> None:
    plain = posed("smile_full", Dials()).points[0]
    mouth = posed("smile_full", Dials(mouth=Length(-4.0))).points[0]
    assert np.allclose(mouth[UPPER_FACE], plain[UPPER_FACE])
    assert np.allclose(mouth[[RIGHT_CORNER, 88]], plain[[RIGHT_CORNER, 88]], atol=0.02)
    for dials in (Dials(brow=0.9), Dials(brow=Length(2.0)), Dials(eye=0.1), Dials(eye=Length(3.0))):
        for expression in ("brow_raise", "eye_closure_tight"):
            assert np.allclose(posed(expression, dials).points[0, MOUTH], posed(expression, Dials()).points[0, MOUTH])


def test_tone_is_lost_by_region_whatever_the_grade() -> None:
    still = posed("rest", Dials(tone_mouth=0.0), 2.0)
    assert height(still, LEFT_CORNER, RIGHT_CORNER) == pytest.approx(-5.5, abs=0.1)
    assert height(still, LEFT_BROW, RIGHT_BROW) == pytest.approx(0, abs=0.05)
    assert still.fold[0] == pytest.approx([0, -0.8])
    restored = posed("rest", Dials(tone_brow=1.0, tone_eye=1.0, tone_mouth=1.0), 6.0)
    assert np.allclose(restored.points[0], FACE)
    right, left = posed("rest", Dials(tone_eye=0.0), 2.0).lid_gap[0]
    assert left - right == pytest.approx(2.8, abs=0.1)


def test_synkinesis_can_be_asked_without_its_group_and_by_region() -> None:
    full = posed("smile_full", Dials(), 3.0, group=Group.SYNKINETIC)
    asked = posed("smile_full", Dials(synkinesis_eye=0.6, synkinesis_mouth=0.6), 3.0)
    assert np.allclose(full.points, asked.points)
    eye = posed("eye_closure_gentle", Dials(synkinesis_eye=1.0), 3.0)
    assert np.allclose(eye.points[0, MOUTH], FACE[MOUTH])


def test_the_mirrored_face_has_the_mirrored_dials() -> None:
    twin = FACE[list(FLIP)] * [-1, 1]
    for dials in (
        Dials(brow=Length(-2.0), eye=Length(2.0), mouth=Length(-4.0)),
        Dials(0.1, 0.4, 0.3, 0.2, 0.5, 0.1, 1, 0),
    ):
        here = displace_all(FACE[None], [Action("smile_full", Side.LEFT, 3.0, dials=dials)]).points[0]
        there = displace_all(twin[None], [Action("smile_full", Side.RIGHT, 3.0, dials=dials)]).points[0]
        assert np.allclose(here[list(FLIP)] * [-1, 1], there, atol=1e-6)


def test_dials_that_contradict_the_side_or_the_face_are_refused() -> None:
    with pytest.raises(ValueError, match=r"dials \(mouth\) with side 'none'"):
        Action("rest", dials=Dials(mouth=0.5))
    with pytest.raises(ValueError, match=r"mouth -4mm: a length is against the healthy side.*give a share"):
        Action("rest", Side.BILATERAL, 3.0, dials=Dials(mouth=Length(-4.0)))
    with pytest.raises(
        ValueError, match=r"brow -19mm: the brow would lie on the lid; this face has room for -\d+\.\dmm"
    ):
        posed("rest", Dials(brow=Length(-19.0)))
    both = posed("smile_full", Dials(mouth=0.2), side=Side.BILATERAL).points[0]
    assert height(
        posed("smile_full", Dials(mouth=0.2), side=Side.BILATERAL), LEFT_CORNER, RIGHT_CORNER
    ) == pytest.approx(0, abs=0.05)
    assert np.linalg.norm(both[LEFT_CORNER] - FACE[LEFT_CORNER]) / MM == pytest.approx(2, abs=0.05)
