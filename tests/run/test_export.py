"""An exported run opens without the run, in palsykit and in diffusers, and makes the same pictures."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from diffusers import DiffusionPipeline, UNet2DConditionModel
from diffusers.utils import dynamic_modules_utils

import palsykit as package
from palsykit.errors import PalsykitError
from palsykit.files.hashes import sha256
from palsykit.report.model_header import Listing
from palsykit.run import evaluate_run, run_recipe
from palsykit.run.export import export_run
from palsykit.run.folder import RunFolder
from palsykit.synthesis import custom_pipeline

Run = Callable[..., Any]
NOISE = np.random.default_rng(1).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
ASKED: dict[str, Any] = {"identity": NOISE[0], "driver": NOISE[1], "seed": 3, "guidance": 2.0, "crop": True}


@pytest.fixture(scope="module")
def exported(finished: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    dest = tmp_path_factory.mktemp("exported") / "tiny"
    export_run(finished.path, dest, Listing("mit", ("someone/base",), ("someone/faces",)))
    return dest


@pytest.fixture
def copy(exported: Path, tmp_path: Path) -> Path:
    shutil.copytree(exported, tmp_path / "copy")
    return tmp_path / "copy"


@pytest.fixture
def no_run(finished: RunFolder) -> Iterator[None]:
    """The run is not there."""
    aside = finished.path.with_name("aside")
    finished.path.rename(aside)
    yield
    aside.rename(finished.path)


def pixels(picture: Any) -> Any:
    return np.asarray(picture).tolist()


def test_it_makes_the_runs_pictures_to_the_bit(finished: RunFolder, exported: Path, request: Any) -> None:
    run = package.load(finished.path)
    expected = pixels(run.generate(**ASKED))
    by_name = {"identity": NOISE[0], "expression": "smile_full", "side": "left", "severity": 4.0, "crop": True}
    named = pixels(run.generate(**by_name))
    request.getfixturevalue("no_run")
    pipeline = package.Pipeline.from_pretrained(exported)
    assert pixels(pipeline(**ASKED).images[0]) == expected
    assert pixels(pipeline(**by_name, return_dict=False)[0][0]) == named
    assert pixels(package.load(exported).generate(**ASKED)) == expected
    assert pipeline.model.facts == run.facts, "also what pictures say of their model"


@pytest.mark.parametrize("module", ["its own", "the installed one"])
def test_diffusers_opens_it(
    finished: RunFolder, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    monkeypatch.setattr(dynamic_modules_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))
    which = str(exported) if module == "its own" else str(custom_pipeline.__file__)
    with pytest.raises(ValueError, match="trust_remote_code"):
        DiffusionPipeline.from_pretrained(exported, custom_pipeline=which)
    opened: Any = DiffusionPipeline.from_pretrained(exported, custom_pipeline=which, trust_remote_code=True)
    assert type(opened) is package.Pipeline
    assert pixels(opened(**ASKED).images[0]) == pixels(package.load(finished.path).generate(**ASKED))
    assert opened.to("cpu") is opened
    with pytest.raises(PalsykitError, match="in float32 on cpu"):
        opened.to("cuda")


def test_the_denoiser_is_in_diffusers_layout(exported: Path) -> None:
    unet = UNet2DConditionModel.from_pretrained(exported, subfolder="unet")
    trained: Any = package.load(exported).model
    ours = trained.denoiser.unet.state_dict()
    assert all(bool((ours[name] == value).all()) for name, value in unet.state_dict().items())


def test_only_weights_and_texts_and_no_path_of_this_machine(finished: RunFolder, exported: Path) -> None:
    files = [file for file in exported.rglob("*") if file.is_file()]
    assert {file.suffix for file in files} <= {".safetensors", ".json", ".yaml", ".md", ".py"}
    assert (exported / "pipeline.py").read_text() == Path(str(custom_pipeline.__file__)).read_text()
    places = (str(finished.path.parent), str(Path(__file__).parents[2]))
    assert [file for file in files for place in places if place.encode() in file.read_bytes()] == []
    listed = json.loads((exported / "manifest.json").read_text())["train"]
    assert {file.relative_to(exported).as_posix() for file in files} - set(listed) == {"manifest.json", "README.md"}


def test_opening_runs_nothing_of_the_folder_and_reads_nothing_outside(copy: Path, tmp_path: Path) -> None:
    (copy / "pipeline.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(PalsykitError, match=r"not as it was exported(.|\n)*pipeline.py: changed"):
        package.Pipeline.from_pretrained(copy)
    recipe = yaml.safe_load((copy / "recipe.yaml").read_text())
    recipe["networks"]["points"]["weights"] = str(tmp_path / "secret.safetensors")
    (copy / "recipe.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))
    (copy / "manifest.json").write_text("{}")
    with pytest.raises(PalsykitError, match=r"has no manifest.json"):
        package.Pipeline.from_pretrained(copy)
    (copy / "manifest.json").write_text(json.dumps({"train": {"recipe.yaml": sha256(copy / "recipe.yaml")}}))
    with pytest.raises(PalsykitError, match="inside the run's folder"):
        package.Pipeline.from_pretrained(copy)
    assert not (tmp_path / "ran").exists()


def test_a_missing_plugin_is_one_message(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from palsykit.registry import registry

    monkeypatch.setenv("PALSYKIT_DISABLE", "cross_fusion,landmark")
    registry.cache_clear()
    try:
        with pytest.raises(PalsykitError, match="made with parts that no plugin has here") as refused:
            package.Pipeline.from_pretrained(exported)
    finally:
        registry.cache_clear()
    listed = {part["interface"] for part in json.loads((exported / "state.json").read_text())["parts"]}
    assert listed >= {"encoders", "fusions", "denoisers", "networks", "samplers"}
    assert not listed & {"datasets", "trainers", "metrics"}, "what only training needs may be missing"
    assert len(refused.value.problems) == 3, "the fusion, the encoder and its network"
    assert any("fusion 'cross': of the package 'palsykit" in str(line) for line in refused.value.problems)


def test_the_card_has_what_a_hub_indexes(finished: RunFolder, exported: Path) -> None:
    _, header, card = (exported / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    found = yaml.safe_load(header)
    expected = {"license": "mit", "library_name": "diffusers", "pipeline_tag": "image-to-image"}
    assert found.items() >= expected.items()
    assert (found["base_model"], found["datasets"]) == (["someone/base"], ["someone/faces"])
    assert "palsykit" in found["tags"]
    figures = json.loads(finished.metrics.read_text())["metrics"]
    (results,) = found["model-index"][0]["results"]
    assert results["dataset"]["split"] == "test"
    assert {one["type"]: one["value"] for one in results["metrics"]} == {
        name: value for name, value in figures.items() if value is not None
    }
    assert 'palsykit.Pipeline.from_pretrained("tiny")' in card
    assert "unet/diffusion_pytorch_model.safetensors" in card


def test_weights_that_a_recipe_names_travel(handed_on: Path, tmp_path: Path) -> None:
    made = export_run(handed_on, tmp_path / "dest")
    assert "parts/networks.points.weights.safetensors" in made.files
    assert "networks/recognition.safetensors" in made.files
    recipe = yaml.safe_load((made.folder / "recipe.yaml").read_text())
    assert recipe["networks"]["points"]["weights"] == "parts/networks.points.weights.safetensors"
    assert recipe["data"] == {"use": "imagefolder"}
    (tmp_path / "dest").rename(tmp_path / "moved")
    ours = package.load(tmp_path / "moved").generate(**ASKED)
    assert pixels(ours) == pixels(package.load(handed_on).generate(**ASKED))


def test_a_pipeline_is_saved_and_an_export_is_no_run(exported: Path, tmp_path: Path, tiny: Run) -> None:
    (exported / "notes.txt").write_text("mine")
    package.Pipeline.from_pretrained(exported).save_pretrained(tmp_path / "again")
    (exported / "notes.txt").unlink()
    files = {file.relative_to(exported) for file in exported.rglob("*") if file.is_file()}
    assert files == {file.relative_to(tmp_path / "again") for file in (tmp_path / "again").rglob("*") if file.is_file()}
    for refused in (lambda: evaluate_run(exported), lambda: run_recipe(tiny(), exported)):
        with pytest.raises(PalsykitError, match="an exported model"):
            refused()
    with pytest.raises(PalsykitError, match="an exported model"):
        package.load(exported).parts.data()
    with pytest.raises(PalsykitError, match="expected an exported model"):
        package.Pipeline.from_pretrained(tmp_path)


@dataclass
class Sent:
    """What a hub was asked."""

    repo_id: str
    commit_url: str = "https://hub/commit/1"


def test_the_command_sends_nothing_unless_told(
    finished: RunFolder, tmp_path: Path, palsykit: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def create_repo(name: str, **words: Any) -> Sent:
        asked.append((name, words))
        return Sent(name)

    def upload_folder(**words: Any) -> Sent:
        asked.append(({path.name for path in Path(words["folder_path"]).iterdir()}, words))
        return Sent("")

    def unreachable(name: str, **words: Any) -> Sent:
        raise OSError("no route")

    monkeypatch.setattr("huggingface_hub.create_repo", create_repo)
    monkeypatch.setattr("huggingface_hub.upload_folder", upload_folder)
    done = palsykit("export", finished.path, tmp_path / "a")
    assert (done.code, asked) == (0, []), done.err
    assert palsykit("export", finished.path, tmp_path / "b", "--public").code == 2
    assert palsykit("export", finished.path, tmp_path / "a").code == 2, "it holds something"
    assert palsykit("export", finished.path, tmp_path / "c", "--push-to-hub", "me/faces").code == 0
    assert asked[0] == ("me/faces", {"private": True, "exist_ok": True, "token": None})
    assert "README.md" in asked[1][0]
    assert asked[1][1]["repo_id"] == "me/faces"
    package.Pipeline.from_pretrained(tmp_path / "a").push_to_hub("me/faces", private=False)
    assert asked[2][1]["private"] is False
    assert "model_index.json" in asked[3][0]
    monkeypatch.setattr("huggingface_hub.create_repo", unreachable)
    done = palsykit("export", finished.path, tmp_path / "d", "--push-to-hub", "me/faces")
    assert done.code == 2
    assert "not sent (no route)" in done.err
    assert palsykit("verify", tmp_path / "d").code == 0, "the folder is whole"


def test_what_cannot_be_exported_is_refused_and_leaves_nothing(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(PalsykitError, match="exported already"):
        export_run(exported, tmp_path / "dest")
    assert list(tmp_path.iterdir()) == []
