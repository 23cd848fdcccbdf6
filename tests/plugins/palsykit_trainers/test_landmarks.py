"""Landmarks: the loss is in image sides, unknown points do not count, and the network learns."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from palsykit.faces.records import FaceRecord
from palsykit.faces.vocabulary import FaceLabels
from palsykit.interfaces import FaceBatch, FaceView, NetworkOutput, TrainingData
from palsykit_trainers.landmarks import LandmarksTrainer, side_loss, wing


class Fixed(nn.Module):
    """Points that do not depend on the picture: a parameter, in px."""

    def __init__(self, points: Tensor) -> None:
        super().__init__()
        self.points = nn.Parameter(points)

    def forward(self, image: Tensor) -> NetworkOutput:
        return NetworkOutput(map=image, points=self.points.expand(len(image), 68, 2))


def data(landmarks: bool = True) -> TrainingData:
    points = np.zeros((68, 2), dtype=np.float32) if landmarks else None
    return TrainingData(8, [FaceRecord("one", FaceLabels("a"), points)], ("a",))


def batch(landmarks: Tensor, size: int) -> FaceBatch:
    view = FaceView(torch.zeros(len(landmarks), 3, size, size), landmarks, (FaceLabels("a"),) * len(landmarks))
    return FaceBatch(view, view, view)


def loss(model: nn.Module, faces: FaceBatch, **settings) -> Tensor:
    trainer = LandmarksTrainer(data(), augment=False, **settings)
    return trainer.losses(model, faces, torch.Generator(), "network")["points"]


@pytest.mark.parametrize("size", [64, 112])
def test_an_error_of_an_eighth_of_the_side_costs_an_eighth_at_any_size(size):
    truth = torch.rand(3, 68, 2) * size
    model = Fixed(truth[0] + size / 8)
    assert float(loss(model, batch(truth[:1], size), loss="l1")) == pytest.approx(1 / 8, rel=1e-4)


def test_wing_golden_values_and_continuity():
    errors = torch.tensor([0.0, 0.01, 0.05, 0.25], dtype=torch.float64)
    offset = 0.05 - 0.05 * math.log(6)
    expected = [0.0, 0.05 * math.log(2), 0.05 * math.log(6), 0.25 - offset]
    assert wing(errors, 0.05, 0.01).tolist() == pytest.approx(expected, abs=1e-12)
    around = wing(torch.tensor([0.05 - 1e-9, 0.05 + 1e-9], dtype=torch.float64), 0.05, 0.01)
    assert float(around[1] - around[0]) == pytest.approx(0, abs=1e-7)


def test_unknown_points_do_not_count_nor_spoil_gradients():
    truth = torch.full((2, 68, 2), torch.nan)
    truth[0, 5] = torch.tensor([10.0, 20.0])
    model = Fixed(torch.full((68, 2), 10.0))
    value = loss(model, batch(truth, 40), loss="l1")
    assert float(value) == pytest.approx((0 + 10) / 40 / 2)
    value.backward()
    gradient = torch.zeros(68, 2)
    gradient[5, 1] = -1 / 40 / 2
    assert torch.allclose(model.points.grad, gradient)


def test_a_batch_without_any_point_gives_zero_and_zero_gradients():
    model = Fixed(torch.zeros(68, 2))
    value = loss(model, batch(torch.full((2, 68, 2), torch.nan), 40))
    assert float(value) == 0
    value.backward()
    assert (model.points.grad == 0).all()


@pytest.mark.parametrize("kind", ["wing", "l1"])
def test_a_tiny_batch_is_learnt_and_everything_moves(kind):
    torch.manual_seed(0)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(3 * 16 * 16, 136)

        def forward(self, image: Tensor) -> NetworkOutput:
            return NetworkOutput(map=image, points=self.linear(image.flatten(1)).unflatten(1, (68, 2)) * 16)

    model, trainer = Net(), LandmarksTrainer(data(), loss=kind)
    view = FaceView(torch.rand(4, 3, 16, 16) * 2 - 1, torch.rand(4, 68, 2) * 16, (FaceLabels("a"),) * 4)
    parameters = trainer.groups(model)["network"]
    before = [p.detach().clone() for p in parameters]
    optimiser = torch.optim.AdamW(parameters, 1e-3)
    losses = []
    for step in range(120):
        generator = torch.Generator().manual_seed(step)
        value = trainer.losses(model, FaceBatch(view, view), generator, "network")["points"]
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        losses.append(value.item())
    assert sum(losses[-10:]) < 0.5 * sum(losses[:10])
    assert all(not torch.equal(old, new) for old, new in zip(before, parameters, strict=True))


def test_what_cannot_be_fitted_is_refused():
    with pytest.raises(ValueError, match="none of the 1 training photographs has landmarks"):
        LandmarksTrainer(data(landmarks=False))

    class Blind(nn.Module):
        def forward(self, image: Tensor) -> NetworkOutput:
            return NetworkOutput(map=image)

    with pytest.raises(ValueError, match="Blind gives none"):
        loss(Blind(), batch(torch.zeros(1, 68, 2), 8))


def test_eye_points_have_the_given_weight():
    truth = torch.rand(1, 68, 2) * 64
    wrong = torch.zeros(68, 2)
    wrong[37] = 6.4
    eye = float(loss(Fixed(truth[0] + wrong), batch(truth, 64), loss="l1", eyes=4.0))
    brow = float(loss(Fixed(truth[0] + wrong.roll(-17, 0)), batch(truth, 64), loss="l1", eyes=4.0))
    assert eye == pytest.approx(4 * brow, rel=1e-3)
    assert eye == pytest.approx(0.1 * 4 / (56 + 12 * 4), rel=1e-3)
    even = truth[0] + 6.4
    assert float(loss(Fixed(even), batch(truth, 64), loss="l1", eyes=4.0)) == pytest.approx(0.1, rel=1e-3)


def lid_term(found: Tensor, truth: Tensor, size: int = 64, **settings) -> Tensor:
    trainer = LandmarksTrainer(data(), augment=False, loss="l1", lids=2.0, **settings)
    return trainer.losses(Fixed(found), batch(truth, size), torch.Generator(), "network")["lids"]


@pytest.mark.parametrize("size", [64, 112])
def test_the_lids_term_is_of_how_far_lids_stand_apart_and_of_nothing_else(size):
    truth = torch.rand(1, 68, 2) * size
    assert float(lid_term(truth[0] + size / 8, truth, size)) == pytest.approx(0, abs=1e-6)  # all points together
    shut = truth[0].clone()
    shut[[40, 47]] += torch.tensor([0.0, size / 10])  # in two of the four pairs, one of two coordinates
    assert float(lid_term(shut, truth, size)) == pytest.approx(2 * 2 / 8 * (0.1 - 0.02 / 2), rel=1e-3)
    near = truth[0].clone()
    near[37, 1] += size / 100  # below 0.02 sides an error counts by its square
    assert float(lid_term(near, truth, size)) == pytest.approx(2 / 8 * 0.01**2 / 0.04, rel=1e-2)


def test_unknown_lids_do_not_count():
    truth = torch.rand(2, 68, 2) * 64
    found = truth[0] + torch.randn(68, 2)
    truth[1] = truth[0]
    truth[1, 36:48] = torch.nan
    assert float(lid_term(found, truth)) == pytest.approx(float(lid_term(found, truth[:1])))
    assert float(lid_term(found, torch.full((1, 68, 2), torch.nan))) == 0


def test_without_a_weight_there_is_no_lids_term():
    truth = torch.rand(1, 68, 2) * 64
    trainer = LandmarksTrainer(data(), augment=False)
    assert set(trainer.losses(Fixed(truth[0]), batch(truth, 64), torch.Generator(), "network")) == {"points"}


def test_an_error_of_one_half_costs_more_with_sides_and_an_error_of_both_halves_does_not():
    true = torch.rand(1, 68, 2)
    one, both = true.clone(), true.clone()
    one[:, 48, 1] += 0.1  # the right corner is too low
    both[:, [48, 54], 1] += 0.1
    both[:, 48, 0] += 0.05  # and both are too far out
    both[:, 54, 0] -= 0.05
    assert float(side_loss(both, true)) == pytest.approx(0, abs=1e-6)
    assert float(side_loss(one, true)) == pytest.approx(0.1 / (2 * 21), rel=1e-3)  # 21 pairs, two coordinates
    unknown = true.clone()
    unknown[:, 54] = torch.nan
    assert float(side_loss(one, unknown)) == pytest.approx(0, abs=1e-6)


def test_further_points_count_where_network_and_data_have_them():
    true = torch.full((1, 68, 2), 4.0)

    class Found(nn.Module):
        def forward(self, image):
            return NetworkOutput(image, points=true.clone(), further=torch.full((1, 8, 2), 6.0))

    further = torch.full((1, 8, 2), 4.0)
    further[:, 1:] = torch.nan
    view = FaceView(torch.zeros(1, 3, 8, 8), true, (FaceLabels("a"),), further)
    trainer = LandmarksTrainer(data(), loss="l1", augment=False, further=2.0)
    batch = FaceBatch(view, view, view)
    terms = trainer.losses(Found(), batch, torch.Generator(), "network")
    assert float(terms["points"]) == pytest.approx(2 * 2 * 0.25 / (2 * 68 + 2 * 2))
    view.further = None
    assert float(trainer.losses(Found(), batch, torch.Generator(), "network")["points"]) == 0


@pytest.mark.parametrize(("key", "point"), [("brows", 20), ("corners", 54), ("eyes", 40)])
def test_a_region_counts_as_often_as_its_weight(key, point):
    trainer = LandmarksTrainer(data(), **{key: 3.0})
    assert float(trainer.weight[point]) == 3
    assert float(trainer.weight[30]) == 1
