import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from palsykit.faces.alignment import ARCFACE, ARCFACE_CROP, FRAME, similarity, to_frame
from palsykit.faces.landmarks import FLIP, LEFT_EYE, RIGHT_EYE, flip_points
from palsykit.faces.vocabulary import EXPRESSIONS, Side, canonical_expression


@pytest.mark.parametrize(("name", "aliases"), EXPRESSIONS.items())
def test_every_alias_has_one_canonical_name(name, aliases):
    assert {canonical_expression(word) for word in (name, *aliases, name.upper(), name.replace("_", "-"))} == {name}


def test_an_unknown_expression_lists_the_vocabulary():
    with pytest.raises(ValueError, match=r"unknown expression 'grimace'; expected one of rest, brow_raise"):
        canonical_expression("grimace")


def test_a_flip_swaps_sides():
    assert [side.mirrored for side in (Side.LEFT, Side.RIGHT, Side.BILATERAL, Side.NONE)] == [
        Side.RIGHT,
        Side.LEFT,
        Side.BILATERAL,
        Side.NONE,
    ]
    assert {FLIP[i] for i in RIGHT_EYE} == set(LEFT_EYE)
    assert sorted(FLIP) == list(range(68))


@given(arrays(np.float64, (68, 2), elements=st.floats(0, 64)))
def test_flipping_twice_is_the_identity(points):
    np.testing.assert_allclose(flip_points(flip_points(points, 64), 64), points, atol=1e-9)


@given(st.floats(-3, 3), st.floats(0.2, 5), st.floats(-90, 90), st.floats(-90, 90))
def test_a_similarity_is_found_again(angle, scale, x, y):
    rotation = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = ARCFACE @ rotation.T + [x, y]
    found = similarity(ARCFACE, moved)
    np.testing.assert_allclose(ARCFACE @ found[:, :2].T + found[:, 2], moved, atol=1e-6)


def test_the_arcface_crop_is_a_square_of_the_frame():
    left, top, side = ARCFACE_CROP
    np.testing.assert_allclose((FRAME - [left, top]) / side, ARCFACE / 112, atol=1e-12)
    transform = to_frame(ARCFACE, 64)
    np.testing.assert_allclose(ARCFACE @ transform[:, :2].T + transform[:, 2], FRAME * 64, atol=1e-9)
