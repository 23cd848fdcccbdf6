"""From a pretrained folder to pictures: train, stop, resume, generate, export, and hand the adapter to diffusers."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from diffusers import AutoencoderKL, AutoencoderTiny, PixArtTransformer2DModel, UNet2DConditionModel
from safetensors import safe_open

import palsykit
from palsykit.errors import PalsykitError
from palsykit.recipe import load_recipe
from palsykit.recipe.merge import read_extended
from palsykit.recipe.problems import RecipeError
from palsykit.run import run_recipe, trust
from palsykit.run.export import export_run
from palsykit.run.folder import RunFolder
from palsykit.run.runner import pictures_again, reopened
from palsykit.run.train import trained_model
from palsykit.training import loop

ROOT = Path(__file__).parents[3]
RECIPE = ROOT / "recipes" / "cfcpalsy-sd15.yaml"
FITS = [
    {"network": name, "trainer": {"use": "landmarks"}, "steps": 0} for name in read_extended(RECIPE).value["networks"]
]
SMALL = [
    "data={use: face_space, identities: 2, validation: 0, test: 1, renders: 2}",
    *(f"networks.{fit['network']}.{change}" for fit in FITS for change in ("weights=null", "image_size=32")),
    f"fits={json.dumps(FITS)}",
    "image_size=64",
    "train.steps=4",
    "train.batch_size=2",
    "train.accumulate=1",
    "train.checkpoint_every=2",
    "train.precision=fp32",
    "generate.identities=1",
    "sampler.steps=2",
]


@pytest.fixture(scope="module", autouse=True)
def _alike(one_thread, one_cache):
    """All runs compute alike."""


def small(folder: Path, *changes: str):
    where = [f"denoiser.weights={folder}", f"codec.weights={folder}"]
    return load_recipe(RECIPE, [*where, *SMALL, *changes])


@pytest.fixture(scope="module")
def finished(stable_diffusion, tmp_path_factory, _alike):
    folder = tmp_path_factory.mktemp("runs") / "sd15"
    run_recipe(small(stable_diffusion), folder)
    return folder


def test_the_recipe_asks_for_the_users_folder():
    with pytest.raises(RecipeError) as refused:
        load_recipe(RECIPE)
    found = {(problem.key, problem.found) for problem in refused.value.problems}
    assert found == {("codec", "no key weights"), ("denoiser", "no key weights")}


@pytest.mark.parametrize("use", ["pretrained_unet", "pretrained_dit"])
def test_activations_are_computed_again_by_one_key(stable_diffusion, use):
    assert small(stable_diffusion).settings.train.gradient_checkpointing
    with pytest.raises(RecipeError) as refused:
        small(stable_diffusion, f"denoiser={{use: {use}, weights: {stable_diffusion}, checkpointing: true}}")
    (problem,) = refused.value.problems
    assert problem.key == "denoiser.checkpointing"
    assert "it has moved: write train: {gradient_checkpointing: true}" in str(refused.value)


def test_a_run_has_the_adapter_and_not_the_pretrained_weights(finished, stable_diffusion):
    model = finished / "model"
    assert {path.name for path in model.iterdir()} >= {"adapter", "conditioning.safetensors", "scheduler"}
    assert not (model / "unet").exists()
    with safe_open(model / "conditioning.safetensors", "pt") as file:
        names, frozen = set(file.keys()), file.metadata()
    assert not [name for name in names if name.startswith(("denoiser.unet", "codec"))]
    assert {"denoiser.tokens.weight", "denoiser.pooled.weight", "denoiser.maps.weight"} <= names
    assert json.loads(frozen["frozen"]).keys() == {"codec", "denoiser"}
    assert json.loads((model / "scheduler/scheduler_config.json").read_text())["clip_sample"] is False
    plain = UNet2DConditionModel.from_pretrained(stable_diffusion / "unet")
    plain.load_lora_adapter(str(model / "adapter"), prefix="unet", use_safetensors=True)
    learnt = [p for name, p in plain.named_parameters() if "lora_B" in name]
    assert learnt
    assert all(float(p.abs().max()) > 0 for p in learnt)
    assert json.loads((finished / "manifest.json").read_text())["train"].keys() >= {
        "model/adapter/pytorch_lora_weights.safetensors"
    }


def test_it_is_opened_again_and_makes_the_same_pictures(finished):
    assert max(pictures_again(finished, 2)) <= 1  # of 255, as everywhere


def test_a_stopped_run_resumes_to_the_same_bits(finished, stable_diffusion, tmp_path, monkeypatch):
    class Dies(Exception):
        pass

    step = loop.Training.step

    def dies(self, number, batches):
        if number == 3:
            raise Dies
        return step(self, number, batches)

    recipe = small(stable_diffusion)
    with monkeypatch.context() as patch:
        patch.setattr(loop.Training, "step", dies)
        with pytest.raises(Dies):
            run_recipe(recipe, tmp_path / "run")
    checkpoint = tmp_path / "run/checkpoints/train/step-000002"
    with safe_open(checkpoint / "model.safetensors", "pt") as file:
        assert not [name for name in file.keys() if "base_layer" in name], "frozen weights are in no checkpoint"  # noqa: SIM118
    run_recipe(recipe, tmp_path / "run")
    for path in sorted((finished / "model").rglob("*.safetensors")):
        assert path.read_bytes() == (tmp_path / "run/model" / path.relative_to(finished / "model")).read_bytes(), path
    pictures = sorted((finished / "images/generated").iterdir())
    assert pictures
    for path in pictures:
        assert path.read_bytes() == (tmp_path / "run/images/generated" / path.name).read_bytes()


def test_other_frozen_weights_are_refused(finished, stable_diffusion, tmp_path):
    other = tmp_path / "sd15"
    shutil.copytree(stable_diffusion, other)
    torch.manual_seed(9)
    UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(other / "unet")).save_pretrained(other / "unet")
    shutil.copytree(finished, tmp_path / "run")
    written = (tmp_path / "run/recipe.yaml").read_text()
    (tmp_path / "run/recipe.yaml").write_text(written.replace(str(stable_diffusion), str(other)))
    run = RunFolder(tmp_path / "run")
    trust.remember(run.state()["run"], run.recipe_text())  # else it may not read another folder at all
    parts = reopened(run)
    with pytest.raises(PalsykitError, match=r"the denoiser's frozen weights have SHA-256 .* put back the files"):
        trained_model(run, parts)


def test_a_transformer_is_trained_whole_with_a_guess_in_latents(pixart, tiny_autoencoder, tmp_path):
    changes = [
        f"denoiser={{use: pretrained_dit, weights: {pixart}, train: all}}",
        f"codec={{use: autoencoder, weights: {tiny_autoencoder}}}",
        "maps.warped.error=0.5",
        "scheduler.prediction=v_prediction",
        "trainer={use: cycle, recognition: recognition, points: points}",
        "train.steps=2",
    ]
    run_recipe(load_recipe(RECIPE, [*SMALL, *changes]), tmp_path / "run")
    terms = json.loads((tmp_path / "run/log.jsonl").read_text().splitlines()[-1])["terms"]
    assert {"noise", "identity", "landmark", "cycle_noise", "cycle_identity", "cycle_landmark"} == set(terms)
    trained = PixArtTransformer2DModel.from_pretrained(tmp_path / "run/model/transformer")
    start = PixArtTransformer2DModel.from_pretrained(pixart / "transformer")
    moved = [name for name, p in trained.named_parameters() if not torch.equal(p, start.state_dict()[name])]
    assert len(moved) > 20
    assert pictures_again(tmp_path / "run", 1) == [0]
    shared = exported(tmp_path / "run", tmp_path / "shared")
    same_weights(PixArtTransformer2DModel.from_pretrained(shared, subfolder="transformer"), trained)
    same_weights(
        AutoencoderTiny.from_pretrained(shared, subfolder="vae"), AutoencoderTiny.from_pretrained(tiny_autoencoder)
    )


def exported(run: Path, dest: Path) -> Path:
    """The run's export, moved, which names no file of the user's and makes the same picture."""
    folder = export_run(run, dest).folder.rename(dest.with_name("moved"))
    here = str(dest.parents[1]).encode()
    assert [file for file in folder.rglob("*.*") if here in file.read_bytes()] == [], "where weights were"
    recipe = yaml.safe_load((folder / "recipe.yaml").read_text())
    assert recipe["codec"]["weights"] == "vae"
    noise = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    pictures = [palsykit.load(place).generate(identity=noise[0], driver=noise[1], crop=True) for place in (run, folder)]
    assert np.array_equal(*map(np.asarray, pictures))
    return folder


def same_weights(found, expected):
    assert found.state_dict().keys() == expected.state_dict().keys()
    assert all(torch.equal(value, expected.state_dict()[name]) for name, value in found.state_dict().items())


def test_an_export_has_the_pretrained_weights_under_its_adapter(finished, stable_diffusion, tmp_path):
    shared = exported(finished, tmp_path / "shared")
    plain = UNet2DConditionModel.from_pretrained(shared, subfolder="unet")
    same_weights(plain, UNet2DConditionModel.from_pretrained(stable_diffusion, subfolder="unet"))
    vae = AutoencoderKL.from_pretrained(shared, subfolder="vae")
    same_weights(vae, AutoencoderKL.from_pretrained(stable_diffusion, subfolder="vae"))
    plain.load_lora_adapter(str(shared / "adapter"), prefix="unet", use_safetensors=True)
    assert [name for name, _ in plain.named_parameters() if "lora_B" in name]
    assert "denoiser: creativeml-openrail-m (README.md)" in (shared / "README.md").read_text()
