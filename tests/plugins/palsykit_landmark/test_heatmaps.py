"""Heatmaps: shapes, the mean under a heatmap, points at and beyond the border, what a short fit reaches."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from palsykit.faces.alignment import FRAME, five_points
from palsykit.files import weights
from palsykit_landmark.heatmaps import Heatmaps, IntegralHead, grid
from palsykit_landmark.mean_face import MEAN_FACE

SIDE = 16


def tiny(image_size: int = 32, **settings) -> Heatmaps:
    torch.manual_seed(0)
    return Heatmaps(image_size, **{"width": 0.25, **settings})


def reading(field: Tensor) -> IntegralHead:
    """A head whose 68 heatmaps all have the logits of the first feature, ``field`` or any other, and no prior."""
    head = IntegralHead(1, field.shape[-1])
    with torch.no_grad():
        head.heatmaps.weight.fill_(1.0)
        head.prior.zero_()
    return head


@pytest.mark.parametrize(("image_size", "side"), [(32, 2), (64, 4), (112, 7)])
def test_shapes_are_as_promised(image_size, side):
    net = tiny(image_size).eval()
    output = net(torch.zeros(2, 3, image_size, image_size))
    assert output.map.shape == (2, *net.map_shape) == (2, 24, side, side)
    assert output.points.shape == (2, 68, 2)
    assert net.embedding_width is None
    assert output.embedding is None


def test_wide_cells_and_further_points():
    net = tiny(64, cell=4, further=True).eval()
    output = net(torch.zeros(2, 3, 64, 64))
    assert output.map.shape == (2, *net.map_shape) == (2, 24, 2, 2)
    assert output.points.shape == (2, 68, 2)
    right, left = output.further[0, :2].tolist()
    assert abs(right[0] - 0.366 * 64) < 0.05 * 64  # the pupils start at the average face's
    assert abs(left[0] - 0.634 * 64) < 0.05 * 64
    assert tiny(64).eval()(torch.zeros(1, 3, 64, 64)).further is None


def test_further_points_are_learnt():
    net = tiny(64, cell=4, further=True).train()
    net(torch.randn(4, 3, 64, 64)).further.square().mean().backward()
    assert net.head.offset.grad[68:].abs().sum() > 0
    assert net.head.heatmaps.weight.grad[68:].abs().sum() > 0
    assert net.head.offset.grad[:68].abs().sum() == 0


@pytest.mark.parametrize("image_size", [32, 64])
def test_points_are_px_and_start_at_the_average_face(image_size):
    points = tiny(image_size).train()(torch.randn(8, 3, image_size, image_size)).points
    eyes_nose_mouth = five_points(points.mean(0).detach().numpy())
    assert np.allclose(eyes_nose_mouth, FRAME * image_size, atol=0.05 * image_size)
    assert points.std(0).min() > 0  # but not all alike


@pytest.mark.parametrize("place", [(0.5, 0.5), (0.513, 0.487), (0.37, 0.62), (0.02, 0.5), (0.97, 0.985)])
@torch.no_grad()
def test_a_heatmap_is_read_between_its_cells_up_to_the_border(place):
    head = reading(torch.empty(1, 1, SIDE, SIDE))
    apart = (head.places - torch.tensor(place)).square().sum(-1)
    head.prior.copy_(-apart / (2 * (1.2 / SIDE) ** 2))  # seen beyond the border, too, as far as the margin goes
    found = head(torch.zeros(1, 1, SIDE, SIDE))[0, 40]
    assert torch.allclose(found, torch.tensor(place), atol=0.1 / SIDE)


@torch.no_grad()
def test_a_peak_inside_the_picture_moves_by_a_tenth_of_a_cell():
    def found(x: float) -> float:
        inside = grid(SIDE, 0).unflatten(0, (SIDE, SIDE))
        apart = (inside - torch.tensor([x, 0.5])).square().sum(-1)
        field = (40 - apart / (2 * (1 / SIDE) ** 2))[None, None]
        return float(reading(field)(field)[0, 0, 0])

    for x in (0.4, 0.5, 0.53125):
        assert found(x + 0.1 / SIDE) - found(x) == pytest.approx(0.1 / SIDE, rel=0.01)


@torch.no_grad()
def test_a_point_beyond_the_picture_can_be_found():
    head = IntegralHead(1, SIDE)
    head.heatmaps.weight.fill_(1.0)  # and all of the picture says no
    down = head(torch.full((1, 1, SIDE, SIDE), -50.0))[0, 8]
    assert down[1] > 1  # the chin, whose place in the average face is 0.873
    assert MEAN_FACE[8][1] < 1


@torch.no_grad()
def test_the_offset_is_read_under_the_heatmap():
    field = torch.zeros(1, 1, SIDE, SIDE)
    field[..., 5, 9] = 30.0
    head = reading(field)
    before = head(field)
    head.offset[3, 0, 1] = 0.1
    moved = head(field) - before
    assert float(moved[0, 3, 1]) == pytest.approx(0.05 * 0.1 * 30, rel=1e-3)
    assert float(moved.abs().sum()) == pytest.approx(float(moved[0, 3, 1]), rel=1e-4)


def test_every_parameter_gets_a_gradient_and_moves():
    net = tiny().train()
    with torch.no_grad():
        net.head.offset.normal_(std=0.1)
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    (net(torch.randn(4, 3, 32, 32)).points - torch.rand(4, 68, 2) * 32).square().mean().backward()
    still = [name for name, p in net.named_parameters() if p.grad is None or p.grad.abs().sum() == 0]
    assert not still
    torch.optim.AdamW(net.parameters(), 1e-3).step()
    assert all(not torch.equal(before[name], p) for name, p in net.named_parameters())


def test_points_are_not_rounded_to_bf16_under_autocast():
    with torch.autocast("cpu", torch.bfloat16):
        points = tiny().train()(torch.randn(8, 3, 32, 32)).points
    assert points.dtype == torch.float32
    assert not torch.equal(points, points.bfloat16().float())


def test_the_same_seed_gives_the_same_network_and_points():
    image = torch.randn(2, 3, 32, 32)
    assert torch.equal(tiny().eval()(image).points, tiny().eval()(image).points)


def test_differentiable_in_the_image_when_frozen():
    net = tiny().eval().requires_grad_(False)
    image = torch.randn(2, 3, 32, 32, requires_grad=True)
    net(image).points.square().sum().backward()
    assert image.grad.abs().sum() > 0


def test_weights_hold_what_was_learnt_and_nothing_that_is_known(tmp_path):
    path = tmp_path / "points.safetensors"
    net = tiny().train()
    net(torch.randn(4, 3, 32, 32))  # moves the batch statistics
    weights.save(net.state_dict(), path)
    state, _ = weights.load(path)
    assert not {"head.places", "head.prior"} & set(state)
    image = torch.randn(2, 3, 32, 32)
    assert torch.equal(tiny(weights=path).eval()(image).points, net.eval()(image).points)
    with pytest.raises(ValueError, match=r"points\.safetensors: .*of another shape"):
        tiny(width=0.5, weights=path)


def test_shipped_in_half_precision_it_stays_under_a_megabyte_and_a_half():
    with torch.device("meta"):
        net = Heatmaps(64)
    assert 2 * sum(value.numel() for value in net.state_dict().values()) < 1.5e6


@pytest.mark.parametrize(
    ("image_size", "settings", "message"),
    [
        (40, {}, "image_size 40: .*multiple of 16"),
        (48, {"cell": 4}, "4 px cells.*multiple of 32"),
        (32, {"width": 0.01}, r"width 0\.01 leaves the first level no"),
    ],
)
def test_what_cannot_be_built_is_refused(image_size, settings, message):
    with pytest.raises(ValueError, match=message):
        tiny(image_size, **settings)


def test_a_short_fit_tells_lids_a_third_of_a_pixel_apart():
    """A dark band of 0 to 1.5 px in a grey picture: points 37 and 41 are its edges; nothing else says how wide."""
    torch.manual_seed(0)
    gap, top = torch.rand(64) * 1.5, 11 + 3 * torch.rand(64)
    y = torch.arange(32 * 8) / 8
    inside = (y > top[:, None]) & (y < (top + gap)[:, None])
    rows = F.avg_pool1d(inside.float()[:, None], 8)[:, 0]  # as a sensor's pixels see it
    image = (0.5 - rows)[:, None, :, None].expand(-1, 3, -1, 32)
    net = tiny().train()
    optimiser = torch.optim.AdamW(net.parameters(), 6e-3)
    for step in range(60):
        optimiser.param_groups[0]["lr"] = 6e-3 * (1 - step / 60)
        points = net(image[:32]).points
        found = torch.stack([points[:, 37, 1], points[:, 41, 1]], 1)
        optimiser.zero_grad()
        F.l1_loss(found, torch.stack([top, top + gap], 1)[:32]).backward()
        optimiser.step()
    with torch.no_grad():
        points = net.eval()(image[32:]).points
    error = (points[:, 41, 1] - points[:, 37, 1] - gap[32:]).abs()
    assert error.mean() < 0.25  # the mean gap for everybody is 0.40 off
