"""The warp: what lies at a landmark is moved to where it should lie, and nothing else is; and gradients come back."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from palsykit.faces.alignment import similarity
from palsykit.faces.lids import open_lids
from palsykit.faces.warping import (
    BORDER,
    CELLS,
    RIGID,
    bend,
    fixed_points,
    read_field,
    retarget,
    warp,
)
from palsykit.testing.stand_ins import landmarks

SIZE = 64
MOUTH = [*range(48, 60)]
INNER = np.clip(np.array(BORDER) * SIZE, 0.5, SIZE - 0.5)


def face(jitter=0.0, seed=0):
    return torch.from_numpy(landmarks(SIZE, jitter, seed).astype(np.float64))


def where():
    """A picture whose red and green say where a pixel is: [3, H, W] in [-1, 1]."""
    at = (torch.arange(SIZE) + 0.5) / SIZE * 2 - 1
    y, x = torch.meshgrid(at, at, indexing="ij")
    return torch.stack([x, y, torch.zeros_like(x)])


def read(image, points):
    """What red and green say at points [N, 2] px, in px."""
    grid = (torch.as_tensor(points) / SIZE * 2 - 1).float().view(1, 1, -1, 2)
    found = F.grid_sample(image[None], grid, align_corners=False, padding_mode="border")
    return ((found[0, :2, 0].T + 1) * SIZE / 2).numpy()


def bent(image, own, target, smoothing=1e-4):
    return warp(image[None], own[None], target[None], smoothing)[0]


def smiling():
    points = face()
    points[48] += torch.tensor([-3.0, -2.0])
    points[54] += torch.tensor([1.0, 0.0])
    return points


def test_lifted_brows_leave_the_top_of_the_head_where_it_is():
    own, target = face(), face()
    target[17:27, 1] -= 4.0
    (ear, other, chin), up = own[[0, 16, 8]], np.array([0.0, -1.0])
    middle = ((ear + other) / 2).numpy()
    top = middle + 0.75 * (chin[1].item() - middle[1]) * up
    moved = read(bent(where(), own, target), top[None]) - read(where(), top[None])
    assert np.abs(moved).max() < 0.3
    brow = read(bent(where(), own, target), target[[19]]) - read(where(), target[[19]])
    assert brow[0, 1] > 3, "brows move as before"


def test_what_lies_at_a_landmark_is_moved_there():
    own, target = face(), smiling()
    image = bent(where(), own, target, 0.0)
    np.testing.assert_allclose(read(image, target)[MOUTH], own[MOUTH], atol=0.4)
    assert np.linalg.norm(read(where(), target)[48] - own[48].numpy()) > 3, "it was elsewhere before"


def test_the_same_landmarks_change_nothing():
    picture = torch.rand(3, SIZE, SIZE) * 2 - 1
    torch.testing.assert_close(bent(picture, face(), face()), picture, atol=1e-4, rtol=0)


def test_the_border_and_the_jaw_stay():
    image = bent(where(), face(), smiling())
    np.testing.assert_allclose(read(image, INNER), INNER, atol=0.5)
    np.testing.assert_allclose(read(image, face()[:17]), face()[:17], atol=0.5)


@pytest.mark.parametrize("smoothing", [0.0, 1e-4, 1e-2])
def test_the_spline_agrees_with_scipy(smoothing):
    from scipy.interpolate import RBFInterpolator

    own, target = face(0.01, 1), face(0.01, 2)
    target = open_lids(own[None].double(), target[None].double())[0]
    still = fixed_points(own[None].double() / SIZE)[0].numpy()
    here, there = (np.concatenate([points.numpy() / SIZE, still]) for points in (target, own))
    spline = RBFInterpolator(here, there, kernel="thin_plate_spline", degree=1, smoothing=smoothing)
    points = np.stack(np.meshgrid(np.arange(8, 56, 4) + 0.5, np.arange(8, 56, 4) + 0.5), -1).reshape(-1, 2)
    field = bend(own[None] / SIZE, target[None] / SIZE, SIZE, SIZE, smoothing)[0].numpy() * SIZE
    at = (points - 0.5).astype(int)
    np.testing.assert_allclose(field[at[:, 1], at[:, 0]], spline(points / SIZE) * SIZE, atol=0.02)


def test_the_spline_agrees_with_scikit_image():
    pytest.importorskip("skimage", minversion="0.26")
    from skimage.transform import ThinPlateSplineTransform

    own, target = face(0.01, 1), face(0.01, 2)
    target = open_lids(own[None].double(), target[None].double())[0]
    still = fixed_points(own[None].double() / SIZE)[0].numpy()
    here, there = (np.concatenate([points.numpy() / SIZE, still]) for points in (target, own))
    transform = ThinPlateSplineTransform.from_estimate(here, there)
    points = np.stack(np.meshgrid(np.arange(8, 56, 4) + 0.5, np.arange(8, 56, 4) + 0.5), -1).reshape(-1, 2)
    field = bend(own[None] / SIZE, target[None] / SIZE, SIZE, SIZE, 0.0)[0].numpy() * SIZE
    at = (points - 0.5).astype(int)
    np.testing.assert_allclose(field[at[:, 1], at[:, 0]], transform(points / SIZE) * SIZE, atol=0.02)


def centres(height, width):
    x, y = (torch.arange(width) + 0.5) / width, (torch.arange(height) + 0.5) / height
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)[None]


def test_a_large_picture_is_read_where_the_exact_spline_says():
    own, target = face()[None] / SIZE, smiling()[None] / SIZE
    exact = bend(own, target, 256, 256)
    near = read_field(bend(own, target, CELLS, CELLS), centres(256, 256))
    assert (near - exact).abs().max() * 256 < 0.25
    assert (near - exact).abs().mean() * 256 < 0.01
    assert (exact - read_field(exact, centres(256, 256))).abs().max() < 1e-5


def test_a_linear_field_is_read_exactly_up_to_the_border():
    assert torch.allclose(read_field(centres(8, 12), centres(40, 48)), centres(40, 48), atol=1e-6)


def test_landmarks_that_coincide_do_no_harm():
    """Shut lips and lids: inner lip points lie on one another in the driver."""
    shut = face()
    shut[[65, 66, 67]] = shut[[63, 62, 61]]
    shut.requires_grad_()
    found = bent(where(), face(), shut)
    found.square().sum().backward()
    assert found.isfinite().all()
    assert found.abs().max() <= 1
    assert shut.grad.isfinite().all()


def test_gradients_are_those_of_small_steps():
    torch.manual_seed(0)
    picture = where()[None]  # a ramp, which bilinear reading follows exactly
    own, weight = face(0.01, 1), torch.randn(1, 3, SIZE, SIZE)
    weight[..., :6, :] = weight[..., -6:, :] = weight[..., :6] = weight[..., -6:] = 0  # where it may read the border
    target = face(0.01, 2).requires_grad_()

    def value(points):
        return (warp(picture, own[None], points[None]) * weight).sum().double()

    (gradient,) = torch.autograd.grad(value(target), target)
    direction = torch.randn(68, 2, dtype=torch.float64) + 3 * gradient / gradient.square().mean().sqrt()
    with torch.no_grad():
        rise = (value(target + 0.02 * direction) - value(target - 0.02 * direction)) / 0.04
    scale = (gradient.norm() * direction.norm()).item()
    assert rise.item() == pytest.approx((gradient * direction).sum().item(), rel=0.05)
    assert rise.item() > 0.5 * scale, "most of the step goes where the gradient points"


def test_a_row_does_not_depend_on_those_beside_it():
    pictures = torch.rand(3, 3, SIZE, SIZE) * 2 - 1
    own, target = (torch.stack([face(0.01, seed + row) for row in range(3)]) for seed in (1, 11))
    together = warp(pictures, own, target)
    for row in range(3):
        torch.testing.assert_close(bent(pictures[row], own[row], target[row]), together[row], atol=1e-5, rtol=0)


def test_retargeting_takes_away_place_size_and_roll_and_keeps_the_jaw():
    own, expression = face(), smiling()
    angle = np.deg2rad(12)
    turn = 1.3 * torch.tensor([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = expression @ turn.T + torch.tensor([5.0, -3.0])
    torch.testing.assert_close(retarget(moved[None], own[None])[0], expression, atol=1e-9, rtol=0)
    wider = expression.clone()
    wider[:17] *= 1.1
    assert torch.equal(retarget(wider[None], own[None])[0, :17], own[:17])
    assert not set(RIGID) & {*range(17), *range(48, 68)}


def test_retargeting_is_the_least_squares_similarity():
    own, other = face(0.01, 1), face(0.03, 2)
    rigid = [*RIGID]
    transform = similarity(other[rigid].numpy(), own[rigid].numpy())
    expected = other.numpy() @ transform[:, :2].T + transform[:, 2]
    found = retarget(other[None], own[None])[0, 17:]
    np.testing.assert_allclose(found, expected[17:], atol=1e-9)


def test_landmarks_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"landmarks of shapes \[1, 5, 2\] and \[1, 5, 2\], expected \[1, 68, 2\]"):
        bent(where(), face()[:5], face()[:5])


def test_with_a_driver_at_rest_the_identity_moves_as_the_driver_has_moved():
    """Whatever the driver's own proportions, head and camera; the jaw stays."""
    own, still = face(0.01, 1), face(0.03, 2)
    turn = torch.tensor([[0.9, -0.1], [0.1, 0.9]], dtype=torch.float64)
    step = torch.zeros_like(own)
    step[[48, 54, 19]] = torch.tensor([[-3.0, -2.0], [1.0, 0.0], [0.0, -2.0]], dtype=torch.float64)
    # the driver's movement as the identity's face would make it: through the transform between the two
    rigid = [*RIGID]
    linear = torch.from_numpy(similarity(still[rigid].numpy(), own[rigid].numpy())[:, :2])
    driver = still + step @ torch.linalg.inv(linear).T
    found = retarget((driver @ turn.T + 4.0)[None], own[None], (still @ turn.T + 4.0)[None])[0]
    torch.testing.assert_close(found[17:], (own + step)[17:], atol=1e-6, rtol=0)
    assert torch.equal(found[:17], own[:17])
    torch.testing.assert_close(retarget(driver[None], own[None], own[None]), retarget(driver[None], own[None]))
