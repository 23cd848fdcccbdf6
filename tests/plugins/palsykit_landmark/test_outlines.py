"""Landmarks as lines: in their place, part by part, and movable."""

import pytest
import torch

from palsykit.faces.warping import retargeted, warp
from palsykit.interfaces import FaceView
from palsykit.networks import SharedNetwork
from palsykit_landmark.encoder import LandmarkEncoder
from palsykit_landmark.mean_face import MEAN_FACE
from palsykit_landmark.mobilefacenet import MobileFaceNet
from palsykit_landmark.outlines import PARTS, outlines

FACE = torch.tensor(MEAN_FACE)[None] * 48


def test_every_point_lies_on_a_line_of_its_part_and_the_background_is_empty():
    maps = outlines(FACE.round(), 48)
    assert maps.shape == (1, len(PARTS), 48, 48)
    for part, lines in enumerate(PARTS.values()):
        for x, y in FACE.round()[0, [index for line in lines for index in line]].long().tolist():
            assert maps[0, part, y, x] == 1.0
    assert maps[:, :, :4].max() < 1e-6, "above the brows"
    assert {index for lines in PARTS.values() for line in lines for index in line} == set(range(68))


def test_a_line_falls_off_as_a_gaussian_of_the_distance():
    points = FACE.clone()
    points[:, 27:31] = torch.tensor([[20.0, 10.0], [20.0, 14.0], [20.0, 18.0], [20.0, 22.0]])  # the bridge, upright
    beside = outlines(points, 48)[0, list(PARTS).index("nose"), 15, 20:23]
    assert beside.tolist() == pytest.approx([1.0, *(torch.exp(-torch.tensor([1.0, 4.0]) / (2 * 0.6**2))).tolist()])


def test_shut_lids_are_two_lines_in_one_place():
    shut = FACE.clone()
    shut[:, [41, 40]] = shut[:, [37, 38]]
    maps = outlines(shut, 48)[0, :, :, 10:23]  # about the subject's right eye
    assert torch.allclose(maps[list(PARTS).index("upper lids")], maps[list(PARTS).index("lower lids")])
    maps = outlines(FACE, 48)[0, :, :, 10:23]
    assert not torch.allclose(maps[list(PARTS).index("upper lids")], maps[list(PARTS).index("lower lids")], atol=0.1)


def test_points_can_be_moved_by_what_is_drawn_and_may_lie_outside_or_coincide():
    points = FACE.clone().requires_grad_()
    outlines(points, 48).square().sum().backward()
    assert points.grad is not None
    assert points.grad.isfinite().all()
    assert (points.grad.abs().sum(-1) > 0).all()
    assert outlines(FACE + 500, 48).max() == 0
    together = torch.full((1, 68, 2), 7.0, requires_grad=True)
    drawn = outlines(together, 48)
    drawn.sum().backward()
    assert drawn[0, :, 7, 7].tolist() == [1.0] * len(PARTS)
    assert together.grad.isfinite().all()


@pytest.mark.parametrize("points", [False, True])
def test_the_encoder_gives_them_beside_its_tokens(points):
    torch.manual_seed(0)
    network = SharedNetwork("points", MobileFaceNet(32, width=0.125))
    network.freeze()
    built = LandmarkEncoder(32, network=network, width=24, points=points, outlines=True)
    features = built.extract(FaceView.of_images(torch.randn(2, 3, 32, 32)))
    encoded = built(features)
    assert built.spec.spatial == len(PARTS)
    assert encoded.tokens.shape[1] == built.spec.tokens == 4 + 68 * points
    assert torch.equal(encoded.spatial, outlines(features["points"], 32))


def test_the_picture_beside_is_bent_to_the_drivers_points():
    torch.manual_seed(0)
    network = SharedNetwork("points", MobileFaceNet(32, width=0.125))
    network.freeze()
    built = LandmarkEncoder(32, network=network, width=24, outlines=True, warp=True)
    driver, identity = (FaceView.of_images(torch.rand(2, 3, 32, 32) * 2 - 1) for _ in range(2))
    features = built.extract(driver, identity)
    encoded = built(features)
    assert encoded.spatial.shape == (2, built.spec.spatial, 32, 32) == (2, len(PARTS) + 3, 32, 32)
    own, points = (network(view.image).points for view in (identity, driver))
    assert torch.equal(features["own"], own)
    laid = retargeted(points, own).float()
    assert torch.equal(encoded.spatial[:, : len(PARTS)], outlines(laid, 32))
    assert torch.equal(encoded.spatial[:, len(PARTS) :], warp(identity.image, own, laid))
    assert torch.allclose(built(built.extract(identity, identity)).spatial[:, -3:], identity.image, atol=1e-3)


def test_with_the_driver_at_rest_only_movement_is_carried_over():
    torch.manual_seed(0)
    network = SharedNetwork("points", MobileFaceNet(32, width=0.125))
    network.freeze()
    built = LandmarkEncoder(32, network=network, width=24, points=True, warp=True)
    driver, identity, rest = (FaceView.of_images(torch.rand(2, 3, 32, 32) * 2 - 1) for _ in range(3))
    unmoved = built(built.extract(rest, identity, rest))
    assert torch.allclose(unmoved.spatial, identity.image, atol=1e-3)
    assert torch.allclose(unmoved.tokens[:, 4:], built(built.extract(identity, identity)).tokens[:, 4:], atol=1e-3)
    moved, unknown = built(built.extract(driver, identity, rest)), built(built.extract(driver, identity, None))
    assert not torch.allclose(moved.spatial, unknown.spatial, atol=1e-5)
    assert torch.equal(unknown.spatial, built(built.extract(driver, identity)).spatial)


def test_the_bent_picture_can_be_the_guess():
    torch.manual_seed(0)
    network = SharedNetwork("points", MobileFaceNet(32, width=0.125))
    network.freeze()
    built = LandmarkEncoder(32, network=network, width=24, warp=True, guess=0.08)
    view = FaceView.of_images(torch.rand(2, 3, 32, 32) * 2 - 1)
    encoded = built(built.extract(view, view))
    assert built.spec.guess
    assert torch.equal(encoded.guess.image, encoded.spatial)
    assert torch.equal(encoded.guess.error, torch.full((2,), 0.08))
    with pytest.raises(ValueError, match=r"found guess: 0.08 and warp: false"):
        LandmarkEncoder(32, network=network, guess=0.08)


def test_a_warp_needs_a_picture_beside_and_nothing_else_takes_one():
    torch.manual_seed(0)
    network = SharedNetwork("points", MobileFaceNet(32, width=0.125))
    view = FaceView.of_images(torch.zeros(1, 3, 32, 32))
    with pytest.raises(ValueError, match=r"no view beside the driver's; expected warp: true with beside: \[identity\]"):
        LandmarkEncoder(32, network=network, warp=True).extract(view)
    with pytest.raises(ValueError, match="a view beside the driver's and warp: false"):
        LandmarkEncoder(32, network=network).extract(view, view)
