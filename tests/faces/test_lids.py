"""Lids: an eye that shuts is covered by the skin above it; nothing is squeezed or turned over."""

import numpy as np
import pytest
import torch

from palsykit.faces.landmarks import LEFT_BROW, RIGHT_BROW
from palsykit.faces.lids import EYES, LIDS, open_lids, under_lids
from palsykit.faces.warping import places, warp
from palsykit.testing.stand_ins import landmarks

SIZE = 256


def face():
    return torch.from_numpy(landmarks(SIZE, 0.0, 0).astype(np.float64))


def closed(share, crossed=0.0, eyes=LIDS):
    """The face with lids that have gone this share of the way, and beyond it by ``crossed`` px."""
    points = face()
    for upper, lower in eyes:
        points[upper] = torch.lerp(points[upper], points[lower], share) + torch.tensor([0.0, crossed])
    return points


def field(target):
    """From where each pixel is read: [S, S, 2] px."""
    return places(face()[None] / SIZE, target[None] / SIZE, SIZE, SIZE)[0] * SIZE


def columns():
    """An upper lid's point in the middle of each eye and the lower one's, as (x, top, bottom) px."""
    own = face()
    for upper, lower in (LIDS[0], LIDS[2]):
        yield round(float(own[upper, 0])), float(own[upper, 1]), float(own[lower, 1])


@pytest.mark.parametrize("crossed", [0.0, 0.5, 2.0, 40.0])
def test_a_shut_eye_is_covered_by_skin_from_below_the_brow(crossed):
    """Also where the points of a network cross."""
    found, brows = field(closed(1.0, crossed)), face()[[*RIGHT_BROW, *LEFT_BROW], 1].max()
    for x, top, bottom in columns():
        above = found[round(float(brows)) : round(bottom) - 1, x, 1].numpy()
        assert above.max() < top + 3, "nothing of the eye below its upper lid's edge is shown"
        assert (np.diff(above) > -0.01).all(), "nothing is turned over"
        below = found[round(bottom) + 8 :, x, 1].numpy()
        np.testing.assert_allclose(below, np.arange(round(bottom) + 8, SIZE) + 0.5, atol=1.0)


def test_what_a_half_shut_eye_still_shows_is_where_it_was():
    """The eyeball does not move; a spline alone would squeeze the iris."""
    found = field(closed(0.2))
    for x, top, bottom in columns():
        rows = np.arange(round(0.8 * top + 0.2 * bottom + 0.005 * SIZE) + 1, round(bottom))
        assert len(rows) > 1
        np.testing.assert_allclose(found[rows, x, 1], rows + 0.5, atol=0.3)


def test_the_lashes_come_along():
    found = field(closed(1.0))
    for x, top, bottom in columns():
        assert abs(float(found[round(bottom), x, 1]) - (top + 0.5)) < 1.5


def test_a_brow_and_the_other_eye_stay():
    still, found = field(face()), field(closed(1.0, eyes=LIDS[:2]))
    half = SIZE // 2
    torch.testing.assert_close(found[:, half:], still[:, half:], atol=0.05, rtol=0)
    highest = round(float(face()[list(RIGHT_BROW), 1].max())) - 5
    torch.testing.assert_close(found[:highest, :half], still[:highest, :half], atol=0.05, rtol=0)
    assert (found[:, :half] - still[:, :half]).abs().max() > 3


def test_lids_that_open_are_the_splines_matter():
    own, wide = face()[None] / SIZE, closed(-0.3)[None] / SIZE
    opened = open_lids(own, wide)
    torch.testing.assert_close(opened, wide)
    shown = under_lids(opened, wide, 8, 8)
    x, y = (torch.arange(8) + 0.5) / 8, (torch.arange(8) + 0.5) / 8
    assert torch.equal(shown[0], torch.stack(torch.meshgrid(x, y, indexing="xy"), -1))


def test_open_lids_keep_the_lower_lid_and_the_eyes_height():
    own, shut = face()[None], closed(1.0)[None]
    opened = open_lids(own, shut)
    for upper, lower in LIDS:
        torch.testing.assert_close(opened[:, upper] - opened[:, lower], own[:, upper] - own[:, lower])
        assert torch.equal(opened[:, lower], own[:, lower])


@pytest.mark.parametrize("spread", [0.0, 30.0])
def test_points_on_one_another_or_in_disorder_do_no_harm(spread):
    torch.manual_seed(0)
    picture, own = torch.rand(1, 3, SIZE, SIZE) * 2 - 1, face()
    target = closed(1.0) + spread * torch.randn(68, 2)
    for upper, lower, _ in EYES:
        target[[*upper, *lower]] = target[upper[0]].clone()
    target.requires_grad_()
    found = warp(picture, own[None], target[None])
    found.square().sum().backward()
    assert found.isfinite().all()
    assert found.abs().max() <= 1
    assert target.grad.isfinite().all()
