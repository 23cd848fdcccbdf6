"""A student that learns in one step what its frozen teacher does in several."""

import copy

import pytest
import torch
from diffusers import DDIMScheduler
from torch import nn

from palsykit.errors import PalsykitError
from palsykit.faces.pairing import pair
from palsykit.faces.views import batch
from palsykit.files import weights
from palsykit.interfaces import TrainingData
from palsykit.recipe.schema import Optimisation
from palsykit.run.model_folder import save_model
from palsykit.seeds import by_row, generator
from palsykit.training import checkpoint, loop
from palsykit.training.batches import PairedFaces
from palsykit_distillation.times import CLEAN, grid
from palsykit_distillation.trainer import DistillationTrainer


@pytest.fixture
def rows(faces):
    return batch(faces, pair(faces.records, 0)[:6])


@pytest.fixture
def trainer(faces):
    return lambda **keys: DistillationTrainer(TrainingData(faces.image_size, faces.records, ()), **keys)


@pytest.fixture
def job(faces, model_of, trainer, tmp_path):
    def make(folder, **settings):
        keys = {"steps": 6, "batch_size": 4, "lr": 1e-2, "ema": 0.9, "checkpoint_every": 2, "precision": "fp32"}
        people = PairedFaces(faces, pair(faces.records, 0))
        optimisation = Optimisation(**keys | settings)
        model, made = model_of(drop=0.2, prediction="v_prediction"), trainer(window=12, whole=0.5)
        return loop.Job("train", model, made, people, optimisation, 0, tmp_path / folder, lambda line: None)

    return make


@pytest.mark.parametrize("steps", [1, 2, 4, 5])
def test_the_students_times_are_those_of_its_sampler(steps):
    scheduler = DDIMScheduler(timestep_spacing="trailing")
    scheduler.set_timesteps(steps)
    found = grid(1000, steps, 2)
    assert found[:, 0].tolist() == scheduler.timesteps.tolist()
    assert found[1:, 0].tolist() == found[:-1, -1].tolist(), "a step ends where the next one begins"
    assert found[-1, -1] == CLEAN
    assert (found.diff(dim=1) < 0).all()


@pytest.mark.parametrize(("steps", "substeps", "words"), [(3, 2, "does not divide"), (500, 4, "more than")])
def test_times_that_do_not_fit_are_refused(steps, substeps, words):
    with pytest.raises(ValueError, match=words):
        grid(1000, steps, substeps)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "sample"])
def test_one_step_of_the_student_arrives_where_the_teacher_arrives(model_of, rows, trainer, kind):
    model = model_of(prediction=kind)
    made = trainer(steps=2, substeps=5)
    made.groups(model)
    conditioning = model.fuse(model.encode(rows))
    teacher, student = (DDIMScheduler(prediction_type=kind, timestep_spacing="trailing") for _ in range(2))
    teacher.set_timesteps(10)
    student.set_timesteps(2)
    student.register_to_config(clip_sample=False)  # what the student learns may lie a little outside
    for step in (0, 1):
        x_t = torch.randn(rows.target.image.shape, generator=generator("x", step))
        x = x_t
        for t in teacher.timesteps[5 * step : 5 * step + 5]:
            prediction = model.predict(x, t.expand(len(x)), conditioning).detach()
            # the noise belongs to the clipped x_0, as in DPM-Solver++
            x = teacher.step(prediction, int(t), x, eta=0.0, use_clipped_model_output=True).prev_sample
        walk = made.times[torch.full((len(x),), step)]
        aim, noise = made._aim(x_t, walk, conditioning)
        learnt = model.objective(aim, noise, walk[:, 0])
        arrived = student.step(learnt, int(walk[0, 0]), x_t, eta=0.0).prev_sample
        torch.testing.assert_close(arrived, x, atol=2e-5, rtol=1e-4)
        torch.testing.assert_close(model.add_noise(aim, noise, walk[:, 0]), x_t, atol=1e-5, rtol=1e-4)


