"""Landmarks as tokens: one a position of the map, channels and positions kept apart."""

import torch
from torch import nn

from palsykit.interfaces import FaceView
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
