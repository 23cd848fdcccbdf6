"""Expression, side and severity: what is unknown does not count; a small network learns a small batch."""

import math

import pytest
import torch
from torch import Tensor, nn

from palsykit.faces.records import FaceRecord
from palsykit.faces.vocabulary import FaceLabels, Side
from palsykit.interfaces import FaceBatch, FaceView, NetworkOutput, TrainingData
from palsykit_trainers.expression import ExpressionTrainer

LABELS = (
    FaceLabels("a", "rest", Side.NONE, 1.0),
    FaceLabels("a", "smile_full", Side.LEFT, 6.0),
    FaceLabels("b", "lip_pucker", None, None),
    FaceLabels("b", "whistle", Side.BILATERAL, 3.5),
)


class Heads(nn.Module):
    """Logits linear in the pixels."""

    def __init__(self, **outputs: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.heads = nn.ModuleDict({name: nn.Linear(3 * 8 * 8, count) for name, count in outputs.items()})

    def forward(self, image: Tensor) -> NetworkOutput:
        return NetworkOutput(map=image, logits={name: head(image.flatten(1)) for name, head in self.heads.items()})


def data(labels: tuple[FaceLabels, ...] = LABELS) -> TrainingData:
    return TrainingData(8, [FaceRecord(str(i), row) for i, row in enumerate(labels)], ("a", "b"))


def batch(labels: tuple[FaceLabels, ...] = LABELS) -> FaceBatch:
    torch.manual_seed(2)
    view = FaceView(torch.rand(len(labels), 3, 8, 8) * 2 - 1, torch.full((len(labels), 68, 2), torch.nan), labels)
    return FaceBatch(view, view, view)


def terms(model: nn.Module, faces: FaceBatch, **settings) -> dict[str, Tensor]:
    return ExpressionTrainer(data(), augment=False, **settings).losses(model, faces, torch.Generator(), "network")


def test_each_term_is_the_mean_over_the_rows_whose_label_is_known():
    model, faces = Heads(expression=8, side=3, severity=1), batch()
    logits = model(faces.target.image).logits
    found = terms(model, faces, side_weight=0.5, severity_weight=2.0)
    log_e, log_s = logits["expression"].log_softmax(-1), logits["side"].log_softmax(-1)
    assert torch.allclose(found["expression"], -(log_e[0, 0] + log_e[1, 5] + log_e[2, 6]) / 3)
    assert torch.allclose(found["side"], -0.5 * (log_s[0, 0] + log_s[1, 1]) / 2)  # bilateral is no class of three
    beta, expected = 0.1, 0.0
    for row, truth in ((0, 0.0), (1, 1.0), (3, 0.5)):
        error = abs(logits["severity"][row, 0].item() - truth)
        expected += error**2 / (2 * beta) if error < beta else error - beta / 2
    assert float(found["severity"]) == pytest.approx(2.0 * expected / 3, abs=1e-5)


def test_a_fourth_side_is_bilateral():
    model, faces = Heads(expression=8, side=4), batch()
    log_s = model(faces.target.image).logits["side"].log_softmax(-1)
    assert torch.allclose(terms(model, faces)["side"], -(log_s[0, 0] + log_s[1, 1] + log_s[3, 3]) / 3)


def test_a_batch_without_any_label_gives_zero_and_zero_gradients():
    model = Heads(expression=8, side=3, severity=1)
    found = terms(model, batch((FaceLabels("a"), FaceLabels("b", "whistle"))))
    assert {name: float(value) for name, value in found.items()} == {"expression": 0.0, "side": 0.0, "severity": 0.0}
    sum(found.values()).backward()
    assert all(p.grad is not None and (p.grad == 0).all() for p in model.parameters())


def test_the_network_chooses_which_terms_there_are():
    assert set(terms(Heads(expression=8), batch())) == {"expression"}


def test_a_tiny_batch_is_learnt_and_everything_moves():
    model, faces, trainer = Heads(expression=8, side=4, severity=1), batch(), ExpressionTrainer(data())
    parameters = trainer.groups(model)["network"]
    assert {id(p) for p in parameters} == {id(p) for p in model.parameters()}
    before = [p.detach().clone() for p in parameters]
    optimiser = torch.optim.AdamW(parameters, 1e-2)
    losses = []
    for step in range(60):
        loss = sum(trainer.losses(model, faces, torch.Generator().manual_seed(step), "network").values())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert math.fsum(losses[-5:]) < 0.3 * math.fsum(losses[:5])
    assert all(not torch.equal(old, new) for old, new in zip(before, parameters, strict=True))


def test_data_without_labels_are_refused():
    with pytest.raises(ValueError, match="none of the 2 training photographs is labelled with an expression"):
        ExpressionTrainer(data((FaceLabels("a"), FaceLabels("b", "whistle"))))


@pytest.mark.parametrize("heads", [{}, {"side": 3}, {"expression": 7}, {"expression": 8, "age": 1}])
def test_heads_that_cannot_be_fitted_are_refused(heads):
    with pytest.raises(ValueError, match="the trainer `expression` fits heads, and Heads has"):
        terms(Heads(**heads), batch())
