"""Networks with a size of their own in a whole run: fitted at it, read by conditions and metrics of another size."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from palsykit.recipe import Recipe
from palsykit.recipe.problems import RecipeError
from palsykit.run import runner, train
from palsykit.run.parts import Parts
from palsykit.run.runner import run_recipe
from palsykit.training import loop

SIZES = ("networks.recognition.image_size=48", "networks.points.image_size=64")


def test_each_network_is_fitted_at_its_own_size_and_read_at_the_recipes(
    tiny: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted: dict[str, int] = {}

    def watched(job: loop.Job) -> torch.nn.Module:
        fitted[job.name] = job.faces.dataset.image_size
        return loop.train(job)

    monkeypatch.setattr(train, "train", watched)
    run_recipe(tiny(*SIZES), tmp_path / "run")
    assert fitted == {"fit-recognition": 48, "fit-expression": 32, "fit-points": 64, "train": 32}
    figures: dict[str, Any] = json.loads((tmp_path / "run" / "metrics.json").read_text())["metrics"]
    assert figures["landmark_error"] is not None
    parts = runner.reopened(train.RunFolder(tmp_path / "run"))
    assert {name: network.own_size for name, network in parts.networks.items()} == {
        "recognition": 48, "expression": 32, "points": 64
    }  # fmt: skip
    points = parts.networks["points"](torch.zeros(1, 3, 32, 32)).points[0]
    assert 10 < float(points[30, 0]) < 22, "px of a picture of 32 px"


def test_tokens_follow_the_networks_size_and_nothing_else_changes(tiny: Callable[..., Recipe]) -> None:
    def tokens(*changes: str) -> dict[str, int]:
        return {name: one.spec.tokens for name, one in Parts(tiny(*changes)).model().encoders.items()}

    assert tokens() == {"identity": 4, "expression": 4, "landmark": 4}
    assert tokens(*SIZES) == {"identity": 9, "expression": 9, "landmark": 16}


def test_a_recipe_without_sizes_keeps_its_hash_and_the_recipes_size_is_a_size_of_its_own(
    tiny: Callable[..., Recipe],
) -> None:
    plain = tiny()
    assert plain.resolved["networks"]["points"]["image_size"] is None
    assert plain.hash == tiny("networks.points.image_size=null").hash
    assert plain.hash != tiny("networks.points.image_size=64").hash
    before, after = (Parts(tiny(*changes)).networks["points"] for changes in ((), ("networks.points.image_size=32",)))
    assert before.fingerprint() == after.fingerprint()
    image = torch.rand(2, 3, 32, 32)
    assert torch.equal(before(image).points, after(image).points)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("networks.points.image_size=8", r"networks\.points\.image_size: found 8, expected at least 16"),
        ("networks.points.image_size=large", r'found "large" \(text\), expected a whole number'),
        ("networks.points.size=64", r"an unknown key, expected one of .*image_size"),
    ],
)
def test_a_wrong_size_is_refused(tiny: Callable[..., Recipe], change: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        tiny(change)
