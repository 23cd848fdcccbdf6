"""Identity as tokens: one a position, the embedding pooled."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from palsykit.interfaces import FaceView, NetworkOutput
from palsykit.networks import SharedNetwork
from palsykit_identity.encoder import IdentityEncoder
from palsykit_identity.ir import InsightResNet


def encoder(width: int = 24, **keys: Any) -> IdentityEncoder:
    torch.manual_seed(0)
    network = SharedNetwork("recognition", InsightResNet(32, depth=18, width=0.0625, embedding=12))
    network.freeze()
    return IdentityEncoder(32, network=network, width=width, **keys)


@pytest.mark.parametrize("width", [24, 32])
def test_shapes_are_the_specs(width):
    built = encoder(width)
    encoded = built(built.extract(FaceView.of_images(torch.randn(3, 3, 32, 32))))
    assert encoded.tokens.shape == (3, built.spec.tokens, built.spec.width) == (3, 4, width)
    assert encoded.pooled.shape == (3, built.spec.pooled) == (3, 12)
    assert torch.allclose(encoded.pooled.square().mean(-1), torch.ones(3))


def test_what_is_at_a_position_of_the_map_is_in_its_token_and_no_other():
    built = encoder()
    features = {"map": torch.randn(1, 32, 2, 2), "embedding": torch.randn(1, 12)}
    before = built(features).tokens
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        changed = {**features, "map": features["map"].clone()}
        changed["map"][0, 5, row, column] += 1.0
        moved = (built(changed).tokens - before).abs().amax(-1)[0] > 1e-6
        assert moved.nonzero().flatten().tolist() == [row * 2 + column]


def test_a_channel_of_the_map_is_a_channel_of_the_tokens():
    built = encoder(32)  # as wide as the map: nothing is projected
    built.norm = nn.Identity()
    nn.init.zeros_(built.position)
    values = torch.randn(2, 32, 2, 2)
    tokens = built({"map": values, "embedding": torch.zeros(2, 12)}).tokens
    for channel, position in ((0, 0), (7, 1), (31, 2)):
        assert torch.equal(tokens[:, position, channel], values[:, channel, position // 2, position % 2])


def test_it_owns_no_weight_of_the_network_and_every_own_one_gets_a_gradient():
    built = encoder()
    assert not any(name.startswith("network") for name in built.state_dict())
    image = torch.randn(2, 3, 32, 32, requires_grad=True)
    encoded = built(built.extract(FaceView(image, torch.zeros(2, 68, 2), FaceView.of_images(image).labels)))
    (encoded.tokens * torch.randn_like(encoded.tokens)).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in built.parameters())
    assert image.grad.abs().sum() > 0


class NoEmbedding(nn.Module):
    map_shape, embedding_width = (4, 2, 2), None

    def forward(self, image: Tensor) -> NetworkOutput:
        return NetworkOutput(map=image)


def test_a_network_without_an_embedding_is_refused():
    with pytest.raises(ValueError, match="gives no embedding"):
        IdentityEncoder(32, network=SharedNetwork("points", NoEmbedding()))
