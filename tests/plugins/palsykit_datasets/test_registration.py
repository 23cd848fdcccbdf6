"""Finding the same eyes again."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from palsykit_datasets.registration import REACH, SIDE, eye_shift


def textured(seed=0):
    noise = np.random.default_rng(seed).normal(size=(SIDE * 2, SIDE * 2))
    smooth = gaussian_filter(noise, 4)
    return np.repeat((127 + 100 * smooth / np.abs(smooth).max())[..., None], 3, axis=2).astype(np.uint8)


def window(picture, right, down):
    start = SIDE // 2
    return picture[start - down : start - down + SIDE, start - right : start - right + SIDE]


@pytest.mark.parametrize("shift", [(0, 0), (7, -12), (-REACH, REACH)])
def test_a_known_shift_is_found_in_other_light(shift):
    scene = textured()
    moved = (window(scene, *shift).astype(float) * 0.6 + 40).astype(np.uint8)
    found, likeness = eye_shift(window(scene, 0, 0), moved)
    assert tuple(found) == shift
    assert 0.99 < likeness <= 1.0 + 1e-6


def test_another_scene_is_not_alike():
    _, likeness = eye_shift(window(textured(0), 0, 0), window(textured(1), 0, 0))
    assert likeness < 0.6


def test_a_blank_picture_is_alike_to_nothing():
    blank = np.full((SIDE, SIDE, 3), 90, np.uint8)
    assert abs(eye_shift(window(textured(), 0, 0), blank)[1]) < 0.01
