import json
import os
import signal
from itertools import chain

import pytest
import torch
from torch import nn

from palsykit.errors import PalsykitError
from palsykit.interfaces import TrainingData
from palsykit.recipe.schema import Optimisation
from palsykit.stopping import Stopped, stoppable
from palsykit.training import checkpoint, loop
from palsykit.training.batches import StepSampler
from palsykit.training.groups import checked_groups, optimisers, rate
from palsykit_trainers.diffusion import DiffusionTrainer


def die_in(monkeypatch, step):
    """Stop every training in this step, as from the keyboard."""
    take = loop.Training.step

    def dies(self, number, batches):
        if number == step:
            raise KeyboardInterrupt
        return take(self, number, batches)

    monkeypatch.setattr(loop.Training, "step", dies)


def test_the_same_seed_gives_the_same_weights(job):
    one, other = loop.train(job("a")), loop.train(job("b"))
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def test_a_run_killed_after_a_checkpoint_ends_with_the_same_weights(job, monkeypatch):
    whole = loop.train(job("whole"))
    die_in(monkeypatch, 5)
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
    assert checkpoint.damage(found[-1]) is None
    assert json.loads((found[-1] / "state.json").read_text())["step"] == 6


def test_a_half_written_checkpoint_is_not_resumed_from(job):
    made = job()
    (made.folder / ".partial-000004").mkdir(parents=True)
    (made.folder / ".partial-000004" / "model.safetensors").write_bytes(b"half")
    loop.train(made)
    assert made.lines[-1]["step"] == 6


def test_a_kill_while_an_old_checkpoint_is_removed_leaves_no_damaged_one(job, monkeypatch):
    def dies(path, **_):
        if path.name.endswith("step-000001") and path.exists():
            (path / "state.json").unlink()
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint.shutil, "rmtree", dies)
    with pytest.raises(KeyboardInterrupt):
        loop.train(job(steps=4, checkpoint_every=1))
    assert [path.name for path in checkpoint.existing(job().folder)] == ["step-000002", "step-000003"]
    assert all(checkpoint.damage(path) is None for path in checkpoint.existing(job().folder))


def test_a_checkpoint_that_should_have_been_removed_is_removed_at_the_next_start(job, monkeypatch):
    keys = {"steps": 4, "checkpoint_every": 1}
    die_in(monkeypatch, 3)
    monkeypatch.setattr(checkpoint, "remove_old", lambda folder: None)
    with pytest.raises(KeyboardInterrupt):
        loop.train(job(**keys))
    monkeypatch.undo()
    assert [path.name for path in checkpoint.existing(job().folder)] == ["step-000001", "step-000002", "step-000003"]
    loop.train(job(**keys))
    assert [path.name for path in checkpoint.existing(job().folder)] == ["step-000002", "step-000003"]


def flip_a_bit(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))


def another_step(path):
    state = json.loads((path / "state.json").read_text())
    (path / "state.json").write_text(json.dumps({**state, "step": 5}))


