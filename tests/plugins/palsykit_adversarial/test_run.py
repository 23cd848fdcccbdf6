"""A recipe without a denoiser: the one loop trains the generator, stops, goes on, and its run generates like any."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import palsykit
from palsykit.errors import PalsykitError
from palsykit.faces.pairing import pair
from palsykit.faces.views import batch
from palsykit.files.pictures import save_png
from palsykit.files.weights import load as load_weights
from palsykit.interfaces import Encoded, FaceBatch, FaceView, Images, TokenSpec
from palsykit.recipe import Recipe, load_recipe
from palsykit.recipe.problems import RecipeError
from palsykit.recipe.schema import Optimisation
from palsykit.run import run_recipe
from palsykit.run.export import export_run
from palsykit.run.folder import RunFolder
from palsykit.run.parts import Parts
from palsykit.run.runner import train_recipe
from palsykit.training import checkpoint, loop
from palsykit.training.batches import PairedFaces
from palsykit_adversarial.generator import Generator
from palsykit_face_space.dataset import FaceSpace
from palsykit_maps.outlines import PARTS, outlines
from palsykit_metrics.regions import MovingRegions

SIZE = 32
ROOT = Path(__file__).parents[3]
RECIPE = """
about: A miniature for tests.
image_size: 32
data: {use: face_space, identities: 3, validation: 0, test: 1, renders: 3}
networks:
  recognition: {use: ir, depth: 18, width: 0.125, embedding: 16}
  expression: {use: ir, depth: 18, width: 0.125, embedding: 16, heads: {expression: 8, side: 3, severity: 1}}
  points: {use: mobilefacenet, width: 0.125}
fits:
  - {network: recognition, trainer: {use: angular_margin}, steps: 0}
  - {network: expression, trainer: {use: expression}, steps: 0}
  - {network: points, trainer: {use: landmarks}, steps: 0}
