"""Samplers and students on the same people: all turns are taken, and a system is no better than itself."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from palsykit.files.weights import save
from palsykit.interfaces import MetricCard
from palsykit.measure.statistics import mean_of
from palsykit.recipe import load_recipe
from palsykit.run.model_folder import save_model
from palsykit.run.parts import Parts

TINY = Path(__file__).parents[1] / "run" / "tiny.yaml"
Script = Callable[[str], ModuleType]


def test_it_compares_samplers_and_students(script: Script, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Performance\n")
    # The student is the model itself, so with the same sampler its pictures are the same to the bit.
    model = Parts(load_recipe(TINY)).model()
    save(model.state_dict(), tmp_path / "weights.safetensors")
    save_model(model, tmp_path / "twin" / "model")
    (tmp_path / "twin" / "recipe.yaml").write_text(TINY.read_text())
    given = ["--recipe", TINY, "--weights", tmp_path / "weights.safetensors", "--students", tmp_path / "twin"]
    given += ["--steps", 1, "--people", 1, "--each", 1, "--json", tmp_path / "found.json", "--page", page]
    script("benchmarks/few_steps.py").main([str(word) for word in given])
    *lines, last = capsys.readouterr().out.splitlines()
    found = json.loads(last)
    assert found == json.loads((tmp_path / "found.json").read_text())
    own, one, student = found["rows"]
    assert [row["system"] for row in found["rows"]] == ["recipe", "1 of dpm_solver", "student twin, 2 steps"]
    assert own["paired"] == {}
    assert student["moving_psnr"] == own["moving_psnr"]
    assert student["paired"]["moving_psnr"]["difference"] == 0
    assert one["paired"]["psnr"]["difference"] == pytest.approx(one["psnr"] - own["psnr"])
    assert (found["people"], found["pictures"]) == (1, 1)
    assert "| student twin, 2 steps |" in page.read_text()
    assert "    python benchmarks/few_steps.py --recipe" in page.read_text()
    assert all(row["seconds"] > 0 for row in found["rows"])
    assert len([line for line in lines if "student twin" in line]) == 1


def test_the_test_is_paired_over_people(script: Script) -> None:
    module, card = script("benchmarks/few_steps.py"), MetricCard("a", "b", "dB", "higher", "c")
    people = [f"person {number // 4}" for number in range(32)]
    rng = np.random.default_rng(0)
    base = rng.normal(30, 5, 32)  # people and pictures differ much more than the systems do
    better = module.compared(mean_of(card, (base + 0.5).tolist()), mean_of(card, base.tolist()), people)
    assert better["difference"] == pytest.approx(0.5)
    assert better["p"] == pytest.approx(2 / 2**8)
    assert better["low"] > 0
    noise = rng.normal(0, 0.5, 32)
    same = module.compared(mean_of(card, (base + noise).tolist()), mean_of(card, base.tolist()), people)
    assert same["p"] > 0.05