def test_the_loss_falls_and_the_teacher_stays(model_of, rows, trainer):
    model, made = model_of(drop=0.2, prediction="v_prediction"), trainer()
    (group,) = made.groups(model).values()
    before = copy.deepcopy(made.teacher.state_dict())
    optimiser, losses = torch.optim.AdamW(group, lr=1e-2), []
    for step in range(90):
        optimiser.zero_grad()
        loss = made.losses(model, rows, generator("step", step % 6), "model")["distillation"]
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert sum(losses[-6:]) < 0.8 * sum(losses[:6])
    assert all(torch.equal(before[key], value) for key, value in made.teacher.state_dict().items())
    assert not any(p.requires_grad or p.grad is not None for p in made.teacher.parameters())
    assert any(not torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_the_first_student_is_its_teacher(model_of, rows, trainer):
    """With the weights of its teacher the student is wrong only where one large step differs from two small ones."""
    model, made = model_of(prediction="v_prediction"), trainer()
    made.groups(model)
    conditioning = model.fuse(model.encode(rows))
    x_t = torch.randn(rows.target.image.shape, generator=generator("x"))
    walk = torch.tensor([[999, 749]]).expand(len(x_t), 2)  # a single step of the teacher
    aim, _ = made._aim(x_t, walk, conditioning)
    own = model.predict_x0(model.predict(x_t, walk[:, 0], conditioning), x_t, walk[:, 0])
    torch.testing.assert_close(aim, own, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("window", [None, 8])
def test_the_loss_of_a_batch_is_the_mean_of_its_parts(model_of, rows, trainer, window):
    model, made = model_of(drop=0.4, prediction="v_prediction"), trainer(window=window, whole=0.3)
    made.groups(model)
    for step in range(3):
        whole, left, right = (
            made.losses(model, rows.rows(*part), by_row(0, step, range(*part)), "model")["distillation"]
            for part in ((0, 6), (0, 2), (2, 6))
        )
        torch.testing.assert_close((2 * left + 4 * right) / 6, whole)


def test_no_checkpoint_and_no_average_contains_the_teacher(job, model_of):
    made = job("short", steps=3)
    average = loop.train(made)
    own = set(model_of(drop=0.2).state_dict())
    assert set(average.state_dict()) == own
    last = checkpoint.newest(made.folder)
    assert set(checkpoint.load(last, "model")) == set(checkpoint.load(last, "ema")) == own
    assert checkpoint.load(last, "trainer") == {}


def test_a_training_that_was_killed_ends_with_the_same_weights(job, monkeypatch):
    whole, take = loop.train(job("whole")), loop.Training.step

    def dies(self, number, batches):
        if number == 5:
            raise KeyboardInterrupt
        return take(self, number, batches)

    monkeypatch.setattr(loop.Training, "step", dies)
    with pytest.raises(KeyboardInterrupt):
        loop.train(job("killed"))
    monkeypatch.undo()
    result = loop.train(job("killed"))
    assert all(torch.equal(value, result.state_dict()[key]) for key, value in whole.state_dict().items())


@pytest.mark.parametrize("kind", ["run", "file"])
def test_student_and_teacher_start_from_the_weights_that_are_named(model_of, trainer, tmp_path, kind):
    trained = model_of()
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.add_(1)
    save_model(trained, tmp_path / "run" / "model")
    weights.save(trained.state_dict(), tmp_path / "weights.safetensors")
    model, made = model_of(), trainer(teacher=tmp_path / ("run" if kind == "run" else "weights.safetensors"))
    made.groups(model)
    for module in (model, made.teacher):
        assert all(torch.equal(value, trained.state_dict()[key]) for key, value in module.state_dict().items())


def test_the_weights_of_another_model_are_refused(model_of, trainer, tmp_path):
    weights.save({"other": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(PalsykitError, match=r"other\.safetensors"):
        trainer(teacher=tmp_path / "other.safetensors").groups(model_of())


def test_what_does_not_fit_is_refused_before_the_first_step(faces, model_of, trainer):
    with pytest.raises(ValueError, match=f"found 64 px, expected at most the pictures' side, {faces.image_size} px"):
        trainer(window=64)
    with pytest.raises(ValueError, match="steps 3 does not divide the training's 1000 time steps"):
        trainer(steps=3).groups(model_of())
    with pytest.raises(PalsykitError, match="needs a diffusion model"):
        trainer().groups(nn.Linear(1, 1))