synthesiser: {use: adversarial, channels: [8, 16, 16], vector: 16}
trainer: {use: adversarial, channels: [8, 16]}
train: {steps: 6, batch_size: 4, lr: 1e-3, ema: 0.9, checkpoint_every: 2, log_every: 1, precision: fp32}
generate: {identities: 1, batch_size: 5}
metrics: {psnr: {use: psnr}}
"""
Tiny = Callable[..., Recipe]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    path = tmp_path_factory.mktemp("recipes") / "tiny.yaml"
    path.write_text(RECIPE)
    return lambda *changes: load_recipe(path, changes)


@pytest.fixture(scope="module")
def finished(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> RunFolder:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PALSYKIT_CACHE", str(shared_cache))
        folder = tmp_path_factory.mktemp("runs") / "whole"
        run_recipe(tiny(), folder)
    return RunFolder(folder)


def test_a_watched_training_of_two_players_has_the_same_weights(
    finished: RunFolder, tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train_recipe(tiny("data.validation=1", "watch={every: 3, best: picture_error}"), tmp_path / "watched")
    file = "model/synthesiser.safetensors"
    assert (tmp_path / "watched" / file).read_bytes() == (finished.path / file).read_bytes()
    lines = [json.loads(line) for line in (tmp_path / "watched/watch/figures.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [0, 3, 6]
    assert set(lines[-1]["losses"]["ema"]) == {"real", "made", "penalty", "adversarial", "l1", "identity"}
    assert lines[-1]["shares"] == {}, "no diffusion model"
    assert "Ignored conditions are not looked for" in (tmp_path / "watched/live.html").read_text(encoding="utf-8")
    assert "failed" not in capsys.readouterr().err


def test_both_players_are_logged_and_the_models_folder_holds_the_generator_alone(finished: RunFolder) -> None:
    lines = [json.loads(line) for line in (finished.path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if line["job"] == "train"] == [1, 2, 3, 4, 5, 6]
    assert set(lines[-1]["terms"]) == {"real", "made", "penalty", "adversarial", "l1", "identity"}
    state, _ = load_weights(finished.model / "synthesiser.safetensors")
    assert not any("discriminator" in name for name in state)
    assert sorted(path.name for path in finished.model.iterdir()) == ["networks", "synthesiser.safetensors"]
    assert "synthesiser: adversarial" in (finished.path / "MODEL_CARD.md").read_text()
    assert (finished.path / "report.html").exists()


def test_what_the_run_keeps_is_the_average(finished: RunFolder) -> None:
    """The last checkpoint is before the last step: its average and its model differ from one another."""
    last = checkpoint.existing(finished.checkpoints("train"))[-1]
    model, ema, trainer = (checkpoint.load(last, name) for name in ("model", "ema", "trainer"))
    assert set(model) == set(ema)
    assert not torch.equal(model["stem.weight"], ema["stem.weight"])
    assert {name.split(".")[0] for name in trainer} == {"discriminator"}
    state, _ = load_weights(finished.model / "synthesiser.safetensors")
    gap = {name: float((state["stem.weight"] - of["stem.weight"]).abs().max()) for name, of in (("ema", ema),)}
    assert gap["ema"] < 6e-3, "the average follows slowly"


def test_a_run_that_was_stopped_ends_with_the_same_bits(
    tiny: Tiny, finished: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = loop.Training.step

    def dies(self: Any, number: int, batches: Any) -> Any:
        if self.job.name == "train" and number == 5:
            raise KeyboardInterrupt
        return step(self, number, batches)

    monkeypatch.setattr(loop.Training, "step", dies)
    with pytest.raises(KeyboardInterrupt):
        run_recipe(tiny(), tmp_path / "stopped")
    monkeypatch.undo()
    run_recipe(tiny(), tmp_path / "stopped")
    for name in ("model/synthesiser.safetensors", "metrics.json"):
        assert (tmp_path / "stopped" / name).read_bytes() == (finished.path / name).read_bytes(), name


def test_a_loaded_run_makes_the_runs_own_pictures(finished: RunFolder) -> None:
    model = palsykit.load(finished.path)
    assert isinstance(model.model, Generator)
    data = model.parts.data()
    rows = pair(data.splits["test"], model.parts.settings.seed)
    lines = [json.loads(line) for line in (finished.images / "metadata.jsonl").read_text().splitlines()]
    chosen = [next(row for row in rows if row.record.key == line["driver"]) for line in lines]
    made = model.synthesise(batch(data.dataset, chosen), [0] * len(chosen))
    for line, picture in zip(lines, made, strict=True):
        kept = np.asarray(Image.open(finished.images / line["file_name"]))
        assert np.abs(picture.astype(int) - kept.astype(int)).max() <= 1


def test_the_command_line_generates_with_it(
    finished: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from palsykit.cli import main

    data = Parts(load_recipe(finished.recipe)).data()
    who, how = data.splits["test"][:2]
    for name, record in (("who", who), ("how", how)):
        save_png(data.dataset.image(record), tmp_path / f"{name}.png")
    given = ["--identity", tmp_path / "who.png", "--driver", tmp_path / "how.png", "--output", tmp_path / "made.png"]
    monkeypatch.setattr("sys.argv", ["palsykit", "generate", *map(str, [finished.path, *given])])
    with suppress(SystemExit):
        main()
    assert "made.png" in capsys.readouterr().out
    by_library = palsykit.load(finished.path).generate(identity=tmp_path / "who.png", driver=tmp_path / "how.png")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "made.png")), np.asarray(by_library))


def test_an_exported_generator_makes_the_same_pictures(finished: RunFolder, tmp_path: Path) -> None:
    made = export_run(finished.path, tmp_path / "shared")
    assert {name for name in made.files if name.endswith(".safetensors")} >= {"synthesiser.safetensors"}
    noise = np.random.default_rng(0).integers(0, 256, (2, SIZE, SIZE, 3), dtype=np.uint8)
    by_run, by_export = (
        np.asarray(palsykit.load(place).generate(identity=noise[0], driver=noise[1]))
        for place in (finished.path, made.folder)
    )
    assert np.array_equal(by_run, by_export)


def test_another_recipe_uses_its_weights_without_a_trainer(tiny: Tiny, finished: RunFolder) -> None:
    weights = finished.model / "synthesiser.safetensors"
    recipe = tiny("trainer=null", f"synthesiser.weights={weights}")
    found, made = Parts(recipe).synthesiser(None), palsykit.load(finished.path).model
    assert isinstance(found, Generator)
    assert isinstance(made, Generator)
    assert all(torch.equal(a, b) for a, b in zip(found.state_dict().values(), made.state_dict().values(), strict=True))


def test_recipes_that_leave_open_what_is_trained_are_refused(tiny: Tiny) -> None:
    with pytest.raises(
        RecipeError, match=r"synthesiser adversarial without weights, expected synthesiser\.weights: FILE"
    ):
        tiny("trainer=null")
    with pytest.raises(PalsykitError, match="the synthesiser 'copy' has no trainable weights; remove trainer"):
        Parts(tiny("synthesiser=copy")).model()
    diffusion = load_recipe(ROOT / "tests" / "run" / "tiny.yaml", ["synthesiser=adversarial"])
    with pytest.raises(PalsykitError, match="two models to train, a diffusion model and the synthesiser 'adversarial'"):
        Parts(diffusion).model()


def test_a_trainer_of_diffusion_is_refused_by_its_own_words(tiny: Tiny, tmp_path: Path) -> None:
    recipe = load_recipe(ROOT / "tests" / "run" / "tiny.yaml", ["trainer={use: adversarial}", "fits.0.steps=0"])
    parts = Parts(recipe)
    faces = PairedFaces(parts.data().dataset, pair(parts.data().splits["train"], 0))
    trainer = parts.trainer(recipe.settings.trainer, parts.data())  # type: ignore[arg-type]
    job = loop.Job("train", parts.model(), trainer, faces, recipe.settings.train, 0, tmp_path, lambda line: None)
    with pytest.raises(PalsykitError, match="train: adversarial trains a synthesiser with trainable weights"):
        loop.train(job)


class Given(nn.Module):
    """The landmarks that the data set knows, as a token: what a network would have to find."""

    def __init__(self) -> None:
        super().__init__()
        self.spec, self.look = TokenSpec(1, 16), nn.Linear(136, 16)

    def extract(self, view: FaceView) -> dict[str, Tensor]:
        return {"points": view.landmarks}

    def forward(self, features: dict[str, Tensor]) -> Encoded:
        token = self.look(2 * features["points"].flatten(1) / SIZE - 1)
        return Encoded(token[:, None])


class Drawn:
    """The same, as lines."""

    channels, views = len(PARTS), ("driver",)

    def __call__(self, view: FaceView) -> Tensor:
        return outlines(view.landmarks, SIZE)


def test_it_learns_a_handful_of_renders_beyond_a_copy_where_faces_move(
    trainer_of: Callable[..., Any], tmp_path: Path
) -> None:
    data = FaceSpace(SIZE, tmp_path, identities=1, validation=0, test=0, renders=5, visits=1)
    pairs = [one for one in pair(data.records, 0) if one.identity.key != one.record.key]
    settings = Optimisation(steps=60, batch_size=len(pairs), lr=2e-3, ema=0.8, precision="fp32", checkpoint_every=100)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = Generator(
            SIZE, conditions={"landmark": Given()}, maps={"drawn": Drawn()}, channels=(16, 32, 32), vector=16
        )
    trainer = trainer_of(adversarial_weight=0.3)
    average = loop.train(
        loop.Job("train", made, trainer, PairedFaces(data, pairs), settings, 0, tmp_path / "job", lambda line: None)
    )
    assert isinstance(average, Generator)
    faces = batch(data, pairs)
    learnt, copied = (moving(faces, x) for x in (average.generate(faces, [0] * len(faces)), faces.identity.image))
    assert learnt > copied + 1, f"{learnt:.1f} dB beside {copied:.1f} dB of a copy"


def moving(faces: FaceBatch, made: torch.Tensor) -> float:
    """Mean PSNR in dB of eyes, brows and mouth."""
    return float(MovingRegions().read(faces, Images(made))["moving_psnr"].nanmean())


def test_the_shipped_recipe_is_the_ablations_data_steps_and_judges() -> None:
    shared = load_recipe(ROOT / "recipes" / "ablations" / "cfcpalsy.yaml").resolved
    recipe = load_recipe(ROOT / "recipes" / "baselines" / "adversarial.yaml")
    for section in ("image_size", "data", "networks", "generate", "metrics", "seed"):
        assert recipe.resolved[section] == shared[section], section
    assert recipe.settings.denoiser is None
    assert recipe.resolved["train"]["batch_size"] == shared["train"]["batch_size"]
