"""A trained recipe's parts are those that a new process would open from its folder."""

from collections.abc import Callable
from pathlib import Path

import torch

from palsykit.faces.views import batch
from palsykit.recipe import Recipe
from palsykit.run.generate import row_seed
from palsykit.run.parts import Parts
from palsykit.run.runner import reopened, train_recipe
from palsykit.run.train import trained_model


def pictures(run, parts: Parts) -> torch.Tensor:
    pairs = parts.chosen_pairs
    faces = batch(parts.data().dataset, pairs).to(parts.device)
    return parts.synthesiser(trained_model(run, parts)).generate(faces, [row_seed(0, pair) for pair in pairs])


def test_parts_that_were_trained_synthesise_as_reopened_ones_do(tiny: Callable[..., Recipe], tmp_path: Path) -> None:
    run, parts = train_recipe(tiny(), tmp_path / "run")
    assert not parts._data, "the training data is freed"
    assert list(run.state()["stages"]) == ["prepare", "fit", "train"]
    trained = pictures(run, parts)
    assert torch.equal(trained, pictures(run, reopened(run)))
    again, parts = train_recipe(tiny(), tmp_path / "run")
    assert again.path == run.path
    assert torch.equal(trained, pictures(run, parts))
