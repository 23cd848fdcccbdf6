"""Expression as tokens: the deviation of two embeddings, spread."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from palsykit.interfaces import FaceView, NetworkOutput
from palsykit.networks import SharedNetwork
from palsykit_expression.encoder import ExpressionEncoder


class Linear(nn.Module):
    """A stand-in for a face network: an embedding linear in the pixels."""

    def __init__(self, embedding: int):
        super().__init__()
        self.map_shape, self.embedding_width = (6, 2, 3), embedding
        self.linear = nn.Linear(3 * 8 * 8, embedding)

    def forward(self, image: Tensor) -> NetworkOutput:
        return NetworkOutput(map=torch.zeros(len(image), *self.map_shape), embedding=self.linear(image.flatten(1)))


def encoder(face: int = 10, identity: int = 10, **settings) -> ExpressionEncoder:
    torch.manual_seed(0)
    networks = SharedNetwork("expression", Linear(face)), SharedNetwork("recognition", Linear(identity))
    return ExpressionEncoder(8, face=networks[0], identity=networks[1], **settings)


def test_the_deviation_is_face_minus_identity_of_unit_vectors():
    built, image = encoder(), torch.randn(4, 3, 8, 8)
    face, identity = built.face(image).embedding, built.identity(image).embedding
    expected = face / face.norm(dim=-1, keepdim=True) - identity / identity.norm(dim=-1, keepdim=True)
    assert torch.allclose(built.extract(FaceView.of_images(image))["deviation"], expected, atol=1e-6)


def test_one_network_twice_deviates_by_nothing():
    torch.manual_seed(0)
    network = SharedNetwork("recognition", Linear(10))
    built = ExpressionEncoder(8, face=network, identity=network, width=10)
    assert built.extract(FaceView.of_images(torch.randn(2, 3, 8, 8)))["deviation"].abs().max() == 0


def test_a_token_is_a_t_times_the_deviation_plus_b_t():
    built = encoder(width=10)
    deviation = torch.randn(2, 10)
    tokens = built({"deviation": deviation}).tokens
    a, b = built.spread.weight[:, 0], built.spread.bias
    for t in range(6):
        expected = a[t] * deviation * 10**0.5 + b[t] + built.position[0, t]
        assert torch.allclose(tokens[:, t], expected, atol=1e-6)


@pytest.mark.parametrize(("settings", "tokens", "width"), [({}, 6, 512), ({"tokens": 5, "width": 12}, 5, 12)])
def test_shapes_are_the_specs(settings, tokens, width):
    built = encoder(**settings)
    encoded = built(built.extract(FaceView.of_images(torch.randn(3, 3, 8, 8))))
    assert encoded.tokens.shape == (3, built.spec.tokens, built.spec.width) == (3, tokens, width)
    assert encoded.pooled is None
    assert built.spec.pooled is None


def test_gradients_reach_every_weight_and_the_image():
    built = encoder(width=12)
    image = torch.randn(2, 3, 8, 8, requires_grad=True)
    tokens = built(built.extract(FaceView(image, torch.zeros(2, 68, 2), FaceView.of_images(image).labels))).tokens
    F.mse_loss(tokens, torch.randn_like(tokens)).backward()
    assert len(list(built.parameters())) == 5  # spread, projection, positions: none of the networks'
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in built.parameters())
    assert image.grad.abs().sum() > 0


def test_embeddings_of_two_widths_are_refused():
    with pytest.raises(ValueError, match=r"found 10 \(face\) and 12 \(identity\)"):
        encoder(face=10, identity=12)
