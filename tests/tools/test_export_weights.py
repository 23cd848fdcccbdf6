"""A finished run's weights are exported to files for recipes, in half precision, with a card, and can be read back."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
import torch

from palsykit.errors import PalsykitError
from palsykit.files.weights import load
from palsykit.recipe import Recipe, load_recipe
from palsykit.run import run_recipe
from palsykit.run.folder import RunFolder
from palsykit.run.parts import Parts
from palsykit.run.train import trained_model

TINY = Path(__file__).parents[1] / "run" / "tiny.yaml"
QUICK = [
    "name=tiny-export",
    *(f"fits.{fit}.steps=1" for fit in range(3)),
    "train.steps=2",
    "generate.identities=1",
    *(f"metrics.{name}=null" for name in ("ssim", "identity", "landmark_error", "afid")),
]
NETWORKS = ("expression", "points", "recognition")


Script = Callable[[str], ModuleType]
TOOL = "tools/export_weights.py"


@dataclass
class Exported:
    run: RunFolder
    folder: Path
    files: list[Path]


@pytest.fixture(scope="module", autouse=True)
def surroundings(shared_cache: Path) -> Iterator[None]:
    """The cache that all tests share, for what is run once; one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PALSYKIT_CACHE", str(shared_cache))
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, script: Script) -> Exported:
    """A run of the miniature, and what is exported of it."""
    base = tmp_path_factory.mktemp("export")
    run_recipe(load_recipe(TINY, QUICK), base / "run")
    (base / "weights").mkdir()
    return Exported(RunFolder(base / "run"), base / "weights", script(TOOL).export(base / "run", base / "weights"))


@pytest.fixture
def going_on(exported: Exported) -> Callable[..., Recipe]:
    """The miniature from the exported files: nothing is left to fit."""
    files = [f"networks.{name}.weights={exported.folder / name}.safetensors" for name in NETWORKS]
    start = f"train.start={exported.folder / 'base.safetensors'}"
    return lambda *changes: load_recipe(TINY, [*QUICK, "fits=[]", *files, start, *changes])


def test_networks_and_model_are_written_with_a_card_each(exported: Exported) -> None:
    assert [file.name for file in exported.files] == [*(f"{name}.safetensors" for name in NETWORKS), "base.safetensors"]
    found = sorted(path.name for path in exported.folder.iterdir())
    assert found == sorted(f"{name}.{suffix}" for name in (*NETWORKS, "base") for suffix in ("md", "safetensors"))


def test_half_precision_of_the_runs_own_weights(exported: Exported) -> None:
    for name in NETWORKS:
        own, _ = load(exported.run.networks / f"{name}.safetensors")
        file = exported.folder / f"{name}.safetensors"
        state, metadata = load(file)
        assert metadata["recipe_hash"] == exported.run.state()["recipe_hash"]
        assert file.stat().st_size < 0.75 * (exported.run.networks / f"{name}.safetensors").stat().st_size
        for key, value in own.items():
            torch.testing.assert_close(state[key], value, rtol=2.0**-11, atol=1e-7)
            assert state[key].dtype == value.dtype


def test_cards_name_file_run_and_sources(exported: Exported) -> None:
    for file in exported.files:
        card = file.with_suffix(".md").read_text()
        assert card.startswith(f"# {file.stem}\n")
        assert f"SHA-256 {hashlib.sha256(file.read_bytes()).hexdigest()}" in card
        assert f"recipe hash: {exported.run.state()['recipe_hash']}" in card
        assert "palsykit run recipes/tiny-export.yaml" in card
        assert f"{file.stat().st_size:,} bytes" in card
        assert "London Set" in card
        assert "licence: " in card
    base, points = (exported.folder.joinpath(f"{name}.md").read_text() for name in ("base", "points"))
    assert "steps: 2 of batch 4" in base
    assert "steps: 1 of batch 4" in points
    psnr = json.loads(exported.run.metrics.read_text())["metrics"]["psnr"]
    assert json.dumps({"psnr": psnr}) in base
    assert "psnr" not in points, "the model's figures are not the network's"


def test_a_model_of_another_size_has_another_name(exported: Exported, script: Script, tmp_path: Path) -> None:
    written = script(TOOL).export(exported.run.path, tmp_path, "base_32")
    assert written[-1].name == "base_32.safetensors"
    assert (tmp_path / "base_32.md").read_text().startswith("# base_32\n")
    assert "metrics on held-out identities" in (tmp_path / "base_32.md").read_text()


def test_a_run_starts_from_the_exported_files(
    exported: Exported, going_on: Callable[..., Recipe], tmp_path: Path
) -> None:
    run_recipe(going_on("train.steps=0"), tmp_path / "run")
    again = RunFolder(tmp_path / "run")
    parts = Parts(going_on("train.steps=0"))
    model = trained_model(again, parts)
    assert model is not None
    state, _ = load(exported.folder / "base.safetensors")
    assert set(state) == set(model.state_dict())
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items()), "no step, no change"
    for name in NETWORKS:
        state, _ = load(exported.folder / f"{name}.safetensors")
        assert all(torch.equal(v, state[key]) for key, v in parts.networks[name].module.state_dict().items())
    before, after = (json.loads(run.metrics.read_text())["metrics"]["psnr"] for run in (exported.run, again))
    assert after == pytest.approx(before, abs=0.05), "half precision costs next to nothing"


def test_a_model_of_another_make_is_refused(going_on: Callable[..., Recipe], tmp_path: Path) -> None:
    with pytest.raises(PalsykitError, match=r"base\.safetensors: not the weights of this ConditionalDiffusion"):
        run_recipe(going_on("denoiser.channels=[8, 24]"), tmp_path / "run")


def test_a_run_without_weights_is_refused(exported: Exported, tmp_path: Path, script: Script) -> None:
    (tmp_path / "recipe.yaml").write_text(exported.run.recipe.read_text())
    with pytest.raises(FileNotFoundError, match="no weights; expected a finished run"):
        script(TOOL).export(tmp_path, tmp_path)


def test_they_go_to_the_folder_whose_files_recipes_name(script: Script) -> None:
    assert (script(TOOL).SHIPPED / "points.safetensors").is_file()