DAMAGES = {
    "model": lambda path: flip_a_bit(path / "model.safetensors"),
    "average": lambda path: flip_a_bit(path / "ema.safetensors"),
    "optimiser": lambda path: flip_a_bit(path / "optimiser.safetensors"),
    "cut": lambda path: (path / "model.safetensors").write_bytes((path / "model.safetensors").read_bytes()[:100]),
    "header": lambda path: (path / "ema.safetensors").write_bytes(b"\xff" * 8),
    "deleted": lambda path: (path / "ema.safetensors").unlink(),
    "empty": lambda path: [file.unlink() for file in path.iterdir()],
    "step": another_step,
    "state": lambda path: (path / "state.json").write_text("{"),
    "manifest": lambda path: (path / "manifest.json").write_text("[]"),
    "renamed": lambda path: path.rename(path.with_name("step-000009")),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_checkpoint_is_put_aside_and_the_one_before_it_used(job, kind, capsys):
    whole = loop.train(job("whole"))
    loop.train(job("damaged"))
    found = checkpoint.existing(job("damaged").folder)
    assert [path.name for path in found] == ["step-000002", "step-000004"]
    DAMAGES[kind](found[-1])
    made = job("damaged")
    result = loop.train(made)
    said = capsys.readouterr().err
    assert "damaged (" in said
    assert "resuming from step-000002" in said
    assert len([path for path in made.folder.iterdir() if path.name.startswith("damaged-step-")]) == 1, "kept"
    for key, value in whole.state_dict().items():
        assert torch.equal(value, result.state_dict()[key]), key


def test_without_a_good_checkpoint_it_stops_and_changes_nothing(job):
    made = job()
    loop.train(made)
    for path in checkpoint.existing(made.folder):
        flip_a_bit(path / "model.safetensors")
    before = sorted(path.name for path in made.folder.rglob("*"))
    for _ in range(2):
        with pytest.raises(PalsykitError, match="no checkpoint that is as it was written") as refused:
            loop.train(job())
        assert refused.value.problems == (
            "step-000004: model.safetensors was changed",
            "step-000002: model.safetensors was changed",
        )
    assert sorted(path.name for path in made.folder.rglob("*")) == before


@pytest.mark.parametrize("number", range(4))
def test_a_full_disk_leaves_the_checkpoints_before_it(job, monkeypatch, number):
    made = job(steps=4, checkpoint_every=1)
    write, calls = checkpoint.write_tensors, []

    def fills_up(values, path):
        calls.append(path)
        if len(calls) > 3 + number:  # three files a checkpoint: the second checkpoint, from its first file on
            raise OSError(28, "No space left on device", str(path))
        write(values, path)

    monkeypatch.setattr(checkpoint, "write_tensors", fills_up)
    with pytest.raises(OSError, match="No space left"):
        loop.train(made)
    found = checkpoint.existing(made.folder)
    assert [path.name for path in found] == ["step-000001", "step-000002"][: 1 + number // 3]
    assert all(checkpoint.damage(path) is None for path in found)
    assert sorted(made.folder.iterdir()) == found, "no half file stays"


class Drops(nn.Module):
    """A trainer of a network with dropout, which draws from torch's global generator."""

    def groups(self, model):
        return {"model": list(model.parameters())}

    def losses(self, model, batch, generator, phase):
        return {"square": model(batch.target.image.mean((2, 3))).square().mean()}


def test_dropout_draws_the_same_after_a_resume(job, monkeypatch):
    def network():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(3, 32), nn.Dropout(0.5), nn.Linear(32, 2))

    whole = loop.train(job("whole", Drops(), network()))
    loop.train(job("begun", Drops(), network(), steps=4, checkpoint_every=3))
    made = job("begun", Drops(), network())
    torch.manual_seed(99)
    before = torch.random.get_rng_state()
    result = loop.train(made)
    assert all(
        torch.equal(a, b) for a, b in zip(whole.state_dict().values(), result.state_dict().values(), strict=True)
    )
    assert torch.equal(torch.random.get_rng_state(), before), "the caller's generator is as it was"


def test_the_means_of_the_log_are_those_of_a_run_that_was_not_stopped(job, monkeypatch):
    keys = {"steps": 9, "log_every": 5, "checkpoint_every": 3}
    whole = job("whole", **keys)
    loop.train(whole)
    die_in(monkeypatch, 7)
    with pytest.raises(KeyboardInterrupt):
        loop.train(job("killed", **keys))
    monkeypatch.undo()
    resumed, rewound = job("killed", **keys), []
    resumed.rewind = rewound.append
    loop.train(resumed)
    assert rewound == [6]
    assert resumed.lines == whole.lines[1:], "the line of step 9, over steps 6 to 9"


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_lets_the_step_finish_and_saves(job, monkeypatch, name):
    whole, step = loop.train(job("whole")), loop.Training.step
    number = getattr(signal, name)

    def interrupted(self, at, batches):
        if at == 2:
            os.kill(os.getpid(), number)
        return step(self, at, batches)

    monkeypatch.setattr(loop.Training, "step", interrupted)
    before = signal.getsignal(number)
    with pytest.raises(Stopped) as stopped, stoppable():
        loop.train(job("stopped", checkpoint_every=100))
    monkeypatch.undo()
    assert stopped.value.number == number
    assert signal.getsignal(number) is before
    assert [path.name for path in checkpoint.existing(job("stopped").folder)] == ["step-000003"]
    result = loop.train(job("stopped", checkpoint_every=100))
    assert all(
        torch.equal(a, b) for a, b in zip(whole.state_dict().values(), result.state_dict().values(), strict=True)
    )


def test_a_second_signal_stops_at_once(job, monkeypatch):
    def twice(self, at, batches):
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError("it has gone on")

    monkeypatch.setattr(loop.Training, "step", twice)
    with pytest.raises(Stopped), stoppable():
        loop.train(job())
    assert not job().folder.exists()


def test_the_average_follows_parameters_and_buffers(job, model_of):
    class WithBuffer(DiffusionTrainer):
        def losses(self, model, batch, generator, phase):
            model.seen += 1
            return super().losses(model, batch, generator, phase)

    model = model_of()
    model.register_buffer("seen", torch.zeros(()))
    trainer = WithBuffer(TrainingData(16, (), ()))
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


class Bad(DiffusionTrainer):
    """Plain diffusion whose loss, or whose gradient alone, is not finite in some steps."""

    def __init__(self, steps, gradient=False):
        super().__init__(TrainingData(16, (), ()))
        self.steps, self.gradient, self.done = steps, gradient, 0

    def losses(self, model, batch, generator, phase):
        loss = super().losses(model, batch, generator, phase)["noise"]
        self.done += 1
        if self.done in self.steps:
            weight = next(model.denoiser.parameters())
            loss = loss + (torch.sqrt(weight.flatten()[0] * 0) if self.gradient else loss * torch.nan)
        return {"noise": loss}


@pytest.mark.parametrize("gradient", [False, True])
@pytest.mark.parametrize("clip", [1.0, None])
def test_a_step_that_is_not_finite_is_not_taken(job, gradient, clip):
    made = job(trainer=Bad({4}, gradient), clip=clip)
    good = job("good", trainer=Bad(set()), steps=3, clip=clip, checkpoint_every=100)
    loop.train(good)
    with pytest.raises(PalsykitError, match=r"step 4 is not finite: losses \{'noise': .*lower lr") as refused:
        loop.train(made)
    message = str(refused.value)
    assert "the gradient is not finite in model." in message
    assert "photographs: s" in message
    assert [path.name for path in checkpoint.existing(made.folder)] == ["step-000002"]
    for key, value in good.model.state_dict().items():
        assert torch.equal(value, made.model.state_dict()[key]), f"{key} was changed by the fourth step"


def test_some_steps_may_be_left_out_and_are_counted_over_a_resume(job, capsys):
    made = job(trainer=Bad({2, 4}), skip_not_finite=2, log_every=1)
    loop.train(made)
    assert [line["step"] for line in made.lines] == [1, 3, 5, 6], "a step that was left out has no loss"
    assert capsys.readouterr().err.count("left out step") == 2
    with pytest.raises(PalsykitError, match="step 4 is not finite"):
        loop.train(job("one", trainer=Bad({2, 4}), skip_not_finite=1))
    resumed = Bad({4 - 2})  # the second step after the checkpoint of step 2
    with pytest.raises(PalsykitError, match="step 4 is not finite"):
        loop.train(job("one", trainer=resumed, skip_not_finite=1))


def test_weights_that_are_not_finite_are_never_written(job):
    class Poisons(DiffusionTrainer):
        def losses(self, model, batch, generator, phase):
            with torch.no_grad():
                next(model.fusion.parameters()).fill_(torch.inf)
            return {"square": model.denoiser.inner.weight.square().mean()}

    for keys in ({"steps": 3, "checkpoint_every": 1}, {"steps": 1}):
        made = job(f"{len(keys)}", trainer=Poisons(TrainingData(16, (), ())), **keys)
        with pytest.raises(PalsykitError, match=r"weights are not finite in fusion\.mix\.weight"):
            loop.train(made)
        assert checkpoint.existing(made.folder) == []


def test_an_exception_of_a_plugin_is_one_message_with_its_name(job):
    class Breaks(DiffusionTrainer):
        def losses(self, model, batch, generator, phase):
            self.data = None
            return super().losses(model, None, generator, phase)

    made = job(trainer=Breaks(TrainingData(16, (), ())))
    with pytest.raises(PalsykitError) as refused:
        loop.train(made)
    assert "train: plugin trainers (palsykit " in str(refused.value)
    assert ") failed in step 1: AttributeError: 'NoneType' object has no attribute 'target'" in str(refused.value)
    (line,) = made.lines
    assert (line["job"], line["step"]) == ("train", 1)
    assert line["error"][-1].startswith("AttributeError")


def test_a_parameter_in_no_group_or_in_two_is_refused(model_of):
    model = model_of()

    class Forgets(DiffusionTrainer):
        def groups(self, model):
            return {"model": list(model.denoiser.parameters())}

    class Repeats(DiffusionTrainer):
        def groups(self, model):
            return {"a": list(model.parameters()), "b": [model.fusion.mix.bias]}

    with pytest.raises(PalsykitError, match=r"in no optimiser group: .*fusion\.mix"):
        checked_groups(model, Forgets(TrainingData(16, (), ())))
    with pytest.raises(PalsykitError, match=r"model\.fusion\.mix\.bias is in group 'a' and in group 'b'"):
        checked_groups(model, Repeats(TrainingData(16, (), ())))


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
