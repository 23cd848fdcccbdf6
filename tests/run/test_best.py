"""The best weights beside the last ones."""

import math
from pathlib import Path

import pytest
import torch
from torch import nn

from palsykit.errors import PalsykitError
from palsykit.run import best
from palsykit.training import checkpoint


def weights(value: float) -> dict[str, torch.Tensor]:
    return {"weight": torch.full((1, 1), value), "bias": torch.zeros(1)}


def offer(folder: Path, step: int, value: float) -> bool:
    return best.offer(folder, step, "picture_error", value, weights(step))


def names(folder: Path) -> list[int]:
    return [int(path.name[5:]) for path in checkpoint.existing(folder)]


def test_only_better_and_finite_weights_are_kept(tmp_path):
    assert offer(tmp_path, 1, 3.0)
    assert not offer(tmp_path, 2, 3.0)
    assert not offer(tmp_path, 3, math.nan)
    assert not best.offer(tmp_path, 4, "picture_error", 1.0, weights(math.inf))
    assert offer(tmp_path, 5, 2.0)
    module = nn.Linear(1, 1)
    assert best.load_best(module, tmp_path) == {"step": 5, "figure": "picture_error", "value": 2.0}
    assert float(module.weight.detach()) == 5


def test_those_stay_to_which_a_resumed_run_goes_back(tmp_path):
    for step, value in ((1, 5.0), (2, 4.0), (3, 3.0), (4, 2.0)):
        offer(tmp_path, step, value)
    best.remove_worse(tmp_path, [2])
    assert names(tmp_path) == [2, 4]
    best.rewind(tmp_path, 2, "picture_error")
    assert names(tmp_path) == [2]
    assert offer(tmp_path, 3, 3.0), "made again"
    best.rewind(tmp_path, 3, "validation_loss")
    assert names(tmp_path) == [], "another figure cannot be compared"


def test_a_training_that_begins_anew_has_no_best_weights(tmp_path):
    offer(tmp_path, 0, 1.0)
    best.rewind(tmp_path, 0, "picture_error")
    assert best.best(tmp_path) is None
    with pytest.raises(PalsykitError, match=r"found no best weights.*generate\.checkpoint to last"):
        best.load_best(nn.Linear(1, 1), tmp_path)


def test_damaged_weights_are_said_and_not_used(tmp_path, capsys):
    offer(tmp_path, 1, 3.0)
    offer(tmp_path, 2, 1.0)
    (tmp_path / "step-000002/state.json").write_text("{")
    assert best.best(tmp_path) == tmp_path / "step-000001"
    best.rewind(tmp_path, 9, "picture_error")
    assert names(tmp_path) == [1]
    assert "step-000002: damaged (state.json was changed)" in capsys.readouterr().err
