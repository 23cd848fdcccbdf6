import json
from itertools import chain

import pytest
import torch
from torch import nn

from palsykit.errors import PalsykitError
from palsykit.faces.pairing import pair
from palsykit.interfaces import TrainingData
from palsykit.recipe.schema import Optimisation
from palsykit.training import checkpoint, loop
from palsykit.training.batches import PairedFaces, StepSampler
from palsykit.training.groups import checked_groups, optimisers, rate
from palsykit_trainers.diffusion import DiffusionTrainer


@pytest.fixture
def job(faces, model_of, tmp_path):
    def make(folder="checkpoints", trainer=None, model=None, **settings):
        keys = {
            "steps": 6,
            "batch_size": 4,
            "lr": 1e-2,
            "ema": 0.9,
            "checkpoint_every": 2,
            "precision": "fp32",
        } | settings
        lines = []
        made = loop.Job(
            "train",
            model or model_of(drop=0.2),
            trainer or DiffusionTrainer(TrainingData(faces.image_size, faces.records, ())),
            PairedFaces(faces, pair(faces.records, 0)),
            Optimisation(**keys),
            0,
            tmp_path / folder,
            lines.append,
        )
        made.lines = lines
        return made

    return make


def test_the_same_seed_gives_the_same_weights(job):
    one, other = loop.train(job("a")), loop.train(job("b"))
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def test_a_run_killed_after_a_checkpoint_ends_with_the_same_weights(job, monkeypatch):
    whole = loop.train(job("whole"))
    step = loop._State.step

    def dies(self, number, batches):
        if number == 5:
            raise KeyboardInterrupt
        return step(self, number, batches)

    monkeypatch.setattr(loop._State, "step", dies)
    with pytest.raises(KeyboardInterrupt):
        loop.train(job("killed"))
    monkeypatch.undo()
    resumed = job("killed")
    result = loop.train(resumed)
    assert [line["step"] for line in resumed.lines] == [6]
    for key, value in whole.state_dict().items():
        assert torch.equal(value, result.state_dict()[key]), key


def test_a_checkpoint_is_safetensors_and_json_and_older_ones_go(job):
    made = job()
    loop.train(job(steps=8))
    found = checkpoint.existing(made.folder)
    assert [path.name for path in found] == ["step-000004", "step-000006"]
    assert {path.suffix for path in found[-1].iterdir()} == {".safetensors", ".json"}
    assert json.loads((found[-1] / "state.json").read_text())["step"] == 6


def test_a_half_written_checkpoint_is_not_resumed_from(job):
    made = job()
    (made.folder / ".partial-000004").mkdir(parents=True)
    (made.folder / ".partial-000004" / "model.safetensors").write_bytes(b"half")
    loop.train(made)
    assert made.lines[-1]["step"] == 6


