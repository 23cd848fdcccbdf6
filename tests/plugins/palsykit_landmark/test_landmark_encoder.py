"""Landmarks as tokens: one a position of the map, channels and positions kept apart."""

import pytest
import torch
from torch import nn

from palsykit.faces.warping import retarget
from palsykit.interfaces import FaceView, NetworkOutput
from palsykit.networks import SharedNetwork
from palsykit_landmark.encoder import LandmarkEncoder
from palsykit_landmark.mobilefacenet import MobileFaceNet


def encoder(width: int = 24) -> LandmarkEncoder:
    torch.manual_seed(0)
    network = SharedNetwork("points", MobileFaceNet(32, width=0.125))
    network.freeze()
    return LandmarkEncoder(32, network=network, width=width)


def test_shapes_are_the_specs():
    built = encoder()
    encoded = built(built.extract(FaceView.of_images(torch.randn(3, 3, 32, 32))))
    assert encoded.tokens.shape == (3, built.spec.tokens, built.spec.width) == (3, 4, 24)
    assert encoded.pooled is None


def test_a_value_at_a_position_and_channel_is_in_that_token_and_channel():
    built = encoder(64)  # as wide as the map: nothing is projected
    built.norm = nn.Identity()
    nn.init.zeros_(built.position)
    values = torch.arange(2 * 64 * 4, dtype=torch.float32).view(2, 64, 2, 2)
    tokens = built({"map": values}).tokens
    for channel in (0, 1, 63):
        for position in range(4):
            assert torch.equal(tokens[:, position, channel], values[:, channel, position // 2, position % 2])


def test_gradients_reach_every_weight_and_the_image():
    built = encoder()
    image = torch.randn(2, 3, 32, 32, requires_grad=True)
    tokens = built(built.extract(FaceView(image, torch.zeros(2, 68, 2), FaceView.of_images(image).labels))).tokens
    (tokens * torch.randn_like(tokens)).sum().backward()
    assert not any(name.startswith("network") for name in built.state_dict())
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in built.parameters())
    assert image.grad.abs().sum() > 0


def test_points_join_as_tokens_that_know_where_and_which_they_are():
    torch.manual_seed(0)
    network = SharedNetwork("points", MobileFaceNet(32, width=0.125))
    network.freeze()
    built = LandmarkEncoder(32, network=network, width=24, points=True)
    features = built.extract(FaceView.of_images(torch.randn(2, 3, 32, 32)))
    assert built(features).tokens.shape == (2, built.spec.tokens, 24) == (2, 4 + 68, 24)
    there = {**features, "points": features["points"].clone()}
    there["points"][:, 10, 0] += 0.5  # px
    moved = (built(there).tokens - built(features).tokens).abs().amax(-1)[0]
    assert (moved > 1e-4).nonzero().flatten().tolist() == [4 + 10]
    together = {**features, "points": features["points"][:, :1].expand(-1, 68, -1)}
    tokens = built(together).tokens[0, 4:]
    assert (tokens[1:] - tokens[0]).abs().amax(-1).min() > 1e-3, "two points at one place are told apart"


def test_points_of_a_network_without_any_are_refused():
    class Blind(nn.Module):
        map_shape, embedding_width = (8, 2, 2), None

        def forward(self, image):
            return NetworkOutput(map=torch.zeros(len(image), 8, 2, 2))

    built = LandmarkEncoder(32, network=SharedNetwork("blind", Blind()), points=True)
    with pytest.raises(ValueError, match="finds no points"):
        built.extract(FaceView.of_images(torch.zeros(1, 3, 32, 32)))


def test_points_are_laid_on_the_face_beside_and_with_the_driver_at_rest_only_movement_is_carried_over():
    torch.manual_seed(0)
    network = SharedNetwork("points", MobileFaceNet(32, width=0.125))
    network.freeze()
    built = LandmarkEncoder(32, network=network, width=24, points=True)
    driver, identity, rest = (FaceView.of_images(torch.rand(2, 3, 32, 32) * 2 - 1) for _ in range(3))
    points, own, still = (network(view.image).points for view in (driver, identity, rest))
    assert torch.equal(built.extract(driver)["points"], points)
    assert torch.equal(built.extract(driver, identity)["points"], retarget(points, own).float())
    assert torch.equal(built.extract(driver, identity, rest)["points"], retarget(points, own, still).float())
    torch.testing.assert_close(built.extract(rest, identity, rest)["points"], own, atol=1e-3, rtol=0)
    plain = LandmarkEncoder(32, network=network, width=24)
    assert set(plain.extract(driver, identity, rest)) == {"map"}
