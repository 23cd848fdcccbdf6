"""The ablation's variants differ in one thing; its runs are gone on with; a verdict needs interval and seeds."""

import argparse
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from palsykit import weights
from palsykit.interfaces import MetricCard
from palsykit.run.measure import Figure, Statistic
from palsykit.run.parts import Parts
from palsykit.run.weights import start_from

ROOT = Path(__file__).parents[2]
NETWORKS = [f"{judge}{name}" for judge in ("", "judge_") for name in ("recognition", "expression", "points")]
CARD = MetricCard("a", "a", "", "higher", "")
Script = Callable[[str], ModuleType]


def small() -> list[str]:
    """Changes that make a variant's run a matter of seconds; its networks are as they are built."""
    fits = ", ".join(f"{{network: {name}, trainer: {{use: diffusion}}, steps: 0}}" for name in NETWORKS)
    widths = [f"networks.{name}.width={0.125 if 'points' in name else 0.0625}" for name in NETWORKS]
    model = ["denoiser.channels=[8, 16]", "denoiser.attention_at=[8]", "denoiser.head_channels=8", "sampler.steps=1"]
    data = ["image_size=32", "data.identities=2", "data.test=2", "data.renders=2", "generate.identities=2"]
    train = ["train.steps=1", "train.warmup=0", "train.batch_size=2", "train.precision=fp32"]
    return [f"networks.{name}.weights=null" for name in NETWORKS] + [f"fits=[{fits}]", *widths, *model, *data, *train]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of the make that every variant starts from."""
    from palsykit.recipe import load_recipe

    file = tmp_path_factory.mktemp("start") / "base.safetensors"
    whole = ROOT / "recipes" / "ablations" / "cfcpalsy.yaml"
    recipe = load_recipe(whole, [*small(), "train.start=null", "train.start_without=[]", "seed=99"])
    weights.save(Parts(recipe).model().state_dict(), file)
    return file


def test_variants_start_alike_but_for_the_fusion(script: Script, start: Path) -> None:
    ablations, states = script("ablations"), {}
    for variant in ablations.VARIANTS:
        recipe = ablations.recipe_of(variant, 0, [*small(), f"train.start={start}"])
        model = Parts(recipe).model()
        start_from(model, start, recipe.settings.train.start_without)
        states[variant] = model.state_dict()
    base, _ = weights.load(start)
    for variant, state in states.items():
        for name, value in state.items():
            afresh = name.startswith("fusion.")
            known = name in base and torch.equal(value, base[name])
            assert known != afresh or (afresh and value.std() == 0), f"{variant}: {name}"
        assert any("landmark" in name for name in state) == ("no-landmarks" not in variant)
    whole, no_cycle = (states[name] for name in ("cfcpalsy", "no-cycle"))
    assert all(torch.equal(value, no_cycle[name]) for name, value in whole.items())


def test_variants_differ_in_one_thing(script: Script, start: Path) -> None:
    ablations = script("ablations")
    resolved = {
        variant: ablations.recipe_of(variant, 1, [*small(), f"train.start={start}"]).resolved
        for variant in ablations.VARIANTS
    }
    whole = resolved["cfcpalsy"]

    def changed(variant: str) -> set[str]:
        return {key for key in whole if key not in ("name", "about") and resolved[variant][key] != whole[key]}

    assert changed("no-cycle") == {"trainer"}
    assert resolved["no-cycle"]["trainer"] == {**whole["trainer"], "cycle_weight": 0.0}
    assert changed("concatenation") == {"fusion"}
    assert resolved["concatenation"]["fusion"]["use"] == "concatenation"
    assert changed("no-landmarks") == {"conditions", "fusion", "train"}
    assert set(whole["conditions"]) - set(resolved["no-landmarks"]["conditions"]) == {"landmark"}
    assert resolved["no-landmarks"]["trainer"]["landmark_weight"] == whole["trainer"]["landmark_weight"] > 0
    assert changed("no-landmarks-no-loss") == {"conditions", "fusion", "train", "trainer"}
    assert resolved["no-landmarks-no-loss"]["trainer"]["landmark_weight"] == 0
    for block in resolved.values():
        own = {key: value for key, value in block["train"].items() if key != "start_without"}
        assert own == {key: value for key, value in whole["train"].items() if key != "start_without"}


def test_runs_are_made_measured_and_gone_on_with(
    script: Script, start: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ablations = script("ablations")
    changes = [argument for change in [*small(), f"train.start={start}"] for argument in ("--set", change)]
    where = ["--work", str(tmp_path / "work"), "--results", str(tmp_path / "results.md"), *changes]
    ablations.main(["--seeds", "0", "--variants", "cfcpalsy", "no-cycle", *where])
    text = (tmp_path / "results.md").read_text()
    assert "### Self-reconstruction" in text
    assert "### Transfer" in text
    assert "| aFID (judge's features) |" in text
    assert "- ^2, no cycle: worse than the whole method in " in text
    pictures = sorted((tmp_path / "work").rglob("*.png"))
    made = [file.stat().st_mtime_ns for file in pictures]
    assert len(made) == 2 * 3 * 16, "generated, regenerated and transfer of each run"
    capsys.readouterr()
    ablations.main(["--seeds", "0", "1", "--variants", "cfcpalsy", "no-cycle", "--table-only", *where])
    assert [file.stat().st_mtime_ns for file in pictures] == made
    out = capsys.readouterr().out
    assert "cfcpalsy, seed 1: PalsykitError: not finished" in out
    assert "--table-only" not in (tmp_path / "results.md").read_text()
    again = (tmp_path / "results.md").read_text()
    table = text[text.index("|  | whole") : text.index("Less the whole")]
    assert table in again, "the same figures of the same pictures"


def statistic(values: list[float]) -> Statistic:
    column = np.array(values)
    return Statistic(CARD, lambda rows: float(column[rows].mean()), len(values))


def test_a_verdict_needs_the_interval_and_every_seed(script: Script) -> None:
    ablations = script("ablations")
    people = [f"s{i}" for i in range(12)]
    rng = np.random.default_rng(0)
    base = rng.standard_normal(12)

    def seeds(*shifts: float) -> dict[int, dict[str, Any]]:
        return {
            seed: {name: statistic((base + shift).tolist()) for name in ("psnr", "landmark_error")}
            for seed, shift in enumerate(shifts)
        }

    measured = {"cfcpalsy": seeds(0, 0), "no-cycle": seeds(-1, -2), "concatenation": seeds(-3, 1)}
    found = ablations.compared(measured, people)
    psnr, landmark = (next(line for line in ablations.LINES if line.figure == n) for n in ("psnr", "landmark_error"))
    assert found.difference["no-cycle"]["psnr"].value == pytest.approx(-1.5)
    assert found.difference["no-cycle"]["psnr"].high == pytest.approx(-1.5), "paired: who is who cancels"
    assert ablations.verdict(psnr, "no-cycle", found) == "worse"
    assert ablations.verdict(landmark, "no-cycle", found) == "better"
    assert ablations.verdict(psnr, "concatenation", found) == "", "seeds disagree"
    text = ablations.tables(found, measured, 12)
    assert "| PSNR, dB | -1.50 (-1.50 to -1.50) worse | -1.00 (-1.00 to -1.00) |" in text
    assert "- ^2, no cycle: worse than the whole method in 1 of 2 figures, better in 1, undecided in 0." in text


def test_an_interval_that_holds_zero_decides_nothing(script: Script) -> None:
    ablations = script("ablations")
    by = {"psnr": Figure(-0.5, -1.0, 0.1, 8, CARD)}
    found = ablations.Compared({}, {"no-cycle": by}, {"no-cycle": ["psnr"]})
    line = next(line for line in ablations.LINES if line.figure == "psnr")
    assert ablations.verdict(line, "no-cycle", found) == ""


def test_a_failed_run_is_reported_and_the_rest_goes_on(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ablations = script("ablations")

    class NoGrid:
        def __init__(self, changes: Any):
            self.exams = {p.name: argparse.Namespace(subjects=["a", "b"]) for p in (ablations.SELF, ablations.TRANSFER)}

        def measured(self, run: Any, protocol: Any) -> dict[str, Statistic]:
            return {"psnr": statistic([1.0, 2.0])}

    def trained(variant: str, seed: int, options: Any) -> Any:
        if variant == "no-cycle":
            raise RuntimeError("out of memory")
        return argparse.Namespace(facts=lambda stage: {"seconds": 1.0})

    monkeypatch.setattr(ablations, "Grid", NoGrid)
    monkeypatch.setattr(ablations, "trained", trained)
    options = argparse.Namespace(seeds=[0], variants=["no-cycle", "cfcpalsy"], set=[])
    results = ablations.measure(options)
    assert results.failed == {"no-cycle, seed 0": "RuntimeError: out of memory"}
    assert list(results.found["self-reconstruction"]) == ["cfcpalsy"]
