"""The landmark benchmark reports known errors, separates the shared part, and runs on a recipe's data."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image

from palsykit.errors import PalsykitError
from palsykit.files import weights
from palsykit.recipe import load_recipe
from palsykit.run.folder import RunFolder, open_run
from palsykit.run.model_folder import save_network
from palsykit.run.parts import Parts

ROOT = Path(__file__).parents[2]
TINY = ROOT / "tests" / "run" / "tiny.yaml"
Script = Callable[[str], ModuleType]


def people(count: int = 6) -> np.ndarray:
    """True landmarks with outer eye corners 100 px apart: px are percent."""
    points = np.tile(np.random.default_rng(0).uniform(0, 100, (68, 2)), (count, 1, 1))
    points[:, 36:42], points[:, 42:48] = (0, 40), (100, 40)
    return points


def test_errors_by_region_are_what_was_put_in(script: Script) -> None:
    landmarks, true = script("benchmarks/landmarks.py"), people()
    found = true.copy()
    found[:, 36:48, 1] += 3  # all eyes 3 % too low
    found[:, 48:68, 0] += np.array([2, -2, 2, -2, 2, -2])[:, None]  # mouths 2 % off, some to the left
    rows = landmarks.table_rows(found, true, list("abcdef"))
    assert (rows["jaw"]["error"], rows["brows"]["error"], rows["nose"]["error"]) == (0, 0, 0)
    assert rows["eyes"]["error"] == pytest.approx(3)
    assert rows["eyes"]["shared_down"] == pytest.approx(3)
    assert rows["eyes"]["without_shared"] == pytest.approx(0)
    assert rows["mouth"]["error"] == pytest.approx(2)
    assert rows["mouth"]["shared"] == pytest.approx(0, abs=1e-9)
    assert rows["mouth"]["without_shared"] == pytest.approx(2)
    assert rows["all"]["error"] == pytest.approx((12 * 3 + 20 * 2) / 68)
    assert rows["all"]["of_inter_pupil"] == pytest.approx(rows["all"]["error"]), "the pupils are as far apart here"


def test_the_interval_is_of_people(script: Script) -> None:
    true = people(4)
    found = true + np.array([0, 0, 4, 4])[:, None, None] * np.array([1.0, 0])
    low, high = script("benchmarks/landmarks.py").table_rows(found, true, ["a", "a", "b", "b"])["all"]["interval"]
    assert (low, high) == (0, 4), "two people: one without error, one with"


def test_it_runs_with_weights_from_a_file(script: Script, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, picture = tmp_path / "points.safetensors", tmp_path / "sheet.png"
    weights.save(Parts(load_recipe(TINY)).networks["points"].module.state_dict(), file)
    keys = ["--recipe", str(TINY), "--data", str(TINY), "--weights", str(file), "--sheet", str(picture)]
    script("benchmarks/landmarks.py").main(keys)
    *lines, last = capsys.readouterr().out.splitlines()
    found = json.loads(last)
    assert lines[0] == f"{file}: 4 photographs of 2 people at 32 px"
    assert [line.split()[0] for line in lines[3:]] == list(found["regions"])
    assert f"{found['regions']['all']['error']:.2f}" in lines[3]
    with Image.open(picture) as drawn:
        assert drawn.size == (4 * 384, 384)
        colours = {colour for _, colour in drawn.convert("RGB").getcolors(1 << 24)}
    assert {(0, 208, 64), (255, 32, 32)} <= colours


def test_data_without_such_photographs_is_refused(script: Script) -> None:
    landmarks = script("benchmarks/landmarks.py")
    with pytest.raises(PalsykitError, match="no photograph with landmarks of split train shows grimace"):
        landmarks.photographs(Parts(load_recipe(TINY)), TINY, "train", "grimace")


def test_it_runs_on_a_run(script: Script, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    landmarks, folder = script("benchmarks/landmarks.py"), RunFolder(tmp_path / "run")
    open_run(load_recipe(TINY), folder.path)
    parts = Parts(load_recipe(TINY))
    for network in ("recognition", "expression"):
        save_network(parts.networks[network], folder.networks)
    with pytest.raises(PalsykitError, match=r"no .*points\.safetensors; resume the run"):
        landmarks.main(["--run", str(folder.path), "--data", str(TINY)])
    with torch.no_grad():
        parts.networks["points"].module.output_layer.linear.bias.add_(0.5)
    save_network(parts.networks["points"], folder.networks)
    landmarks.main(["--run", str(folder.path), "--data", str(TINY)])
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["network"] == str(folder.path)
    fitted = landmarks.parts_of(folder.path, TINY, [], []).networks["points"].module.state_dict()
    assert torch.equal(fitted["output_layer.linear.bias"], parts.networks["points"].module.output_layer.linear.bias)
