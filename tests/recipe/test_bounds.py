"""Numbers and names that no machine can take are refused with their place, before anything is built."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from palsykit.errors import PalsykitError
from palsykit.memory import bounded, size
from palsykit.recipe import Recipe, RecipeError, load_recipe
from palsykit.run.parts import Parts

TINY = Path(__file__).parents[1] / "run/tiny.yaml"


@pytest.fixture(scope="module", autouse=True)
def imported() -> None:
    """The plugins are imported before anything is timed."""
    load_recipe(TINY)


@pytest.mark.parametrize(("old", "new", "line"), [
    ("image_size: 32", "image_size: 100000", "image_size: found 100000, expected at most 4096"),
    ("image_size: 32", "image_size: -32", "image_size: found -32, expected at least 16"),
    ("identities: 4", "identities: 1000000", "data.identities: found 1000000, expected at most 100000"),
    ("identities: 4", "identities: 0", "data.identities: found 0, expected at least 1"),
    ("renders: 3}\nnetworks", "renders: 1000000000}\nnetworks", "data.renders: found 1000000000, expected at most"),
    ("fusion: {use: cross, heads: 2, width: 16", "fusion: {use: cross, heads: 2, width: 1000000000000",
     "fusion.width: found 1000000000000, expected at most 8192"),
    ("fusion: {use: cross, heads: 2, width: 16", "fusion: {use: cross, heads: 2, width: -16",
     "fusion.width: found -16, expected at least 1"),
    ("depth: 18, width: 0.125", "depth: 18, width: -1", "networks.recognition.width: found -1, expected more than 0"),
    ("depth: 18, width: 0.125", "depth: 18, width: .inf", "networks.recognition.width: found inf, expected at most 64"),
    ("channels: [8, 16]", "channels: [8, 1000000000000]", "denoiser.channels.1: found 1000000000000, expected at most"),
    ("generate: {", "generate: {guidance: .nan, ", "generate.guidance: found nan, expected at most 100"),
    ("generate: {", "generate: {guidance: .inf, ", "generate.guidance: found inf, expected at most 100"),
    ("generate: {identities: 2", "generate: {identities: 0", "generate.identities: found 0, expected at least 1"),
    ("lr: 1e-3", "lr: .inf", "train.lr: found inf, expected at most 10"),
    ("lr: 1e-3", "lr: .nan", "train.lr: found nan, expected at most 10"),
    ("train: {steps: 4", "train: {workers: -1, steps: 4", "train.workers: found -1, expected at least 0"),
    ("train: {steps: 4", "train: {precision: fp8, steps: 4", "expected 'auto', 'bf16', 'fp16' or 'fp32'"),
    ("train: {steps: 4", "train: {optimiser: sgd, steps: 4", "expected 'adamw' or 'adamw8bit'"),
    ("train: {steps: 4", "train: {steps: -4", "train.steps: found -4, expected at least 0"),
    ("trainer: {use: cycle}", "trainer: {use: cycle, cycle_weight: .nan}", "_weight: found nan, expected a finite"),
    ("image_size: 32", "image_size: 32\nname: ../../x", "name: found \"../../x\" (text), expected a name for a f"),
    ("image_size: 32", "image_size: 32\nname: .hidden", "expected a name for a folder"),
    ("image_size: 32", "image_size: 32\nseed: 99999999999999999999", "expected less than 9223372036854775808"),
    ("image_size: 32", "image_size: 32\nseed: 0x" + "f" * 5000, "found a whole number of 5002 digits"),
    ("  recognition: {use", "  ../../x: {use", "networks.../../x: found \"../../x\" (text), expected a name"),
])  # fmt: skip
def test_one_line_at_once(tmp_path: Path, old: str, new: str, line: str) -> None:
    text = TINY.read_text()
    assert old in text
    (tmp_path / "r.yaml").write_text(text.replace(old, new, 1))
    began = time.process_time()
    with pytest.raises(RecipeError) as error:
        load_recipe(tmp_path / "r.yaml")
    assert time.process_time() - began < 2
    found = next((str(problem) for problem in error.value.problems if line in str(problem)), str(error.value))
    assert line in found
    assert "r.yaml:" in found
    assert "\n" not in found


def test_a_batch_that_does_not_fit_into_the_memory(tiny: Callable[..., Recipe]) -> None:
    with pytest.raises(RecipeError, match=r"train\.batch_size: found 65536 pictures of 4096 px, expected fewer"):
        tiny("image_size=4096", "train.batch_size=65536", "denoiser.attention_at=[2048]")


def test_tensors_that_do_not_fit_are_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr("palsykit.memory.machine_memory", lambda: 4_000_000)
    with bounded():
        torch.empty(500_000)  # the system would grant two, and end the process when they are used
        with pytest.raises(MemoryError, match="its tensors need at least"):
            torch.empty(600_000)
    with bounded():
        assert torch.nn.Linear(3, 4).weight.shape == (4, 3)


def test_what_cannot_be_built_is_said_with_its_line(tiny: Callable[..., Recipe]) -> None:
    recipe = tiny("networks.points.image_size=17")
    recipe.settings.networks["points"].parameters["width"] = 1e-9
    place = "--set|tiny.yaml:\\d+:\\d+"
    with pytest.raises(PalsykitError, match=rf"({place}): networks\.points: network 'mobilefacenet'.*cannot be built"):
        Parts(recipe)


def test_sizes_in_words() -> None:
    assert [size(n) for n in (12, 3200, 2.5e9, 1e15)] == ["12 bytes", "3.2 kB", "2.5 GB", "1,000 TB"]
