"""The comparison at one size: the same people and truth, paired, and what it says of a difference."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch

from palsykit.errors import PalsykitError
from palsykit.files.weights import save
from palsykit.recipe import load_recipe
from palsykit.run.parts import Parts
from palsykit.run.runner import train_recipe

ROOT = Path(__file__).parents[2]
TINY = ROOT / "tests" / "run" / "tiny.yaml"
FITS = ", ".join(
    f"{{network: {name}, trainer: {{use: landmarks}}, steps: 0}}" for name in ("recognition", "expression", "points")
)
KEYS = ["data.validation=2", f"fits=[{FITS}]", "train.steps=1"]
LARGE = [*KEYS, "image_size=64", "denoiser.attention_at=[32]", "metrics.moving={use: moving}"]
Script = Callable[[str], ModuleType]


@pytest.fixture
def given(tmp_path: Path) -> list[str]:
    """A model for 64 px with random weights, and the run of one for 32 px."""
    save(Parts(load_recipe(TINY, LARGE)).model().state_dict(), tmp_path / "weights.safetensors")
    train_recipe(load_recipe(TINY, KEYS), tmp_path / "small")
    words = ["--recipe", TINY, "--weights", tmp_path / "weights.safetensors", "--side", 32, "--each", 1]
    changes = [word for change in LARGE for word in ("--set", change)]
    return [str(word) for word in [*words, "--people", 2, "--reference", tmp_path / "small", *changes]]


def test_a_smaller_model_is_compared_at_its_size(
    script: Script, tmp_path: Path, capsys: pytest.CaptureFixture[str], given: list[str]
) -> None:
    page, module = tmp_path / "page.md", script("benchmarks/same_size.py")
    page.write_text("# Performance\n")
    module.main([*given, "--page", str(page)])
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    rows = {row["pictures"]: row for row in found["rows"]}
    assert list(rows) == ["palsykit", "tiny, 32 px", "the photograph itself", "the truth, 64 px"]
    assert (found["people"], found["pictures"], found["side"]) == (2, 2, 32)
    assert found["reference"] == {"run": "small", "steps": 1, "pictures seen": 4}
    # What needs no model: the truth is nearest to itself, and the photograph to the photograph.
    assert rows["the truth, 64 px"]["moving_psnr"] > max(rows[name]["moving_psnr"] for name in list(rows)[:2])
    assert rows["the photograph itself"]["identity_similarity"] == pytest.approx(1, abs=1e-4)
    assert rows["palsykit"]["paired"] == {}
    gap = rows["tiny, 32 px"]["paired"]["moving_psnr"]
    expected = rows["tiny, 32 px"]["moving_psnr"] - rows["palsykit"]["moving_psnr"]
    assert gap["difference"] == pytest.approx(expected)
    assert gap["palsykit is"] in {"better", "no worse", "worse", "undecided"}
    text = page.read_text()
    assert "trained for 1 steps and has seen 4 pictures" in text
    assert "| tiny, 32 px |" in text
    with pytest.raises(PalsykitError, match=r"makes pictures of 32 px, expected 48; give --side 32"):
        module.main([word if word != "32" else "48" for word in given])


@pytest.mark.parametrize(
    ("low", "high", "better", "words"),
    [  # of "other minus palsykit", with a margin of 0.5
        (-2.0, -0.1, "higher", "better"),
        (-2.0, 0.4, "higher", "no worse"),
        (-2.0, 0.6, "higher", "undecided"),
        (0.6, 0.9, "higher", "worse"),
        (0.1, 0.4, "higher", "no worse"),
        (0.1, 2.0, "lower", "better"),
        (-0.4, 2.0, "lower", "no worse"),
        (-2.0, -0.6, "lower", "worse"),
        (None, None, "higher", "undecided"),
    ],
)
def test_no_worse_means_that_the_whole_interval_is_within_the_margin(
    script: Script, low: float | None, high: float | None, better: str, words: str
) -> None:
    assert script("benchmarks/same_size.py").verdict({"low": low, "high": high}, better, 0.5) == words


def test_larger_pictures_are_averaged_and_have_8_bits(script: Script) -> None:
    stripes = torch.ones(1, 3, 8, 8)
    stripes[..., ::2] = -1
    small = script("benchmarks/same_size.py").at_side(stripes, 4)
    assert small.shape == (1, 3, 4, 4)
    assert small[..., 1:3].abs().max() < 0.2, "the mean of black and white, not one of them"
    assert torch.equal(small, (small * 127.5 + 127.5).round() / 127.5 - 1)


def test_the_reference_of_the_released_algorithm_has_its_settings() -> None:
    settings = load_recipe(ROOT / "benchmarks" / "reference-112.yaml").settings
    assert settings.image_size == 112
    assert not settings.fits, "its networks ship with palsykit"
    assert settings.sampler.parameters | {"steps": 50, "eta": 1.0} == settings.sampler.parameters
    assert settings.trainer.parameters["second_noise"] == "same"
    assert not settings.maps
