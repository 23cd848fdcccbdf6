"""Each script runs with tiny settings, and its last line is the table as JSON; the figures are not tested."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from palsykit.errors import PalsykitError
from palsykit.recipe import load_recipe

ROOT = Path(__file__).parents[2]
TINY = ROOT / "tests" / "run" / "tiny.yaml"
Script = Callable[[str], ModuleType]


def test_start_up(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    script("benchmarks/start_up.py").main(["--repeats", "1", "--against", "import json"])
    *lines, last = capsys.readouterr().out.splitlines()
    found = json.loads(last)
    assert [line.split("  ")[0] for line in lines] == [
        "command", "-" * 16, "palsykit --help", "palsykit plugins", "import json",
    ]  # fmt: skip
    assert list(found["ratios"]) == ["palsykit --help", "palsykit plugins"]
    for name, ratio in found["ratios"].items():
        assert ratio == pytest.approx(found["seconds"][name] / found["seconds"]["import json"])
        assert ratio > 0


def test_start_up_does_not_time_a_command_that_fails(script: Script) -> None:
    with pytest.raises(Exception, match="returned non-zero exit status"):
        script("benchmarks/start_up.py").main(["--repeats", "1", "--against", "import nothing_of_this_name"])


def test_start_up_of_a_recipe_and_its_run(script: Script, tmp_path: Path) -> None:
    module = script("benchmarks/start_up.py")
    (tmp_path / "images" / "generated").mkdir(parents=True)
    (tmp_path / "images" / "generated" / "00000-a.png").touch()
    assert module.of_recipe(None, None, tmp_path) == {}
    assert list(module.of_recipe(TINY, None, tmp_path)) == ["show", "check, failing"]
    commands = module.of_recipe(TINY, tmp_path, tmp_path)
    assert list(commands) == ["show", "check, failing", "run, finished", "generate", "import torch, diffusers"]
    assert commands["run, finished"] == ["-m", "palsykit", "run", str(TINY), "--output", str(tmp_path)]
    medians = {"show": 3.0, "generate": 9.0, "import torch, diffusers": 6.0, "import torch": 2.0}
    assert module.ratios_of(medians, "import torch") == {"show": 1.5, "generate": 1.5}
    assert module.seconds(["-c", "raise SystemExit(2)"], 2) > 0


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_training_step(script: Script, capsys: pytest.CaptureFixture[str], precision: str) -> None:
    script("benchmarks/training_step.py").main(
        ["--recipe", str(TINY), "--batch", "2", "--set", f"train.precision={precision}"]
    )
    *lines, last = capsys.readouterr().out.splitlines()
    found = json.loads(last)
    assert lines[0].startswith("tiny: 32 px, 0.1 M trained parameters, batch 2, cpu")
    assert (found["trainer"], found["precision"], found["batch_size"]) == ("cycle", precision, 2)
    seconds = found["seconds"]
    assert all(value > 0 for value in seconds.values())
    assert found["ratios"]["cycle / plain diffusion"] == pytest.approx(seconds["step"] / seconds["plain diffusion"])
    assert f"{seconds['step']:.3f}" in lines[4]
    assert len(lines) == 3 + len(seconds)
    assert ("fp32" in seconds) == ("bf16 / fp32" in found["ratios"]) == (precision == "bf16"), "nothing against itself"


def test_the_cycle_is_what_is_measured(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """The recipe's trainer takes one plus so many steps on as many rows as asked for, whose features are cached."""
    module, seen = script("benchmarks/training_step.py"), {}
    step_seconds, networks = module.step_seconds, []

    def step(parts: Any, *arguments: Any) -> Any:
        networks[:] = parts.networks.values()
        return step_seconds(parts, *arguments)

    class Watched(module.Training):  # type: ignore[misc, name-defined]
        def step(self, number: int, batches: Any) -> Any:
            result = super().step(number, batches)
            misses = [network._cache.misses for network in networks]
            seen[self] = (type(self.job.trainer).__name__, number + 1, len(self.job.faces), misses)
            return result

    monkeypatch.setattr(module, "Training", Watched)
    monkeypatch.setattr(module, "step_seconds", step)
    module.main(["--recipe", str(TINY), "--batch", "3", "--steps", "2", "--set", "train.precision=bf16"])
    # three rows for each of three networks, read in the first step and never again; the first has seen a probe
    assert [*seen.values()] == [
        (name, 3, 3, [4, 3, 3]) for name in ("CycleTrainer", "DiffusionTrainer", "CycleTrainer")
    ]


@pytest.mark.parametrize("name", ["base", "cfcpalsy", "london", "cfcpalsy-112"])
def test_weights_that_a_recipe_names_are_not_needed(script: Script, name: str) -> None:
    if name == "london" and not (ROOT.parent / "shared" / "data" / "london").is_dir():
        pytest.skip("the London set is not beside the repository")
    recipe = script("benchmarks/training_step.py").at_random(ROOT / "recipes" / f"{name}.yaml", ["seed=3"])
    assert recipe.settings.seed == 3
    assert {"recognition", "expression", "points"} <= set(recipe.settings.networks)
    assert {block.parameters["weights"] for block in recipe.settings.networks.values()} == {None}
    assert recipe.settings.train.start is None
    assert recipe.settings.trainer is not None


def test_the_defaults_are_the_papers_scale(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    module, asked = script("benchmarks/training_step.py"), []

    def measure(recipe: Any, batch: int, steps: int) -> dict[str, Any]:
        asked.append((recipe.name, recipe.settings.image_size, batch, steps))
        raise PalsykitError("enough")

    monkeypatch.setattr(module, "measure", measure)
    with pytest.raises(PalsykitError, match="enough"):
        module.main([])
    assert asked == [("cfcpalsy-112", 112, 2, 1)]


def test_a_recipe_without_a_model_is_refused(script: Script) -> None:
    recipe = load_recipe(ROOT / "recipes" / "networks.yaml")
    with pytest.raises(PalsykitError, match=r"networks\.yaml: trains no diffusion model"):
        script("benchmarks/training_step.py").measure(recipe, 2, 1)


def test_the_readme_names_every_script() -> None:
    text = (ROOT / "benchmarks" / "README.md").read_text()
    files = sorted((ROOT / "benchmarks").glob("*.py"))
    scripts = [path.name for path in files if "__main__" in path.read_text()]
    shared = {"fitted.py", "bias_samples.py", "bias_finders.py", "bias_figures.py"}
    shared |= {"ceiling.py", "references.py"}
    assert {path.name for path in files} - set(scripts) == shared, "what scripts are made of"
    assert [name for name in scripts if f"| `{name}` |" not in text] == []
    assert scripts


def test_data_size(script: Script, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script("benchmarks/data_size.py").main(["--counts", "16", "--side", "32", "--folder", str(tmp_path)])
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [(row["photographs"], row["start"]) for row in found["rows"]] == [(16, "first"), (16, "later")]
    assert all(row["seconds to the data"] > 0 for row in found["rows"])
    assert len(list(tmp_path.glob("cache-photographs-16-32/*.safetensors"))) == 1