def test_a_damaged_checkpoint_is_a_clear_error(job):
    made = job(steps=3)
    loop.train(made)
    (checkpoint.existing(made.folder)[-1] / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(PalsykitError, match="not a readable safetensors file"):
        loop.train(job(steps=3))


def test_the_average_follows_parameters_and_buffers(job, model_of):
    class WithBuffer(DiffusionTrainer):
        def losses(self, model, batch, generator, phase):
            model.seen += 1
            return super().losses(model, batch, generator, phase)

    model = model_of()
    model.register_buffer("seen", torch.zeros(()))
    trainer = WithBuffer(None)
    average = loop.train(job(trainer=trainer, model=model, steps=3, checkpoint_every=100))
    # update 0 copies; then d = min(0.9, (1 + n) / (10 + n)) with n = 1, 2
    expected = 1.0
    for n, value in ((1, 2.0), (2, 3.0)):
        d = (1 + n) / (10 + n)
        expected = d * expected + (1 - d) * value
    assert float(average.seen) == pytest.approx(expected)
    weight = average.denoiser.inner.weight
    assert not torch.equal(weight, model.denoiser.inner.weight)
    assert not weight.requires_grad


def test_accumulation_equals_a_larger_batch_for_a_loss_without_draws(faces, job):
    class Regression(nn.Module):
        def groups(self, model):
            return {"model": list(model.parameters())}

        def losses(self, model, batch, generator, phase):
            return {"square": model(batch.target.image.mean((2, 3))).square().mean()}

    results = []
    for folder, keys in (("large", {"batch_size": 6}), ("small", {"batch_size": 3, "accumulate": 2})):
        torch.manual_seed(0)
        model = nn.Linear(3, 2)
        loop.train(job(folder, Regression(), model, clip=None, **keys))
        results.append(model.weight.detach())
    torch.testing.assert_close(*results)


def test_a_loss_that_is_not_finite_stops_with_the_next_step(job):
    class Diverges(DiffusionTrainer):
        def losses(self, model, batch, generator, phase):
            return {"noise": super().losses(model, batch, generator, phase)["noise"] * float("nan")}

    with pytest.raises(PalsykitError, match=r"not finite at step 1: \{'noise': nan\}.*lower lr"):
        loop.train(job(trainer=Diverges(None)))


def test_a_parameter_in_no_group_or_in_two_is_refused(model_of):
    model = model_of()

    class Forgets(DiffusionTrainer):
        def groups(self, model):
            return {"model": list(model.denoiser.parameters())}

    class Repeats(DiffusionTrainer):
        def groups(self, model):
            return {"a": list(model.parameters()), "b": [model.fusion.mix.bias]}

    with pytest.raises(PalsykitError, match=r"in no optimiser group: .*fusion\.mix"):
        checked_groups(model, Forgets(None))
    with pytest.raises(PalsykitError, match=r"model\.fusion\.mix\.bias is in group 'a' and in group 'b'"):
        checked_groups(model, Repeats(None))


def test_a_trainer_with_two_groups_gets_a_phase_each_and_trains_its_own_module(job, model_of):
    class Duel(nn.Module):
        def __init__(self):
            super().__init__()
            self.critic, self.phases = nn.Linear(3, 1), []

        def groups(self, model):
            return {"maker": list(model.parameters()), "critic": list(self.critic.parameters())}

        def losses(self, model, batch, generator, phase):
            self.phases.append(phase)
            score = self.critic(model.denoiser.outer(model.denoiser.inner(batch.target.image)).mean((2, 3))).mean()
            return {phase: score if phase == "maker" else -score + self.critic.weight.square().sum()}

    trainer, model = Duel(), model_of()
    for p in model.parameters():
        p.requires_grad_(False)
    model.denoiser.inner.requires_grad_(True)
    model.denoiser.outer.requires_grad_(True)
    trainer.groups = lambda m: {
        "maker": [p for p in m.parameters() if p.requires_grad],
        "critic": list(trainer.critic.parameters()),
    }
    before = [trainer.critic.weight.clone(), model.denoiser.inner.weight.clone()]
    made = job(trainer=trainer, model=model, steps=3)
    loop.train(made)
    assert trainer.phases == ["maker", "critic"] * 3
    assert not torch.equal(before[0], trainer.critic.weight)
    assert not torch.equal(before[1], model.denoiser.inner.weight)
    saved = checkpoint.load(checkpoint.existing(made.folder)[-1], "trainer")
    assert set(saved) == {"critic.weight", "critic.bias"}


def test_the_loss_falls(job):
    made = job(steps=60, batch_size=8, log_every=10, checkpoint_every=1000)
    loop.train(made)
    losses = [line["loss"] for line in made.lines]
    assert losses[-1] < 0.8 * losses[0]


def test_rows_come_once_a_shuffle_and_a_later_start_sees_the_same():
    sampler = iter(StepSampler(10, 4, seed=1))
    batches = [next(sampler) for _ in range(5)]
    rows = [draw.row for draw in chain(*batches)]
    assert sorted(rows[:10]) == sorted(rows[10:]) == list(range(10))
    assert next(iter(StepSampler(10, 4, seed=1, first=3))) == batches[3]
    second_of_two = iter(StepSampler(10, 4, seed=1, first=1, stride=2))
    assert [next(second_of_two), next(second_of_two)] == [batches[1], batches[3]]


def test_the_rate_warms_up_and_decays():
    settings = Optimisation(steps=100, lr=1.0, warmup=10, decay="cosine")
    assert rate(0, settings) == pytest.approx(0.1, rel=1e-2)
    assert rate(50, settings) == pytest.approx(0.5)
    assert rate(100, settings) == pytest.approx(0.0, abs=1e-9)
    assert rate(70, Optimisation(steps=100, lr=1.0)) == 1.0


def test_vectors_are_not_decayed(model_of):
    groups = {"model": dict(model_of().named_parameters())}
    made = optimisers(groups, Optimisation(weight_decay=0.1))["model"]
    assert {
        len(group["params"]) > 0 and group["params"][0].ndim > 1: group["weight_decay"] for group in made.param_groups
    } == {
        True: 0.1,
        False: 0.0,
    }
