"""The angular margin: golden values, classes, and a network that learns its subjects."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from palsykit.faces.vocabulary import FaceLabels
from palsykit.interfaces import FaceBatch, FaceView, NetworkOutput, TrainingData
from palsykit_trainers.angular_margin import AngularMarginTrainer, margin_cosines

SUBJECTS = ("anna", "ben", "cleo")


class Embedder(nn.Module):
    embedding_width = 4

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(3 * 8 * 8, 4)

    def forward(self, image: Tensor) -> NetworkOutput:
        return NetworkOutput(map=image, embedding=self.linear(image.flatten(1)))


def trainer(**settings) -> AngularMarginTrainer:
    torch.manual_seed(1)
    return AngularMarginTrainer(TrainingData(8, (), SUBJECTS), **settings)


def batch(subjects: tuple[str | None, ...]) -> FaceBatch:
    torch.manual_seed(2)
    image = torch.rand(len(subjects), 3, 8, 8) * 2 - 1
    view = FaceView(image, torch.full((len(subjects), 68, 2), torch.nan), tuple(FaceLabels(name) for name in subjects))
    return FaceBatch(view, view, view)


def test_golden_values():
    cosines = torch.tensor([[math.cos(1.0), 0.2], [0.3, -0.95]])
    classes = torch.tensor([0, 1])
    arc = margin_cosines(cosines, classes, 0.5, "arcface")
    # 1.0 rad + 0.5 rad; -0.95 lies beyond pi - 0.5, where 0.5 sin(0.5) is taken off
    assert torch.allclose(arc, torch.tensor([[0.0707372, 0.2], [0.3, -1.1897128]]), atol=1e-6)
    cos = margin_cosines(cosines, classes, 0.35, "cosface")
    assert torch.allclose(cos, torch.tensor([[0.1903023, 0.2], [0.3, -1.3]]), atol=1e-6)


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(0.05, 1.5), st.sampled_from(["arcface", "cosface"]))
def test_the_true_class_is_made_harder_and_never_easier_by_a_wider_angle(one, other, margin, kind):
    low, high = sorted((one, other))
    harder = margin_cosines(torch.tensor([[low], [high]], dtype=torch.float64), torch.tensor([0, 0]), margin, kind)
    assert harder[0] <= harder[1] + 1e-9
    assert harder[0] < low
    assert harder[1] < high + 1e-5


@pytest.mark.parametrize("cosine", [-1.0, 1.0])
def test_gradients_are_finite_at_the_poles(cosine):
    cosines = torch.tensor([[cosine, 0.0]], requires_grad=True)
    margin_cosines(cosines, torch.tensor([0]), 0.3, "arcface").sum().backward()
    assert cosines.grad.isfinite().all()


@pytest.mark.parametrize("kind", ["arcface", "cosface"])
def test_the_loss_is_the_papers(kind):
    built, model, faces = trainer(kind=kind, margin=0.2, scale=10.0, augment=False), Embedder(), batch(("ben", "anna"))
    built.groups(model)
    loss = built.losses(model, faces, torch.Generator(), "network")["identity"]
    embedding = F.normalize(model(faces.target.image).embedding, dim=-1).detach()
    expected = []
    for row, true in enumerate((1, 0)):
        cosines = [float(embedding[row] @ F.normalize(built.weight[k], dim=0).detach()) for k in range(3)]
        theta = math.acos(cosines[true])
        cosines[true] = math.cos(theta + 0.2) if kind == "arcface" else cosines[true] - 0.2
        total = sum(math.exp(10 * cosine) for cosine in cosines)
        expected.append(-math.log(math.exp(10 * cosines[true]) / total))
    assert loss.item() == pytest.approx(sum(expected) / 2, abs=1e-4)


def test_the_group_holds_network_and_class_vectors_once_after_repeated_calls():
    built, model = trainer(), Embedder()
    first, second = built.groups(model)["network"], built.groups(model)["network"]
    assert [id(p) for p in first] == [id(p) for p in second]
    assert {id(p) for p in first} == {id(p) for p in (*model.parameters(), *built.parameters())}
    assert built.weight.shape == (3, 4)


def test_a_tiny_batch_is_learnt_and_everything_moves():
    built, model, faces = trainer(), Embedder(), batch(("anna", "ben", "cleo", "anna"))
    parameters = built.groups(model)["network"]
    before = [p.detach().clone() for p in parameters]
    optimiser = torch.optim.AdamW(parameters, 1e-2)
    losses = []
    for step in range(40):
        loss = built.losses(model, faces, torch.Generator().manual_seed(step), "network")["identity"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) < 0.2 * sum(losses[:5])
    assert all(not torch.equal(old, new) for old, new in zip(before, parameters, strict=True))


def test_subjects_that_are_no_class_are_named():
    built, model = trainer(), Embedder()
    built.groups(model)
    with pytest.raises(ValueError, match="subjects None, dora are not among the 3 training subjects"):
        built.losses(model, batch(("anna", "dora", None)), torch.Generator(), "network")


def test_settings_that_cannot_work_are_refused():
    with pytest.raises(ValueError, match="training data has 1"):
        AngularMarginTrainer(TrainingData(8, (), ("anna",)))
    with pytest.raises(ValueError, match="margin is 4"):
        trainer(margin=4.0)

    class Blind(Embedder):
        embedding_width = None  # type: ignore[assignment]

    with pytest.raises(ValueError, match="Blind gives none"):
        trainer().groups(Blind())
