"""What a training draws for a row belongs to the row: whatever part of a step it is in, it gets the same numbers."""

import pytest
import torch
from torch import nn

from palsykit.faces.pairing import pair
from palsykit.interfaces import TrainingData
from palsykit.recipe.schema import Optimisation
from palsykit.seeds import by_row, generator, integers, normal, normal_there, of_step, spawn, uniform
from palsykit.testing.stand_ins import face_batch
from palsykit.training import loop
from palsykit.training.batches import PairedFaces
from palsykit_cycle_trainer.trainer import CycleTrainer
from palsykit_trainers.augmentation import augmented
from palsykit_trainers.diffusion import DiffusionTrainer


def rows(first=0, stop=8):
    return by_row(0, 3, range(first, stop))


DRAWS = {
    "normal": lambda count, draws: normal((count, 3, 5), draws),
    "uniform": lambda count, draws: uniform((count,), draws),
    "integers": lambda count, draws: integers(0, 1000, (count, 2), draws),
    "normal, drawn by a device": lambda count, draws: normal_there((count, 3, 5), draws, torch.device("cpu")),
    "spawned": lambda count, draws: normal((count, 2), spawn(draws, "another")),
}


@pytest.mark.parametrize("kind", DRAWS)
def test_a_row_gets_its_numbers_in_any_batch(kind):
    draw = DRAWS[kind]
    whole = draw(8, rows())
    assert torch.equal(torch.cat([draw(3, rows(0, 3)), draw(5, rows(3, 8))]), whole)
    assert len({tuple(row.flatten().tolist()) for row in whole}) == 8, "each row its own"
    assert not torch.equal(draw(8, by_row(1, 3, range(8))), whole)


def test_numbers_are_spread_as_they_should_be():
    many = by_row(0, 0, range(4000))
    assert normal((4000, 2), many).std() == pytest.approx(1, abs=0.05)
    assert normal((4000, 2), many).mean() == pytest.approx(0, abs=0.05)
    first, second = (normal_there((4000, 2), many, torch.device("cpu")) for _ in range(2))
    assert first.std() == pytest.approx(1, abs=0.05)
    assert (first * second).mean() == pytest.approx(0, abs=0.05), "a second draw is another one"
    assert uniform((4000, 2), many).mean() == pytest.approx(0.5, abs=0.02)
    assert set(integers(-1, 2, (4000,), many).tolist()) == {-1, 0, 1}


def test_with_an_ordinary_generator_the_batch_is_drawn_at_once():
    assert torch.equal(normal((2, 3), generator("a")), torch.randn(2, 3, generator=generator("a")))
    assert torch.equal(uniform((2, 3), generator("a")), torch.rand(2, 3, generator=generator("a")))
    assert torch.equal(integers(0, 9, (2,), generator("a")), torch.randint(0, 9, (2,), generator=generator("a")))


def test_what_a_step_shares_is_the_same_in_all_its_parts_and_another_in_the_next():
    numbers = [torch.rand(3, generator=of_step(draws)) for draws in (rows(0, 3), rows(3, 8), by_row(0, 4, range(8)))]
    assert torch.equal(numbers[0], numbers[1])
    assert not torch.equal(numbers[0], numbers[2])
    assert not torch.equal(torch.rand(3, generator=rows(0, 3)), torch.rand(3, generator=rows(3, 8))), "its own stream"


@pytest.mark.parametrize("kind", [True, "camera"])
def test_a_picture_is_changed_alike_in_any_batch(kind):
    view = face_batch(8, 32).driver
    whole = augmented(view, rows(), kind)
    parts = [augmented(view.rows(*part), rows(*part), kind) for part in ((0, 3), (3, 8))]
    torch.testing.assert_close(torch.cat([part.image for part in parts]), whole.image)
    torch.testing.assert_close(torch.cat([part.landmarks for part in parts]), whole.landmarks)


@pytest.mark.parametrize("trainer", ["diffusion", "window", "cycle"])
def test_the_loss_of_a_batch_is_the_mean_of_its_parts(trainer, model_of, networks):
    data = TrainingData(16, (), ())
    made = {
        "diffusion": lambda: DiffusionTrainer(data),
        "window": lambda: DiffusionTrainer(data, window=8, whole=0.5),
        "cycle": lambda: CycleTrainer(data, **networks),
    }[trainer]()
    model, batch = model_of(drop=0.4, **networks), face_batch(8, 16)
    for step in range(3):
        whole, left, right = (
            made.losses(model, batch.rows(*part), by_row(0, step, range(*part)), "model")
            for part in ((0, 8), (0, 4), (4, 8))
        )
        assert set(whole) == set(left)
        for name, value in whole.items():
            torch.testing.assert_close((left[name] + right[name]) / 2, value, rtol=1e-5, atol=1e-6)


def trained(faces, model, folder, **keys):
    """The weights after some steps, and the lines of the log."""
    lines = []
    settings = Optimisation(**{"steps": 5, "precision": "fp32", "log_every": 1, "lr": 1e-2, "flip": 0.5, **keys})
    paired = PairedFaces(faces, pair(faces.records, 0))
    trainer = DiffusionTrainer(TrainingData(faces.image_size, faces.records, ()))
    loop.train(loop.Job("train", model, trainer, paired, settings, 0, folder, lines.append))
    return nn.utils.parameters_to_vector(model.parameters()).detach(), [line["loss"] for line in lines]


def test_accumulation_equals_a_larger_batch(faces, model_of, tmp_path):
    weights, losses = trained(faces, model_of(drop=0.2), tmp_path / "a", batch_size=8)
    again, parts = trained(faces, model_of(drop=0.2), tmp_path / "b", batch_size=4, accumulate=2)
    assert parts == pytest.approx(losses, rel=1e-5)
    torch.testing.assert_close(again, weights, rtol=1e-4, atol=1e-5)
    assert losses != pytest.approx(trained(faces, model_of(), tmp_path / "c", batch_size=8)[1], rel=1e-5), (
        "conditions are dropped"
    )
