"""Resampling a photograph, also where the frame reaches beyond it."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from palsykit.photographs.frame import warp


def test_the_identity_transform_changes_nothing():
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    matrix = np.array([[1.0, 0, 0], [0, 1, 0]])
    np.testing.assert_array_equal(warp(Image.fromarray(pixels), matrix, 32), pixels)


def test_fine_structure_does_not_alias():
    rows = (np.arange(512) // 3 % 2 * 255).astype(np.uint8)  # stripes of 3 px: far beyond what 64 px can show
    stripes = np.repeat(np.tile(rows, (512, 1))[..., None], 3, axis=2)
    small = warp(Image.fromarray(stripes), np.array([[0.125, 0, 0], [0, 0.125, 0]]), 64)
    assert small[4:-4, 4:-4].std() < 3
    assert abs(small.mean() - 127.5) < 2


@settings(max_examples=25, deadline=None)
@given(st.floats(0.3, 1.8), st.floats(-0.5, 0.5), st.floats(-20, 40), st.floats(-20, 40))
def test_a_spot_moves_as_its_point_does(scale, angle, dx, dy):
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.column_stack([linear, [dx, dy]])
    y, x = np.mgrid[:128, :128] + 0.5
    spot = np.array([60.0, 70.0])
    width = max(4.0, 2 / scale)
    light = 255 * np.exp(-((x - spot[0]) ** 2 + (y - spot[1]) ** 2) / (2 * width**2))
    moved = warp(Image.fromarray(light.astype(np.uint8)).convert("RGB"), matrix, 64)[..., 0].astype(float)
    expected = linear @ spot + matrix[:, 2]
    if not ((expected > 4 * width * scale) & (expected < 64 - 4 * width * scale)).all():
        return  # the spot leaves the picture
    v, u = np.mgrid[:64, :64] + 0.5
    centre = np.array([(moved * u).sum(), (moved * v).sum()]) / moved.sum()
    np.testing.assert_allclose(centre, expected, atol=0.25)


@pytest.mark.parametrize("matrix", [[[1, 0, 20], [0, 1, -20]], [[0.2, 0, 10], [0, 0.2, 10]]])
def test_beyond_its_edge_the_edge_goes_on(matrix):
    picture = Image.new("RGB", (64, 64), (10, 200, 30))
    assert (warp(picture, np.array(matrix, float), 32) == (10, 200, 30)).all()


def whole_padded(picture, matrix, size):
    """Our own yardstick: the whole picture is padded, however large it is."""
    factor = max(1, math.ceil(1 / math.sqrt(abs(np.linalg.det(matrix[:, :2])))))
    corners = np.array([[0, 0], [size, 0], [0, size], [size, size]]) - matrix[:, 2]
    corners = corners @ np.linalg.inv(matrix[:, :2]).T
    beyond = max(-corners.min(), (corners - picture.size).max()) + 2
    pad = min(math.ceil(max(beyond, 0)), max(picture.size))
    padded = Image.fromarray(np.pad(np.asarray(picture), ((pad, pad), (pad, pad), (0, 0)), mode="edge"))
    inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2]
    inverse = np.column_stack([inverse[:, :2] / factor, inverse[:, 2] + pad])
    side = (size * factor, size * factor)
    fine = padded.transform(side, Image.Transform.AFFINE, tuple(inverse.ravel()), Image.Resampling.BICUBIC)
    return np.asarray(fine.resize((size, size), Image.Resampling.LANCZOS) if factor > 1 else fine)


@settings(max_examples=60, deadline=None)
@given(st.floats(0.1, 2), st.floats(-3, 3), st.floats(-200, 200), st.floats(-200, 200), st.integers(0, 9))
def test_reading_a_part_gives_what_padding_the_whole_gives(scale, angle, dx, dy, seed):
    picture = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (90, 130, 3), dtype=np.uint8))
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.column_stack([linear, [dx, dy]])
    part, whole = (made.astype(int) for made in (warp(picture, matrix, 32), whole_padded(picture, matrix, 32)))
    np.testing.assert_allclose(part, whole, atol=1)  # a place half-way between two pixels may round either way


def test_a_large_photograph_is_not_copied(monkeypatch):
    """The frame reaches beyond the edge, and little of the photograph is read."""
    picture = Image.new("RGB", (4000, 3000), (10, 200, 30))
    sizes = []
    monkeypatch.setattr(
        "palsykit.photographs.frame.Image.fromarray",
        lambda pixels, f=Image.fromarray: sizes.append(pixels.shape) or f(pixels),
    )
    assert (warp(picture, np.array([[1.0, 0, 20], [0, 1.0, 20]]), 64) == (10, 200, 30)).all()
    assert sizes[0][0] < 100
    assert sizes[0][1] < 100
