"""Palsy: the subject's side, what grade VI still moves, and that nothing depends on size or place."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palsykit.faces.vocabulary import EXPRESSIONS, Group, Side
from palsykit.faces.webmorph import FLIP, to_ibug68
from palsykit_face_space.movements import MOVEMENTS
from palsykit_face_space.palsy import Action, Pose, affected, displace_all, palsy_degree

RIGHT_CORNER, LEFT_CORNER = 48, 54  # iBUG; the subject's


def schematic() -> np.ndarray:
    """A symmetric 189-point face, pupils 100 px apart, with every point that palsy moves where it belongs."""
    rng = np.random.default_rng(0)
    half = {i: rng.uniform([-90, -60], [-10, 140]) for i in range(189)}
    half |= {0: (-50, 0), 18: (-72, 2), 19: (-62, -8), 20: (-50, -11), 21: (-38, -8), 22: (-28, 2)}
    half |= {28: (-62, 7), 29: (-50, 9), 30: (-38, 8), 83: (-60, -32), 84: (-42, -34), 75: (-25, -40)}
    half |= {71: (-85, -25), 72: (-75, -38), 73: (-60, -45), 74: (-42, -47), 76: (-22, -33)}
    half |= {87: (-42, 110), 88: (-28, 102), 89: (-12, 98), 94: (-28, 109), 95: (-14, 108), 99: (-28, 110)}
    half |= {100: (-14, 110), 104: (-28, 118), 105: (-14, 123)}
    points = np.zeros((189, 2))
    for i in (i for i in range(189) if i <= FLIP[i]):
        points[i] = half[i]
        points[FLIP[i]] = np.array(half[i]) * [-1, 1]
        if FLIP[i] == i:
            points[i, 0] = 0
    points[[90, 96, 101, 106], 1] = 100, 108, 110, 125
    return points


FACE = schematic()


def displace(
    points: np.ndarray,
    expression: str,
    strength: float = 1.0,
    side: Side = Side.NONE,
    severity: float = 1.0,
    group: Group | None = None,
) -> Pose:
    """``displace_all`` of one face [189, 2]."""
    pose = displace_all(points[None], [Action(expression, side, severity, strength, group)])
    return Pose(**{field.name: getattr(pose, field.name)[0] for field in fields(Pose)})


def mirrored(points: np.ndarray) -> np.ndarray:
    return points[list(FLIP)] * [-1, 1]


def moved(expression: str, side: Side = Side.NONE, severity: float = 1.0, strength: float = 1.0) -> np.ndarray:
    """Displacement of the 68 landmarks from the healthy face at rest, px; y is down."""
    return to_ibug68(displace(FACE, expression, strength, side, severity).points) - to_ibug68(FACE)


def test_rest_without_palsy_moves_nothing() -> None:
    assert np.allclose(displace(FACE, "rest").points, FACE)


def test_every_canonical_expression_has_a_movement_that_shows() -> None:
    assert list(MOVEMENTS) == list(EXPRESSIONS)
    for name in list(EXPRESSIONS)[1:]:
        # 1 px at 64 px, where pupils are 16 px apart, is 6 px here.
        assert np.abs(moved(name)).max() > 6, name


def test_a_left_palsy_droops_the_corner_at_the_right_of_the_image() -> None:
    change = moved("rest", Side.LEFT, 6.0)
    assert FACE[93, 0] > FACE[87, 0], "the subject's left corner is at the image's right"
    assert change[LEFT_CORNER, 1] > 12
    assert abs(change[RIGHT_CORNER, 1]) < 1
    assert change[51, 0] < -5, "the mouth is pulled to the healthy side, the image's left"


def test_resting_signs_grow_with_the_grade() -> None:
    droops = [moved("rest", Side.RIGHT, grade)[RIGHT_CORNER, 1] for grade in (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)]
    assert np.all(np.diff(droops) > 1)
    brow = [moved("rest", Side.RIGHT, grade)[19, 1] for grade in (1.0, 3.0, 6.0)]
    assert brow[0] < brow[1] < brow[2]
    eye = displace(FACE, "rest", 1.0, Side.RIGHT, 6.0).points
    assert (eye[29] - eye[20])[1] > (FACE[29] - FACE[20])[1], "lagophthalmos: the eye stands wider open"


def test_a_total_palsy_smiles_on_the_healthy_side_only() -> None:
    at_rest = moved("rest", Side.RIGHT, 6.0)
    smiling = moved("smile_gentle", Side.RIGHT, 6.0)
    assert smiling[LEFT_CORNER, 1] < at_rest[LEFT_CORNER, 1] - 8
    assert np.isclose(smiling[RIGHT_CORNER, 1], at_rest[RIGHT_CORNER, 1], atol=0.5)


@pytest.mark.parametrize(("side", "shut"), [(Side.RIGHT, (0.0, 1.0)), (Side.LEFT, (1.0, 0.0)), (Side.NONE, (1.0, 1.0)),
                                            (Side.BILATERAL, (0.0, 0.0))])  # fmt: skip
def test_a_totally_palsied_eye_does_not_close(side: Side, shut: tuple[float, float]) -> None:
    pose = displace(FACE, "eye_closure_gentle", 1.0, side, 1.0 if side is Side.NONE else 6.0)
    assert pose.closure == pytest.approx(shut)
    fissures = [pose.points[29, 1] - pose.points[20, 1], pose.points[32, 1] - pose.points[25, 1]]
    for fissure, closed in zip(fissures, shut, strict=True):
        assert fissure == pytest.approx(0, abs=1e-6) if closed else fissure > 15


def test_a_total_palsy_raises_one_brow() -> None:
    change = moved("brow_raise", Side.LEFT, 6.0)
    assert change[18:21, 1].max() < -15
    assert change[23:26, 1].min() > 0


@settings(max_examples=30, deadline=None)
@given(
    expression=st.sampled_from(list(EXPRESSIONS)),
    side=st.sampled_from([Side.LEFT, Side.RIGHT, Side.BILATERAL]),
    severity=st.floats(1, 6),
    strength=st.floats(0, 1),
)
def test_the_mirrored_face_has_the_mirrored_palsy(
    expression: str, side: Side, severity: float, strength: float
) -> None:
    here = displace(FACE, expression, strength, side, severity)
    there = displace(mirrored(FACE), expression, strength, side.mirrored, severity)
    assert np.allclose(mirrored(here.points), there.points, atol=1e-6)
    assert here.closure == pytest.approx(there.closure[::-1])
    assert here.fold == pytest.approx(there.fold[::-1])


def test_many_faces_at_once_move_as_each_alone() -> None:
    actions = [Action(e, Side.LEFT, g, 0.8, k) for e in EXPRESSIONS for g, k in ((3.0, Group.SYNKINETIC), (6.0, None))]
    shapes = np.stack([FACE * (1 + 0.1 * i) for i in range(len(actions))])
    together = displace_all(shapes, actions)
    for i, a in enumerate(actions):
        alone = displace(shapes[i], a.expression, a.strength, a.side, a.severity, a.group)
        assert np.allclose(together.points[i], alone.points)
        assert together.closure[i] == pytest.approx(alone.closure)


def test_a_synkinetic_eye_closes_with_the_mouth_and_the_corner_moves_with_the_eye() -> None:
    for expression in ("smile_gentle", "smile_full", "lip_pucker", "lower_lip_depression"):
        flaccid, synkinetic = (displace(FACE, expression, 1.0, Side.LEFT, 4.0, g) for g in (None, Group.SYNKINETIC))
        assert synkinetic.closure[1] > flaccid.closure[1] + 0.3, expression
        assert synkinetic.closure[0] == flaccid.closure[0]
    still, closing = (displace(FACE, e, 1.0, Side.LEFT, 4.0, Group.SYNKINETIC) for e in ("rest", "eye_closure_gentle"))
    assert (still.points[93] - closing.points[93])[1] > 4, "the left corner goes up"
    assert np.allclose(still.points[87], closing.points[87], atol=1.0)


def test_tone_that_is_misdirected_narrows_the_eye_and_lifts_the_droop() -> None:
    healthy, flaccid, synkinetic = (
        displace(FACE, "rest", 1.0, Side.LEFT, grade, group)
        for grade, group in ((1.0, None), (4.0, Group.FLACCID), (4.0, Group.SYNKINETIC))
    )
    assert flaccid.points[93, 1] - healthy.points[93, 1] > 8
    assert abs(synkinetic.points[93, 1] - healthy.points[93, 1]) < 2
    heights = [(pose.points[32] - pose.points[25])[1] for pose in (healthy, flaccid, synkinetic)]
    assert heights[2] < heights[0] < heights[1]
    assert flaccid.fold[1] < 0 < synkinetic.fold[1]


def test_grade_six_leaves_no_movement_to_misdirect() -> None:
    for expression in EXPRESSIONS:
        flaccid, synkinetic = (displace(FACE, expression, 1.0, Side.RIGHT, 6.0, g) for g in (None, Group.SYNKINETIC))
        assert np.allclose(flaccid.points, synkinetic.points)


def test_an_eye_rolls_up_only_where_a_palsy_hinders_its_closure() -> None:
    assert displace(FACE, "eye_closure_gentle", 1.0, Side.LEFT, 5.0).gaze_up == pytest.approx((0, 1))
    assert displace(FACE, "smile_full", 1.0, Side.LEFT, 5.0).gaze_up == pytest.approx((0, 0))
    assert displace(FACE, "eye_closure_tight").gaze_up == pytest.approx((0, 0))


def _turned(points: np.ndarray) -> np.ndarray:
    turn = np.deg2rad(20)
    return 0.3 * points @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) + [5, -3]


@pytest.mark.parametrize("expression", list(EXPRESSIONS))
def test_size_place_and_roll_do_not_matter(expression: str) -> None:
    here: Pose = displace(FACE, expression, 0.9, Side.LEFT, 4.0)
    assert np.allclose(displace(_turned(FACE), expression, 0.9, Side.LEFT, 4.0).points, _turned(here.points), atol=1e-6)


@pytest.mark.parametrize("severity", [0.0, 0.99, 6.5, float("nan")])
def test_severity_outside_the_scale_is_refused(severity: float) -> None:
    with pytest.raises(ValueError, match="House-Brackmann"):
        palsy_degree(severity)


def test_severity_without_a_side_and_unknown_words_are_refused() -> None:
    with pytest.raises(ValueError, match="side 'none'"):
        affected(Side.NONE, 3.0)
    with pytest.raises(ValueError, match=r"'grin'.*brow_raise"):
        displace(FACE, "grin")
    with pytest.raises(ValueError, match=r"\(1, 68, 2\).*\(1, 189, 2\)"):
        displace(FACE[:68], "rest")
    with pytest.raises(ValueError, match=r"3\.0 in group 'normal'"):
        Action("rest", Side.LEFT, 3.0, group=Group.NORMAL)
