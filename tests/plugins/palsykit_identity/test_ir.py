"""The improved residual network: shapes, public layout, heads, crop, and weights that fit exactly."""

import pytest
import torch
import torch.nn.functional as F

from palsykit.files import weights
from palsykit_identity.ir import InsightResNet


def tiny(image_size: int = 32, **settings) -> InsightResNet:
    torch.manual_seed(0)
    return InsightResNet(image_size, **{"depth": 18, "width": 0.0625, "embedding": 12, **settings})


@pytest.mark.parametrize(("image_size", "side"), [(64, 4), (112, 7), (80, 5), (17, 2)])
def test_shapes_are_as_promised(image_size, side):
    net = tiny(image_size).eval()
    output = net(torch.zeros(2, 3, image_size, image_size))
    assert output.map.shape == (2, *net.map_shape) == (2, 32, side, side)
    assert output.embedding.shape == (2, net.embedding_width) == (2, 12)
    assert output.points is None
    assert output.logits == {}


@pytest.mark.parametrize(
    ("depth", "units", "millions"), [(18, 8, 24.02), (34, 16, 34.13), (50, 24, 43.57), (100, 49, 65.13)]
)
def test_the_family_at_full_size_has_its_depth_and_size(depth, units, millions):
    with torch.device("meta"):
        net = InsightResNet(112, depth=depth)
    assert net.map_shape == (512, 7, 7)
    assert len(net.body) == units
    assert sum(p.numel() for p in net.parameters()) / 1e6 == pytest.approx(millions, abs=0.05)


def test_the_public_layout_of_ir_50_at_112_px():
    with torch.device("meta"):
        shapes = {name: tuple(value.shape) for name, value in InsightResNet(112, depth=50).state_dict().items()}
    expected = {
        "input_layer.0.weight": (64, 3, 3, 3),
        "input_layer.2.weight": (64,),
        "body.0.res_layer.0.running_mean": (64,),
        "body.0.res_layer.3.weight": (64,),
        "body.3.shortcut_layer.0.weight": (128, 64, 1, 1),
        "body.3.shortcut_layer.1.bias": (128,),
        "body.23.res_layer.4.weight": (512, 512, 3, 3),
        "output_layer.0.weight": (512,),
        "output_layer.3.weight": (512, 512 * 49),
        "output_layer.3.bias": (512,),
        "output_layer.4.running_var": (512,),
    }
    assert {name: shapes.get(name) for name in expected} == expected
    assert "body.0.shortcut_layer.0.weight" not in shapes  # the first stage keeps its channels
    assert {name.split(".")[0] for name in shapes} == {"input_layer", "body", "output_layer"}


def test_every_parameter_gets_a_gradient_and_moves():
    net = tiny(heads={"expression": 8, "severity": 1}).train()
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    output = net(torch.randn(6, 3, 32, 32))
    weighting = torch.randn(6, 12)
    loss = (output.embedding * weighting).sum() + sum(value.square().sum() for value in output.logits.values())
    loss.backward()
    torch.optim.AdamW(net.parameters(), 1e-3, weight_decay=0).step()
    assert output.logits["expression"].shape == (6, 8)
    still = [name for name, p in net.named_parameters() if torch.equal(before[name], p)]
    # the bias before a batch norm is cancelled by it: its gradient is rounding, and it stays or drifts unheard
    assert set(still) <= {"output_layer.3.bias"}


def test_differentiable_in_the_image_when_frozen():
    net = tiny().eval().requires_grad_(False)
    image = torch.randn(2, 3, 32, 32, requires_grad=True)
    net(image).embedding.square().sum().backward()
    assert image.grad is not None
    assert (image.grad != 0).float().mean() > 0.9


def test_bgr_weights_see_the_channels_turned_round():
    rgb, bgr = tiny().eval(), tiny(colours="bgr").eval()
    bgr.load_state_dict(rgb.state_dict())
    image = torch.randn(2, 3, 32, 32)
    assert torch.equal(bgr(image).embedding, rgb(image[:, [2, 1, 0]]).embedding)


def test_the_arcface_crop_is_the_middle_four_fifths_from_two_hundredths_below_the_top():
    whole, crop = tiny(50).eval(), tiny(50, crop="arcface").eval()
    crop.load_state_dict(whole.state_dict())
    image = torch.randn(2, 3, 50, 50)
    inside = F.interpolate(image[:, :, 1:41, 5:45], size=(50, 50), mode="bilinear", align_corners=False)
    seen = crop._as_seen(image)
    assert torch.allclose(seen[:, :, 2:-2, 2:-2], inside[:, :, 2:-2, 2:-2], atol=1e-5)


def test_weights_must_be_this_networks_own(tmp_path):
    weights.save(tiny().state_dict(), tmp_path / "net.safetensors")
    torch.manual_seed(1)
    loaded = InsightResNet(32, depth=18, width=0.0625, embedding=12, weights=tmp_path / "net.safetensors")
    assert torch.equal(loaded.output_layer[3].weight, tiny().output_layer[3].weight)
    with pytest.raises(ValueError, match=r"net\.safetensors: .*missing: heads\.side\.weight"):
        tiny(heads={"side": 3}, weights=tmp_path / "net.safetensors")


def test_a_width_that_leaves_no_channel_is_refused():
    with pytest.raises(ValueError, match=r"width 0\.001 leaves the first stage no channel"):
        tiny(width=0.001)
