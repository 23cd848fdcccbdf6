"""The table of speeds: every row is measured in every round, ratios are of one round, FLOPs are counted right."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from types import ModuleType

import pytest
import torch
from torch import nn

from palsykit.errors import PalsykitError

TINY = Path(__file__).parents[1] / "run" / "tiny.yaml"
Script = Callable[[str], ModuleType]


@pytest.fixture
def speed(script: Script) -> ModuleType:
    return script("benchmarks/speed.py")


@pytest.mark.slow
def test_all_rows_in_one_table(speed: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Performance\n")
    given = ["--recipe", TINY, "--pictures", TINY, "--quick", "--no-curves", "--batch", "2", "--clock", "cpu"]
    given += ["--set", "maps={outlines: {use: outlines, of: driver, network: points}}"]  # the references have no maps
    speed.main([str(word) for word in [*given, "--json", tmp_path / "speed.json", "--page", page]])
    *_, last = capsys.readouterr().out.splitlines()
    found = json.loads(last)
    assert found == json.loads((tmp_path / "speed.json").read_text())
    rows = found["rows"]
    assert {"released, fp32", "diffusers' loop, fp32", "palsykit, fp32", "palsykit, no cycle, fp32"} <= set(rows)
    assert {"released, 50 steps", "palsykit, 256 px, 2 steps", "palsykit, 256 px, 1 steps"} <= set(rows)
    assert all(len(row["all"]) == 1 and row["all"][0] > 0 for row in rows.values())
    name = "training step, fp32: released / palsykit"
    expected = rows["released, fp32"]["all"][0] / rows["palsykit, fp32"]["all"][0]
    assert found["ratios"][name]["median"] == pytest.approx(expected)
    assert found["ratios"][name]["aim"] == 1.7
    assert {name for name, row in rows.items() if "share" in row} >= {"palsykit, fp32"}
    text = page.read_text()
    assert text.startswith("# Performance\n\n<!-- begin speed -->")
    assert "\n    python benchmarks/speed.py --recipe" in text
    assert f"| {name} |" in text


def test_every_round_measures_every_row_in_another_order(speed: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    monkeypatch.setattr(speed, "rates", lambda *_: speed.Rates(1.0, 1.0, 1.0))

    def row(name: str) -> object:
        return speed.Row(name, lambda: order.append(name) or 1.0)

    rows = [row(name) for name in "abcd"]
    ceilings = speed.measure(rows, 3, torch.device("cpu"), lambda: float(len(order)))
    assert [order[start : start + 4] for start in (0, 4, 8)] == [list("abcd"), list("dabc"), list("cdab")]
    assert [len(one.found) for one in rows] == [3] * 4
    assert len(ceilings) == 3


def test_a_ratio_is_within_a_round(speed: ModuleType) -> None:
    rows = {name: speed.Row(name, lambda: 0.0) for name in ("released, fp32", "palsykit, fp32")}
    rows |= {name: speed.Row(name, lambda: 0.0, found=[1.0] * 3) for name in ("diffusers' loop, fp32",)}
    rows |= {"palsykit, no cycle, fp32": speed.Row("", lambda: 0.0, found=[1.0] * 3)}
    rows["released, fp32"].found = [2.0, 20.0, 4.0]  # the machine was busy in the second round
    rows["palsykit, fp32"].found = [1.0, 10.0, 2.0]
    gain, aim = speed.ratios(rows, "")["training step, fp32: released / palsykit"]
    assert (gain, aim) == ({"median": 2.0, "low": 2.0, "high": 2.0}, 1.7)


def test_flops_are_counted_by_kind(script: Script) -> None:
    module = script("benchmarks/ceiling.py")
    layer, convolution = nn.Linear(8, 16), nn.Conv2d(2, 4, 3, padding=1)
    x, image = torch.randn(4, 8, requires_grad=True), torch.randn(1, 2, 8, 8, requires_grad=True)
    found = module.count(lambda: (layer(x).sum() + convolution(image).sum()).backward())
    assert found == {"product": 3 * 2 * 4 * 8 * 16, "convolution": 3 * 2 * 9 * 2 * 4 * 64}
    machine = module.Rates(product=1e3, convolution=1e4, copy=80.0)
    assert module.least_seconds({"product": 2e3, "convolution": 5e4}, 10, machine) == pytest.approx(2 + 5 + 5)


def test_the_rates_of_the_machine(script: Script) -> None:
    module = script("benchmarks/ceiling.py")
    found = module.rates(torch.device("cpu"), torch.float32, module.clock("wall"), 0.0)
    assert 1e8 < found.product < 1e15
    assert 1e8 < found.convolution < 1e15
    assert 1e7 < found.copy < 1e14


def test_the_released_algorithm_reads_everything_again(script: Script, speed: ModuleType) -> None:
    module = script("benchmarks/references.py")
    references = module.References(speed.Parts(speed.at_random(TINY, [])), 2)
    calls: Counter[str] = Counter()
    for name, network in references.modules.items():
        network.register_forward_hook(lambda *_, name=name: calls.update([name]))
    references.unet.register_forward_hook(lambda *_: calls.update(["unet"]))
    before = [p.detach().clone() for p in references.trained]
    references.released()
    # Each of two passes: identity and deviation, then the estimate, the person and the truth for the losses.
    assert calls == {"recognition": 2 * (2 + 3), "expression": 2, "points": 2 * (1 + 2), "unet": 2}
    assert not all(torch.equal(a, b) for a, b in zip(before, references.trained, strict=True))
    calls.clear()
    references.stock()
    assert calls == {"recognition": 2, "expression": 1, "points": 1, "unet": 1}
    for again, times in ((True, 3), (False, 1)):
        calls.clear()
        assert references.sample(3, again).shape == (2, 3, 32, 32)
        assert calls == {"recognition": 2 * times, "expression": times, "points": times, "unet": 3}


def test_curves_are_drawn(script: Script) -> None:
    module = script("benchmarks/speed_curves.py")
    curve = module.Curve("image size", "px", [64, 128], [[1.0, 2.0, 3.0], [4.0, 5.0, 9.0]])
    assert curve.medians() == [2.0, 5.0]
    text = module.draw([curve, module.Curve("processes", "processes", [1, 2], [[1.0], [0.5]])])
    assert "<svg" in text
    assert text == module.draw([curve, module.Curve("processes", "processes", [1, 2], [[1.0], [0.5]])])


def test_the_model_of_a_curve_keeps_its_attention_at_the_last_level(script: Script) -> None:
    parts = script("benchmarks/speed_curves.py").of_size(64)
    assert parts.settings.denoiser.parameters["attention_at"] == [2]


@pytest.mark.slow
def test_the_curves_run_end_to_end(script: Script) -> None:
    module = script("benchmarks/speed_curves.py")
    found = module.curves("cpu", 1, True)
    places = {curve.name: curve.places for curve in found}
    assert places == {"image size": [64, 128], "batch": [1, 4], "processes": [1, 2], "data": [50, 200]}
    assert all(len(values) == 1 and values[0] > 0 for curve in found for values in curve.seconds)
    assert module.draw(found).count("seconds per picture of a step") == 1


def test_a_process_that_fails_is_said(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    module, asked = script("benchmarks/speed_curves.py"), []

    def run(words: list[str], **keys: object) -> CompletedProcess[str]:
        asked.append(words)
        return CompletedProcess(words, 3, "", "no memory")

    monkeypatch.setattr(module.subprocess, "run", run)
    with pytest.raises(PalsykitError, match="2 processes ended with 3: no memory"):
        module.in_processes(2, "cpu")
    assert asked[0][asked[0].index("--rows") + 1] == "2", "they share a batch of four"
