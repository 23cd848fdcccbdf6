"""MobileFaceNet: shapes, the public layout, points in px."""

import numpy as np
import pytest
import torch

from palsykit.faces.alignment import FRAME, five_points
from palsykit.faces.landmarks import flip_points
from palsykit.files import weights
from palsykit_landmark.mean_face import MEAN_FACE
from palsykit_landmark.mobilefacenet import MobileFaceNet


def tiny(image_size: int = 32, **settings) -> MobileFaceNet:
    torch.manual_seed(0)
    return MobileFaceNet(image_size, **{"width": 0.125, **settings})


@pytest.mark.parametrize(("image_size", "side"), [(64, 4), (112, 7), (80, 5)])
def test_shapes_are_as_promised(image_size, side):
    net = tiny(image_size).eval()
    output = net(torch.zeros(2, 3, image_size, image_size))
    assert output.map.shape == (2, *net.map_shape) == (2, 64, side, side)
    assert output.points.shape == (2, 68, 2)
    assert net.embedding_width is None
    assert output.embedding is None


@pytest.mark.parametrize("image_size", [32, 64])
def test_points_are_px_and_start_at_the_average_face(image_size):
    points = tiny(image_size).train()(torch.randn(8, 3, image_size, image_size)).points
    eyes_nose_mouth = five_points(points.mean(0).detach().numpy())
    assert np.allclose(eyes_nose_mouth, FRAME * image_size, atol=0.05 * image_size)
    assert points.std(0).min() > 0  # but not all alike


def test_the_average_face_is_symmetric():
    face = np.array(MEAN_FACE)
    assert face.shape == (68, 2)
    assert np.allclose(flip_points(face, 1.0), face, atol=0.002)


def test_the_public_layout_at_112_px():
    with torch.device("meta"):
        net = MobileFaceNet(112)
    shapes = {name: tuple(value.shape) for name, value in net.state_dict().items()}
    expected = {
        "conv1.conv.weight": (64, 3, 3, 3),
        "conv1.prelu.weight": (64,),
        "conv2_dw.conv.weight": (64, 1, 3, 3),
        "conv_23.conv.conv.weight": (128, 64, 1, 1),
        "conv_3.model.3.conv_dw.conv.weight": (128, 1, 3, 3),
        "conv_34.project.conv.weight": (128, 256, 1, 1),
        "conv_4.model.5.project.bn.running_var": (128,),
        "conv_45.conv_dw.conv.weight": (512, 1, 3, 3),
        "conv_5.model.1.conv.conv.weight": (256, 128, 1, 1),
        "conv_6_sep.conv.weight": (512, 128, 1, 1),
        "output_layer.conv_6_dw.conv.weight": (512, 1, 7, 7),
        "output_layer.linear.weight": (136, 512),
    }
    assert {name: shapes.get(name) for name in expected} == expected
    assert net.map_shape == (512, 7, 7)


def test_every_parameter_gets_a_gradient_and_moves():
    net = tiny().train()
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    (net(torch.randn(4, 3, 32, 32)).points - torch.rand(4, 68, 2) * 32).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())
    torch.optim.AdamW(net.parameters(), 1e-3).step()
    assert all(not torch.equal(before[name], p) for name, p in net.named_parameters())


def test_points_are_not_rounded_to_bf16_under_autocast():
    with torch.autocast("cpu", torch.bfloat16):
        points = tiny().train()(torch.randn(8, 3, 32, 32)).points
    assert points.dtype == torch.float32
    assert points[:, 0].unique().numel() == 16
    assert not torch.equal(points, points.bfloat16().float())


def test_differentiable_in_the_image_when_frozen():
    net = tiny().eval().requires_grad_(False)
    image = torch.randn(2, 3, 32, 32, requires_grad=True)
    net(image).points.square().sum().backward()
    assert image.grad.abs().sum() > 0


def test_weights_must_be_this_networks_own(tmp_path):
    path = tmp_path / "points.safetensors"
    weights.save(tiny().state_dict(), path)
    assert torch.equal(tiny(weights=path).conv1.conv.weight, tiny().conv1.conv.weight)
    with pytest.raises(
        ValueError, match=r"points\.safetensors: .*of another shape: conv1\.conv\.weight \[8, 3, 3, 3\]"
    ):
        tiny(width=0.25, weights=path)


def test_a_width_that_leaves_no_channel_is_refused():
    with pytest.raises(ValueError, match=r"width 0\.001 leaves the first layer no channel"):
        tiny(width=0.001)
