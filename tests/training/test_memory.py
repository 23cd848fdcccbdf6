"""A memory that is too small: a GPU's makes parts of a batch smaller; a computer's is one message."""

import pytest
import torch
from torch import nn

from palsykit.errors import PalsykitError
from palsykit.faces.pairing import pair
from palsykit.interfaces import TrainingData
from palsykit.recipe.schema import Optimisation
from palsykit.training import loop
from palsykit.training.batches import PairedFaces
from palsykit.training.memory import bounds
from palsykit_trainers.diffusion import DiffusionTrainer


class Hungry(DiffusionTrainer):
    """Plain diffusion that needs too much memory for more than ``most`` rows."""

    def __init__(self, most, error=None):
        super().__init__(TrainingData(16, (), ()))
        self.most, self.sizes = most, []
        self.error = error or torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    def losses(self, model, batch, generator, phase):
        self.sizes.append(len(batch))
        terms = super().losses(model, batch, generator, phase)
        if len(batch) > self.most:
            raise self.error
        return terms


@pytest.fixture
def training(faces, model_of, tmp_path):
    def run(trainer, **keys):
        model, lines = model_of(drop=0.2), []
        usual = {"steps": 4, "batch_size": 6, "precision": "fp32", "log_every": 1, "lr": 1e-2, "checkpoint_every": 2}
        settings = Optimisation(**usual | keys)
        paired, folder = PairedFaces(faces, pair(faces.records, 0)), tmp_path / f"{len(list(tmp_path.iterdir()))}"
        loop.train(loop.Job("train", model, trainer, paired, settings, 0, folder, lines.append))
        return nn.utils.parameters_to_vector(model.parameters()).detach(), [line["loss"] for line in lines]

    return run


def test_a_small_gpu_takes_the_same_steps_in_parts(training, capsys):
    weights, losses = training(Hungry(6))
    assert capsys.readouterr().err.count("memory") == 0
    small = Hungry(3)
    again, parts = training(small)
    assert small.sizes == [6, 3, 3, 3, 3, 3, 3, 3, 3], "whole once, then in halves"
    assert parts == pytest.approx(losses, rel=1e-5)
    torch.testing.assert_close(again, weights, rtol=1e-4, atol=1e-5)
    said = capsys.readouterr().err
    assert said.count("the memory of the GPU is too small") == 1
    assert "step 1: " in said
    assert "in 2 parts" in said
    assert "set batch_size: 3 and accumulate: 2" in said


def test_parts_of_a_batch_may_differ_in_size(training, capsys):
    weights, losses = training(Hungry(5), batch_size=5, accumulate=2)
    small = Hungry(1)
    again, parts = training(small, batch_size=5, accumulate=2)
    assert small.sizes[:6] == [5, 2, 1, 1, 1, 2], "whole, halves, quarters, and then each row alone"
    assert set(small.sizes[6:]) == {1}
    assert "set batch_size: 1 and accumulate: 10" in capsys.readouterr().err
    assert parts == pytest.approx(losses, rel=1e-5)
    torch.testing.assert_close(again, weights, rtol=1e-4, atol=1e-5)
    assert [bounds(5, parts) for parts in (1, 2, 8)] == [[(0, 5)], [(0, 2), (2, 5)], [(i, i + 1) for i in range(5)]]


OF_A_CPU = {
    "torch": lambda: torch.empty(1 << 50),
    "python": lambda: bytearray(1 << 60),
}


@pytest.mark.parametrize("kind", OF_A_CPU)
def test_a_small_memory_is_one_message_with_the_next_step(training, kind):
    class Greedy(DiffusionTrainer):
        def losses(self, model, batch, generator, phase):
            OF_A_CPU[kind]()
            return super().losses(model, batch, generator, phase)

    with pytest.raises(PalsykitError, match="train: not enough memory for batch_size: 6") as refused:
        training(Greedy(TrainingData(16, (), ())))
    assert "set batch_size: 3 and accumulate: 2" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_gpu_too_small_for_a_single_row_is_one_message(training):
    with pytest.raises(PalsykitError, match=r"not enough memory for batch_size: 1 \(CUDA out.*one row is too large"):
        training(Hungry(0), batch_size=1)


def test_other_errors_are_not_taken_for_it(training):
    with pytest.raises(PalsykitError, match="failed in step 1: RuntimeError: mat1 and mat2"):
        training(Hungry(1, RuntimeError("mat1 and mat2 shapes cannot be multiplied")))
