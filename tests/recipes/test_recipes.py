"""Every shipped recipe loads, says how to run it, and runs from end to end at a reduced size."""

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml

from palsykit.recipe import Recipe, load_recipe
from palsykit.recipe.merge import read_extended
from palsykit.recipe.problems import RecipeError
from palsykit.run import run_recipe
from palsykit.run.folder import RunFolder
from palsykit.run.parts import Parts
from palsykit.run.runner import reopened

ROOT = Path(__file__).parents[2]
FILES = sorted(path for path in (ROOT / "recipes").glob("*.yaml") if not path.stem.startswith("benchmark"))
SHARED_BY_OTHERS = "Not to be run by itself"
LONDON = ROOT.parent / "shared" / "data" / "london"
DATA = "data={use: face_space, identities: 2, validation: 0, test: 1, renders: 3}"
SMALL = ("train.steps=1", "train.batch_size=2", "train.precision=fp32", "generate.identities=1", "sampler.steps=2")


def header(path: Path) -> str:
    """The comment that a recipe begins with."""
    return "\n".join(line for line in path.read_text().split("\n\n")[0].splitlines() if line.startswith("#"))


def is_run(path: Path) -> bool:
    return SHARED_BY_OTHERS not in header(path)


RUN = [path for path in FILES if is_run(path)]


def without_weights(path: Path) -> list[str]:
    """Changes after which a recipe needs no weights that ship: its networks and its model start at random."""
    networks = read_extended(path).value["networks"]
    fitted = ", ".join(f"{{network: {name}, trainer: {{use: landmarks}}, steps: 0}}" for name in networks)
    return [f"networks.{name}.weights=null" for name in networks] + [f"fits=[{fitted}]", "train.start=null"]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("path", RUN, ids=lambda path: path.stem)
def test_it_passes_every_check(path: Path) -> None:
    try:
        recipe = load_recipe(path)
    except RecipeError as error:
        if any(is_here(problem.found) for problem in error.problems):
            raise
        pytest.skip(f"not here: {', '.join(problem.found for problem in error.problems)}")
    assert recipe.name == path.stem
    assert recipe.settings.about


def is_here(found: str) -> bool:
    """Whether a problem is about something else than weights or photographs that are not in the repository."""
    if found == "no key weights":  # a folder of the user's, which its header says how to give
        return False
    weights = re.search(r"palsykit_weights:([\w.-]+)", found)
    if weights:
        return (ROOT / "plugins/palsykit_weights" / weights[1]).exists()
    return not ("shared/data/london" in found and not LONDON.is_dir())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_its_header_says_how_it_is_run(path: Path) -> None:
    if is_run(path):
        assert f"#   palsykit run recipes/{path.name}" in header(path)
    else:
        extended = [other for other in FILES if path.name in str(yaml.safe_load(other.read_text()).get("extends"))]
        assert extended, "what is not run is there for others"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_it_extends_resolves(path: Path) -> None:
    whole, own = read_extended(path).value, yaml.safe_load(path.read_text())
    assert "extends" not in whole
    assert whole["metrics"], "all of them descend from defaults.yaml"
    assert whole.get("about") == own.get("about"), "what a recipe is about is its own to say"


@pytest.mark.parametrize("name", ["base", "cfcpalsy-64", "cfcpalsy"])
def test_a_diffusion_recipe_runs_reduced(name: str, tmp_path: Path) -> None:
    path = ROOT / "recipes" / f"{name}.yaml"
    recipe = load_recipe(path, [*without_weights(path), *SMALL, DATA, "image_size=32"])
    run_recipe(recipe, tmp_path / name)
    metrics = json.loads((tmp_path / name / "metrics.json").read_text())["metrics"]
    assert {"afid/self2", "psnr", "ssim", "identity_similarity", "landmark_error"} <= set(metrics)
    assert all(value is None or math.isfinite(value) for value in metrics.values())  # None: not defined on so few
    line = json.loads((tmp_path / name / "log.jsonl").read_text().splitlines()[-1])
    assert ("cycle_noise" in line["terms"]) == name.startswith("cfcpalsy")


def test_the_networks_recipe_runs_reduced(tmp_path: Path) -> None:
    fits = [f"fits.{fit}.{change}" for fit in range(3) for change in ("steps=1", "batch_size=4", "precision=fp32")]
    recipe = load_recipe(ROOT / "recipes" / "networks.yaml", [*fits, DATA, "image_size=32"])
    summary = run_recipe(recipe, tmp_path / "networks")
    made = {file.stem for file in (tmp_path / "networks/model/networks").iterdir()}
    assert made == {"recognition", "expression", "points"}
    assert summary.report.exists()
    assert not (tmp_path / "networks/images").exists(), "it has no model to synthesise with"


@pytest.mark.filterwarnings("ignore:for .*copying from a non-meta parameter")
def test_the_recipe_at_the_papers_scale_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """All shapes, no numbers: the meta device allocates nothing. Its training step is benchmarks/training_step.py."""
    recipe = load_recipe(ROOT / "recipes" / "cfcpalsy-112.yaml", [DATA])
    monkeypatch.setattr("palsykit.run.parts.accelerator", lambda: SimpleNamespace(device=torch.device("meta")))
    with torch.device("meta"):
        parts = Parts(recipe)
        model = parts.model()
    assert sum(p.numel() for p in model.denoiser.parameters()) / 1e6 == pytest.approx(100, abs=15)
    tokens = [model.encoders[name].spec.tokens for name in ("identity", "expression", "landmark")]
    assert tokens == [49, 49, 49]
    assert all(encoder.spec.width == 512 for encoder in model.encoders.values())
    assert model.encoders["identity"].spec.pooled == 512
    config = model.scheduler.config
    assert (config.beta_start, config.beta_end, config.num_train_timesteps) == (1e-4, 0.02, 1000)
    assert (config.beta_schedule, model.prediction_type) == ("linear", "epsilon")


@pytest.fixture(scope="module")
def london() -> Recipe:
    if not LONDON.is_dir():
        pytest.skip(f"the London set is not at {LONDON}")
    path = ROOT / "recipes" / "london.yaml"
    small = ["networks.recognition.width=0.125", "networks.expression.width=0.125", "networks.points.width=0.125"]
    model = ["denoiser.channels=[8, 16, 24, 32]", "denoiser.head_channels=8", "generate.batch_size=8"]
    return load_recipe(path, [*without_weights(path), *SMALL, *small, *model])


@pytest.mark.slow
def test_the_london_recipe_runs_on_real_photographs(london: Recipe, tmp_path: Path) -> None:
    run_recipe(london, tmp_path / "london")
    counts = json.loads((tmp_path / "london/data.json").read_text())
    assert counts["counts"]["split"]["photographs"] == {"train": 120, "validation": 12, "test": 32}
    people = {"train": 60, "validation": 6, "test": 16}
    assert counts["counts"]["split"]["subjects"] == people
    assert counts["counts"]["expression"] == {"rest": people, "smiling": people}
    assert counts["without_landmarks"] == 82
    assert counts["rejected"] == 0

    splits = reopened(RunFolder(tmp_path / "london")).data().splits
    listed = [line.split(",") for line in (ROOT / "splits" / "london.csv").read_text().splitlines()[1:]]
    assert {record.labels.subject for record in splits["test"]} == {line[0] for line in listed if line[1] == "test"}
    records = [record for held in splits.values() for record in held]
    for record in records:
        smiles = record.labels.expression == "smiling"
        assert record.landmarks_source == ("predicted" if smiles else "given"), record.key
        assert (record.labels.side, record.labels.severity) == (None, None), "nobody said"
