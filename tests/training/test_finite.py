"""fp16 with a scaled loss, and steps that the device itself leaves out."""

import json

import pytest
import torch

from palsykit.errors import PalsykitError
from palsykit.interfaces import TrainingData
from palsykit.training import checkpoint, finite, groups, loop
from palsykit_trainers.diffusion import DiffusionTrainer

HALF = {"precision": "fp16", "lr": 1e-3, "log_every": 1}


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


class Bad(DiffusionTrainer):
    """In some of its calls the loss is not a number, or it has a gradient that is infinite."""

    def __init__(self, nan=(), infinite=()):
        super().__init__(TrainingData(16, (), ()))
        self.nan, self.infinite, self.done = nan, infinite, 0

    def losses(self, model, batch, generator, phase):
        loss = super().losses(model, batch, generator, phase)["noise"]
        self.done += 1
        if self.done in self.nan:
            loss = loss * torch.nan
        if self.done in self.infinite:
            loss = loss + torch.sqrt(next(model.denoiser.parameters()).flatten()[0] * 0)
        return {"noise": loss}


def scales(folder):
    return [json.loads((path / "state.json").read_text())["scalers"]["model"]["scale"] for path in folder]


def test_fp16_learns_as_fp32_does(job):
    full, half = job("full", lr=1e-3, log_every=1), job("half", **HALF)
    loop.train(full)
    loop.train(half)
    for one, other in zip(full.lines, half.lines, strict=True):
        assert other["loss"] == pytest.approx(one["loss"], rel=0.01)
        assert other["loss"] != one["loss"]


def test_an_overflow_lowers_the_scale_and_is_no_fault(job, monkeypatch, capsys):
    """Scaled by 2 ^ 40, every gradient of fp16 is infinite."""
    monkeypatch.setattr(finite, "SCALE", 2.0**40)
    made = job(**HALF, steps=6, checkpoint_every=1)
    before = {name: value.clone() for name, value in made.model.state_dict().items()}
    loop.train(made)
    assert all(torch.equal(value, before[name]) for name, value in made.model.state_dict().items()), "not one step"
    assert [line["step"] for line in made.lines] == [1, 2, 3, 4, 5, 6], "the losses are finite"
    assert "left out" not in capsys.readouterr().err
    assert scales(checkpoint.existing(made.folder)) == [2.0**36, 2.0**35]
    assert checkpoint.facts(checkpoint.existing(made.folder)[-1])["skipped"] == 0


def test_a_resume_of_fp16_is_exact_because_it_knows_the_scale(job, monkeypatch):
    monkeypatch.setattr(finite, "SCALE", 2.0**28)
    keys = {**HALF, "steps": 24, "checkpoint_every": 5}
    whole = loop.train(job("whole", **keys))
    monkeypatch.setattr(loop.Training, "result", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        loop.train(job("killed", **keys))
    monkeypatch.undo()
    monkeypatch.setattr(finite, "SCALE", 2.0**28)
    assert scales(checkpoint.existing(job("killed").folder))[0] < 2.0**28
    assert same(loop.train(job("killed", **keys)), whole)
    # Without the scale it is found again, and other steps are taken.
    restore = finite.Finite.restore
    monkeypatch.setattr(finite.Finite, "restore", lambda self, facts: restore(self, {"skipped": facts["skipped"]}))
    assert not same(loop.train(job("killed", **keys)), whole)


def test_a_loss_that_is_not_finite_is_a_fault_in_fp16_too(job):
    with pytest.raises(PalsykitError, match=r"step 2 is not finite: losses \{'noise': nan\}"):
        loop.train(job(trainer=Bad(nan={2}), **HALF))


def test_a_gradient_that_no_scale_makes_finite_is_a_fault(job, monkeypatch, capsys):
    """4, 2, 1: then the gradient is the model's own."""
    monkeypatch.setattr(finite, "SCALE", 4.0)
    with pytest.raises(PalsykitError, match=r"step 3 is not finite: .*the gradient is not finite in model\."):
        loop.train(job(trainer=Bad(infinite=range(99)), **HALF))
    assert "left out" not in capsys.readouterr().err


@pytest.fixture
def on_device(monkeypatch):
    """As on a GPU: a fused optimiser leaves out steps, and the host reads at log lines."""
    monkeypatch.setattr(groups, "_fuses", lambda parameters: True)

    def late(yes):
        monkeypatch.setattr(finite, "reads_late", lambda device, settings: yes)

    return late


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_what_is_read_late_is_the_same(job, on_device, monkeypatch, precision):
    monkeypatch.setattr(finite, "SCALE", 2.0**28)
    results = {}
    for late in (False, True):
        on_device(late)
        made = job(f"{late}", precision=precision, steps=20, log_every=4, checkpoint_every=6)
        results[late] = loop.train(made), made.lines
    assert same(results[False][0], results[True][0])
    assert results[False][1] == results[True][1]


def test_the_device_leaves_out_a_step_and_the_next_line_says_so(job, on_device, capsys):
    on_device(True)
    made = job(trainer=Bad(nan={3}, infinite={4}), steps=4, log_every=4, checkpoint_every=99, skip_not_finite=2)
    loop.train(made)
    on_device(False)
    good = job("good", trainer=Bad(), steps=2, checkpoint_every=99)
    loop.train(good)
    for key, value in good.model.state_dict().items():
        assert torch.equal(value, made.model.state_dict()[key]), f"{key} was changed by a step that is not finite"
    said = capsys.readouterr().err
    assert "left out step 3, which is not finite: losses {'noise': nan}" in said
    assert "left out step 4" in said
    assert [line["step"] for line in made.lines] == [4]


def test_too_many_of_them_stop_at_the_line_and_before_a_checkpoint(job, on_device):
    on_device(True)
    made = job(trainer=Bad(nan={3}), steps=9, log_every=9, checkpoint_every=5)
    with pytest.raises(PalsykitError, match="step 3 is not finite"):
        loop.train(made)
    assert checkpoint.existing(made.folder) == []


def test_a_fused_optimiser_resumes_exactly(job, on_device, monkeypatch):
    on_device(True)
    whole = loop.train(job("whole"))
    monkeypatch.setattr(loop.Training, "result", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        loop.train(job("killed"))
    monkeypatch.undo()
    on_device(True)
    monkeypatch.setattr(groups, "_fuses", lambda parameters: True)
    assert same(loop.train(job("killed")), whole)
