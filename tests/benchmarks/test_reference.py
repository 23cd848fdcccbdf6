"""The table of a run beside truth and copy, from pictures to the page."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from palsykit.recipe import load_recipe
from palsykit.run import run_recipe
from palsykit.run.measure import Figure

TINY = Path(__file__).parents[1] / "run" / "tiny.yaml"
JUDGES = ("recognition", "expression", "points")
QUICK = [f"metrics.{name}=null" for name in ("ssim", "identity", "landmark_error", "afid")]


def untrained() -> list[str]:
    """Judges small enough for a test, as they are built."""
    fits = ", ".join(f"{{network: judge_{name}, trainer: {{use: diffusion}}}}" for name in JUDGES)
    small = {"recognition": 0.0625, "expression": 0.0625, "points": 0.125}
    changes = [f"networks.judge_{name}.weights=null" for name in JUDGES]
    changes += [f"networks.judge_{name}.width={width}" for name, width in small.items()]
    return [*changes, f"fits=[{fits}]", "image_size=32", "data.test=2"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    fits = [f"fits.{fit}.steps=1" for fit in range(3)]
    run_recipe(load_recipe(TINY, [*fits, "train.steps=1", "generate.identities=1", *QUICK]), folder)
    return folder


def test_tables_of_every_protocol_are_written_with_their_command(
    script: Callable[[str], ModuleType], run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "results.md"
    changes = [argument for change in untrained() for argument in ("--set", change)]
    script("reference").main([str(run), "--people", "face space", "--results", str(page), *changes])
    text = page.read_text()
    assert text.startswith("# Results")
    assert f"    python benchmarks/reference.py {run} --people 'face space'" in text
    assert "Protocol: self-reconstruction: " in text
    assert "Protocol: transfer with ground truth: " in text
    assert text.count("16 pictures of 2 people.") == 2
    assert "judges untrained" in text
    tables = json.loads(capsys.readouterr().out.splitlines()[-1])["tables"]
    assert [table["people"] for table in tables] == [2, 2]
    for table in tables:
        systems = table["figures"]
        assert set(systems) == {"truth", "copy", "model", "model - copy"}
        assert systems["truth"]["psnr"]["value"] is None, "the truth is equal to itself"
        assert systems["truth"]["ssim"]["value"] == pytest.approx(1)
        assert systems["truth"]["expression_accuracy_relative"]["value"] in (None, 1.0)
        assert systems["copy"]["identity_similarity"]["value"] == pytest.approx(1)
        assert systems["copy"]["retrieval_top1"]["value"] == 1
        apart, model, copy = (systems[name]["moving_psnr"] for name in ("model - copy", "model", "copy"))
        assert apart["value"] == pytest.approx(model["value"] - copy["value"])
        assert apart["low"] <= apart["value"] <= apart["high"]
        assert model["count"] == 16


def test_what_is_missing_is_a_dash_and_aims_are_judged(script: Callable[[str], ModuleType]) -> None:
    reference = script("reference")
    figures = {"psnr": Figure(28.0, 27.5, 28.5, 8, None), "landmark_error": Figure(5.0, 4.5, 5.5, 8, None)}
    nothing = {"psnr": Figure(float("nan"), None, None, 0, None), "landmark_error": Figure(0.5, 0.4, 0.6, 8, None)}
    by = {"truth": nothing, "copy": figures, "model": figures, "model - copy": nothing}
    text = reference.table(reference.Examined("Title", "how", 4, 8, by, 1.0))
    assert "| PSNR, whole picture, dB | ≥ 27 | - | 28.00 (27.50 to 28.50) | 28.00 (27.50 to 28.50) | - | yes |" in text
    assert "5.00 (4.50 to 5.50) | +0.50 (+0.40 to +0.60) | no |" in text
    assert "SSIM" not in text
