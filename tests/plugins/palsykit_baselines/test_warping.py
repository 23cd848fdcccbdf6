"""The landmark warp: what lies at a landmark is moved to where the driver has it, and nothing else is."""

import numpy as np
import pytest
import torch
from torch import nn

from palsykit.interfaces import FaceBatch, FaceView, NetworkOutput
from palsykit.networks import SharedNetwork
from palsykit.registry import registry
from palsykit.testing.stand_ins import face_batch, landmarks
from palsykit_baselines.warping import BORDER, RIGID, Warp, bent, retargeted

SIZE = 64
MOUTH = [*range(48, 60)]


def face(jitter=0.0, seed=0):
    return landmarks(SIZE, jitter, seed).astype(np.float64)


def where():
    """A picture whose red and green say where a pixel is: [3, H, W] in [-1, 1]."""
    at = (torch.arange(SIZE) + 0.5) / SIZE * 2 - 1
    y, x = torch.meshgrid(at, at, indexing="ij")
    return torch.stack([x, y, torch.zeros_like(x)])


def read(image, points):
    """What red and green say at points [N, 2] px, in px."""
    grid = torch.from_numpy(points / SIZE * 2 - 1).float().view(1, 1, -1, 2)
    found = nn.functional.grid_sample(image[None], grid, align_corners=False, padding_mode="border")
    return ((found[0, :2, 0].T + 1) * SIZE / 2).numpy()


def smiling():
    points = face()
    points[48] += [-3.0, -2.0]
    points[54] += [1.0, 0.0]
    return points


def test_what_lies_at_a_landmark_is_moved_there():
    own, target = face(), smiling()
    image = bent(where(), own, target, 0.0)
    np.testing.assert_allclose(read(image, target)[MOUTH], own[MOUTH], atol=0.4)
    unmoved = read(where(), target)[48]
    assert np.linalg.norm(unmoved - own[48]) > 3


def test_the_same_landmarks_change_nothing():
    picture = torch.rand(3, SIZE, SIZE) * 2 - 1
    torch.testing.assert_close(bent(picture, face(), face(), 1e-4), picture, atol=1e-4, rtol=0)


def test_the_border_and_the_jaw_stay():
    image = bent(where(), face(), smiling(), 1e-4)
    inner = np.clip(BORDER * SIZE, 0.5, SIZE - 0.5)
    np.testing.assert_allclose(read(image, inner), inner, atol=0.5)
    np.testing.assert_allclose(read(image, face()[:17]), face()[:17], atol=0.5)


def test_the_spline_agrees_with_scikit_image():
    pytest.importorskip("skimage", minversion="0.26")
    from skimage.transform import ThinPlateSplineTransform

    own, target = face(0.01, 1), face(0.01, 2)
    here, there = np.concatenate([target / SIZE, BORDER]), np.concatenate([own / SIZE, BORDER])
    transform = ThinPlateSplineTransform.from_estimate(here, there)
    found = bent(where(), own, target, 0.0)
    points = np.stack(np.meshgrid(np.arange(8, 56, 4) + 0.5, np.arange(8, 56, 4) + 0.5), -1).reshape(-1, 2)
    expected = np.clip(transform(points / SIZE) * SIZE, 0.5, SIZE - 0.5)
    np.testing.assert_allclose(read(found, points), expected, atol=0.02)


def test_landmarks_that_coincide_do_no_harm():
    """Shut lips and lids: inner lip points lie on one another in the driver."""
    shut = face()
    shut[[65, 66, 67]] = shut[[63, 62, 61]]
    found = bent(where(), face(), shut, 1e-4)
    assert found.isfinite().all()
    assert found.abs().max() <= 1


def test_retargeting_takes_away_place_size_and_roll_and_keeps_the_jaw():
    own, expression = face(), smiling()
    angle = np.deg2rad(12)
    turn = 1.3 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = expression @ turn.T + [5.0, -3.0]
    np.testing.assert_allclose(retargeted(moved, own), expression, atol=1e-9)
    wider = expression.copy()
    wider[:17] *= 1.1
    np.testing.assert_array_equal(retargeted(wider, own)[:17], own[:17])
    assert not set(RIGID) & {*range(17), *range(48, 68)}


def unknown(view):
    return FaceView(view.image, torch.full_like(view.landmarks, torch.nan), view.labels)


def test_unknown_landmarks_are_found_or_refused():
    batch = face_batch(2, SIZE)
    blind = FaceBatch(unknown(batch.identity), unknown(batch.driver))
    with pytest.raises(ValueError, match="2 of 2 identity pictures have no landmarks"):
        Warp(SIZE).generate(blind, [0, 1])

    class Known(nn.Module):
        map_shape, embedding_width = (3, SIZE, SIZE), None

        def forward(self, image):
            same = torch.equal(image, batch.identity.image)
            return NetworkOutput(image, points=(batch.identity if same else batch.driver).landmarks)

    found = Warp(SIZE, network=SharedNetwork("points", Known())).generate(blind, [0, 1])
    torch.testing.assert_close(found, Warp(SIZE).generate(batch, [0, 1]))

    class Blind(Known):
        def forward(self, image):
            return NetworkOutput(image)

    with pytest.raises(ValueError, match="'recognition' finds no points"):
        Warp(SIZE, network=SharedNetwork("recognition", Blind())).generate(blind, [0, 1])


def test_the_truth_is_not_looked_at():
    batch = face_batch(2, SIZE)
    without = FaceBatch(batch.identity, batch.driver)
    made = registry().get("synthesisers", "warp").load()(SIZE)
    assert torch.equal(made.generate(batch, [0, 1]), made.generate(without, [5, 6]))


def test_odd_settings_are_refused():
    with pytest.raises(ValueError, match="smoothing -1"):
        Warp(SIZE, smoothing=-1.0)
    with pytest.raises(ValueError, match=r"expected \(68, 2\)"):
        bent(where(), face()[:5], face()[:5], 0.0)
