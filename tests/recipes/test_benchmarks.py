"""The shipped benchmarks: what their systems share, how they differ, and that they start from the same weights."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from palsykit.files import weights
from palsykit.recipe import Recipe, load_recipe
from palsykit.recipe.problems import RecipeError
from palsykit.run.model_folder import start_from
from palsykit.run.parts import Parts
from palsykit_benchmark.page import owner
from palsykit_benchmark.plan import Plan, load_benchmark

ROOT = Path(__file__).parents[2]
LONDON = ROOT.parent / "shared" / "data" / "london"
FULL, SMALL = ROOT / "recipes" / "benchmark.yaml", ROOT / "recipes" / "benchmark-small.yaml"
ABLATIONS, REFERENCE = (ROOT / "recipes" / "benchmarks" / f"{name}.yaml" for name in ("ablations", "reference"))
CYCLE = {"cfcpalsy", "no-landmarks", "no-landmark-loss", "no-cycle", "no-cross-fusion"}


@cache
def plan(path: Path) -> Plan:
    return load_benchmark(path)


def recipes(path: Path, seed: int = 0) -> dict[str, Recipe]:
    return {job.system: job.recipe for job in plan(path).jobs if job.seed == seed and job.recipe is not None}


@pytest.fixture
def narrow(tmp_path: Path) -> Callable[[Recipe], Recipe]:
    """A recipe with few channels, random networks and nothing to start from."""

    def change(recipe: Recipe) -> Recipe:
        networks = recipe.resolved["networks"]
        fits = ", ".join(f"{{network: {name}, trainer: {{use: landmarks}}, steps: 0}}" for name in networks)
        changes = [f"networks.{name}.weights=null" for name in networks]
        changes += [f"networks.{name}.width={0.125 if 'points' in name else 0.0625}" for name in networks]
        model = [
            "denoiser.channels=[8, 8, 8]",
            "denoiser.head_channels=8",
            "train.start=null",
            "train.start_without=[]",
        ]
        file = tmp_path / f"{recipe.hash[:12]}.yaml"
        file.write_text(recipe.yaml(), encoding="utf-8")
        return load_recipe(file, [*changes, f"fits=[{fits}]", *model])

    return change


@pytest.mark.parametrize("path", [FULL, SMALL, ABLATIONS], ids=lambda path: path.stem)
def test_its_systems_train_on_equally_many_images_of_the_same_people(path: Path) -> None:
    trained = [r.settings for r in recipes(path).values() if r.settings.trainer is not None]
    assert len({s.train.steps * s.train.batch_size * s.train.accumulate for s in trained}) == 1
    assert len({str(r.settings.data) for r in recipes(path).values()}) == 1
    assert plan(path).settings.about
    assert all(plan(path).about.values()), "each system says what it is"


def test_every_system_is_there() -> None:
    diffusion = {"dcface", "ip-adapter", "concatenation"}
    systems = CYCLE | diffusion | {"adversarial", "warp", "copy"}
    assert set(plan(FULL).systems) == set(plan(SMALL).systems) == systems
    assert plan(FULL).settings.seeds == [0, 1, 2]
    uses = {name: recipe.settings.trainer and recipe.settings.trainer.use for name, recipe in recipes(FULL).items()}
    assert {name for name, use in uses.items() if use == "cycle"} == CYCLE
    assert {name for name, use in uses.items() if use == "diffusion"} == diffusion
    assert {name for name, use in uses.items() if use is None} == {"warp", "copy"}


def test_every_judge_is_no_network_of_a_system() -> None:
    for recipe in recipes(FULL).values():
        parts = str({k: v for k, v in recipe.resolved.items() if k not in ("networks", "metrics", "fits")})
        assert "judge_" not in parts
    judged = next(iter(plan(FULL).judges.values())).resolved["metrics"]
    networks = {str(v) for block in judged.values() for k, v in block.items() if k in ("network", "face", "identity")}
    assert networks
    assert all(name.startswith("judge_") for name in networks)


@pytest.mark.parametrize("path", [FULL, SMALL, ABLATIONS], ids=lambda path: path.stem)
def test_every_figure_is_a_judges(path: Path) -> None:
    metrics = next(iter(plan(path).judges.values())).resolved["metrics"]
    assert [figure for figure in plan(path).settings.figures if not owner(figure, metrics)] == []
    assert owner("precision", metrics) == ""


def test_the_ablations_differ_in_one_thing() -> None:
    found = {name: recipe.resolved for name, recipe in recipes(ABLATIONS, 1).items()}
    assert set(found) == CYCLE
    whole, lm, lm_loss, cycle, concatenation = found.values()

    def changed(one: dict[str, Any]) -> set[str]:
        return {key for key in whole if key not in ("name", "about") and one[key] != whole[key]}

    assert changed(cycle) == {"trainer"}
    assert cycle["trainer"] == {**whole["trainer"], "cycle_weight": 0.0}
    assert changed(concatenation) == {"fusion"}
    assert concatenation["fusion"]["use"] == "concatenation"
    assert changed(lm) == {"conditions", "maps", "fusion", "train"}
    assert set(whole["conditions"]) - set(lm["conditions"]) == {"landmark"}
    assert lm["conditions"]["identity"] == whole["conditions"]["identity"]
    assert lm["maps"] == {"picture": {**whole["maps"]["picture"], "error": 0.1}}, "unbent, what is corrected"
    assert lm["trainer"]["landmark_weight"] == whole["trainer"]["landmark_weight"] > 0
    assert changed(lm_loss) == {"conditions", "maps", "fusion", "train", "trainer"}
    assert lm_loss["trainer"]["landmark_weight"] == 0
    for block in found.values():
        own = {key: value for key, value in block["train"].items() if key != "start_without"}
        assert own == {key: value for key, value in whole["train"].items() if key != "start_without"}


def test_the_ablations_are_the_whole_benchmarks_own_runs() -> None:
    whole = {job.folder for job in plan(FULL).jobs}
    assert {job.folder for job in plan(ABLATIONS).jobs} <= whole


def test_all_that_start_from_the_base_model_can(tmp_path: Path, narrow: Callable[[Recipe], Recipe]) -> None:
    """Their makes fit the base model's but for what begins afresh; the fusion does in each of them."""
    base = narrow(load_recipe(ROOT / "recipes" / "base.yaml"))
    file = tmp_path / "base.safetensors"
    weights.save(Parts(base).model().state_dict(), file)
    before, _ = weights.load(file)
    started = 0
    for name, recipe in recipes(FULL).items():
        if recipe.settings.train.start is None:
            assert recipe.settings.trainer is None or name == "adversarial"
            continue
        model = Parts(narrow(recipe)).model()
        fresh = recipe.settings.train.start_without
        start_from(model, file, fresh)
        started += 1
        assert {"fusion", "denoiser.unet.conv_in"} <= set(fresh), f"{name} would keep what the others begin afresh"
        for key, value in model.state_dict().items():
            afresh = any(key.startswith(f"{module}.") or key == module for module in fresh)
            assert afresh or torch.equal(value, before[key]), f"{name}: {key}"
    assert started == 8


def test_the_reference_examines_a_run_on_both_kinds_of_people(tmp_path: Path) -> None:
    run = f"systems.model.run={tmp_path}"
    found = load_benchmark(REFERENCE, [run], data=["face space"])
    assert [(job.system, job.run) for job in found.jobs] == [("model", tmp_path), ("copy", None), ("warp", None)]
    assert found.settings.figures["retrieval_top1"].least == 0.95
    assert not {"fid", "afid", "kid"} & set(found.judges["face space"].settings.metrics)
    if not LONDON.is_dir():
        with pytest.raises(RecipeError, match="London set"):
            load_benchmark(REFERENCE, [run])
        pytest.skip("the London set is not beside the repository")
    london = load_benchmark(REFERENCE, [run]).judges["London set"].settings.data
    assert london.use == "simulated"


@pytest.mark.parametrize("path", [FULL, SMALL, ABLATIONS, REFERENCE], ids=lambda path: path.stem)
def test_its_header_says_how_it_is_run(path: Path) -> None:
    header = path.read_text().split("\nabout:")[0]
    name = path.relative_to(ROOT).as_posix()
    assert f"palsykit benchmark {name}" in header
