"""``palsykit.load(run).generate(...)`` and ``evaluate``: what a finished run is for."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import palsykit as package
from palsykit.errors import PalsykitError
from palsykit.interfaces import FaceBatch
from palsykit.recipe import Recipe
from palsykit.run import evaluate_run, run_recipe
from palsykit.run.folder import RunFolder, open_run

TINY = Path(__file__).with_name("tiny.yaml")


@pytest.fixture(scope="session")
def model(finished: RunFolder) -> package.Model:
    return package.load(finished.path)


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two square pictures of noise: who, and whose expression."""
    folder = tmp_path_factory.mktemp("faces")
    rng = np.random.default_rng(0)
    for name, side in (("who.png", 48), ("how.png", 32)):
        Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(folder / name)
    return folder / "who.png", folder / "how.png"


def test_the_same_seed_gives_the_same_picture(model: package.Model, faces: tuple[Path, Path]) -> None:
    who, how = faces
    one, again, other = (np.asarray(model.generate(identity=who, driver=how, seed=seed)) for seed in (3, 3, 4))
    assert one.shape == (32, 32, 3)
    assert one.dtype == np.uint8
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_who_and_how_both_count(model: package.Model, faces: tuple[Path, Path]) -> None:
    who, how = faces
    one = np.asarray(model.generate(identity=who, driver=how))
    assert not np.array_equal(one, model.generate(identity=how, driver=how))
    assert not np.array_equal(one, model.generate(identity=who, driver=who))


def test_the_batch_has_the_view_at_rest(
    model: package.Model, faces: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    who, how = faces
    seen = []

    def watched(batch: FaceBatch, *further: Any) -> Any:
        seen.append(batch)
        return synthesise(batch, *further)

    synthesise = model.synthesise
    monkeypatch.setattr(model, "synthesise", watched)
    model.generate(identity=who, driver=how)
    model.generate(identity=who, driver=how, rest=how)
    assert seen[0].rest is None
    assert np.array_equal(seen[1].rest.image, seen[1].driver.image)
    with pytest.raises(PalsykitError, match="rest is the driver's person at rest, and there is no driver"):
        model.generate(identity=who, rest=how, expression="smile_full")


def test_a_path_a_picture_and_an_array_are_the_same_face(model: package.Model, faces: tuple[Path, Path]) -> None:
    who, how = faces
    one = np.asarray(model.generate(identity=str(who), driver=how))
    with Image.open(who) as picture:
        loaded = picture.convert("RGBA")
    assert np.array_equal(one, model.generate(identity=loaded, driver=np.asarray(Image.open(how))))


def test_a_picture_that_is_not_square_is_refused(model: package.Model, faces: tuple[Path, Path]) -> None:
    with pytest.raises(
        PalsykitError, match=r"driver: found no face in 40 x 32 px; expected a face seen from the front"
    ):
        model.generate(identity=faces[0], driver=Image.new("RGB", (40, 32)))


@pytest.mark.parametrize("content", [b"", b"no picture", None], ids=["empty", "text", "missing"])
def test_an_unreadable_picture_is_refused(
    model: package.Model, faces: tuple[Path, Path], tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "face.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(
        PalsykitError, match=r"identity: .*face\.png: (there is no such file|cannot be read as a picture)"
    ):
        model.generate(identity=path, driver=faces[1])


def test_a_picture_cut_short_is_refused(model: package.Model, faces: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "cut.png").write_bytes(faces[0].read_bytes()[:2000])
    with pytest.raises(PalsykitError, match=r"identity: .*cut\.png: cannot be read as a picture"):
        model.generate(identity=tmp_path / "cut.png", driver=faces[1])


@pytest.mark.parametrize("shape", [(32, 32), (32, 32, 4)])
def test_an_array_that_is_no_rgb_picture_is_refused(
    model: package.Model, faces: tuple[Path, Path], shape: tuple[int, ...]
) -> None:
    with pytest.raises(PalsykitError, match=r"identity: uint8 .*; expected uint8 RGB"):
        model.generate(identity=np.zeros(shape, np.uint8), driver=faces[1])


def test_guidance(model: package.Model, faces: tuple[Path, Path]) -> None:
    who, how = faces
    plain, one, two = (np.asarray(model.generate(identity=who, driver=how, guidance=g)) for g in (None, 1.0, 2.0))
    assert np.array_equal(plain, one), "the recipe's, which is none"
    assert not np.array_equal(one, two)


@pytest.mark.parametrize("strength", [float("nan"), float("inf"), -1.0, 101.0])
def test_guidance_that_no_recipe_may_have_is_refused(
    model: package.Model, faces: tuple[Path, Path], strength: float
) -> None:
    with pytest.raises(PalsykitError, match="expected a number from 0 to 100"):
        model.generate(identity=faces[0], driver=faces[1], guidance=strength)


def test_guidance_without_dropped_conditions_is_refused_before_training(
    tiny: Callable[..., Recipe], tmp_path: Path
) -> None:
    never = [f"conditions.{name}.drop=0.0" for name in ("identity", "expression", "landmark")]
    with pytest.raises(PalsykitError, match=r"guidance 2: no condition is dropped .*train with drop: 0\.1"):
        run_recipe(tiny(*never, "generate.guidance=2.0"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_guidance_of_a_model_without_dropped_conditions_is_refused(
    tiny: Callable[..., Recipe], faces: tuple[Path, Path]
) -> None:
    from palsykit.run.parts import Parts

    parts = Parts(tiny(*(f"conditions.{name}.drop=0.0" for name in ("identity", "expression", "landmark"))))
    made = package.Model(parts, parts.model())
    made.generate(identity=faces[0], driver=faces[1])
    with pytest.raises(PalsykitError, match="guidance 2: no condition is dropped in training"):
        made.generate(identity=faces[0], driver=faces[1], guidance=2.0)


def test_the_command_line_makes_the_librarys_picture(
    finished: RunFolder,
    model: package.Model,
    faces: tuple[Path, Path],
    palsykit: Callable[..., Any],
    tmp_path: Path,
) -> None:
    who, how = faces
    target = tmp_path / "made.png"
    arguments = ("--identity", who, "--driver", how, "--seed", 7, "--output", target)
    done = palsykit("generate", finished.path, *arguments)
    assert (done.code, done.out) == (0, f"{target}\n")
    with Image.open(target) as picture:
        assert np.array_equal(picture, model.generate(identity=who, driver=how, seed=7))


def test_a_run_that_is_not_trained_cannot_be_loaded(tiny: Callable[..., Recipe], tmp_path: Path) -> None:
    open_run(tiny(), tmp_path / "run")
    for use in (package.load, evaluate_run):
        with pytest.raises(PalsykitError, match=r"its training is not finished; resume it: palsykit run "):
            use(tmp_path / "run")
        with pytest.raises(PalsykitError, match=r"not a palsykit run \(no state\.json in it\)"):
            use(tmp_path / "nothing")


def test_a_damaged_model_is_an_error(finished: RunFolder, tmp_path: Path) -> None:
    shutil.copytree(finished.path, tmp_path / "run")
    (tmp_path / "run/model/unet/diffusion_pytorch_model.safetensors").write_bytes(b"short")
    with pytest.raises(PalsykitError, match=r"not as it was trained[\s\S]*pytorch_model\.safetensors: changed"):
        package.load(tmp_path / "run")
    (tmp_path / "run/manifest.json").unlink()  # a run of an earlier version has none
    with pytest.raises(PalsykitError, match=r"not this recipe's model: .*diffusion_pytorch_model\.safetensors"):
        package.load(tmp_path / "run")


def test_evaluate_measures_the_run_again_and_refuses_pictures_that_changed(finished: RunFolder, tmp_path: Path) -> None:
    shutil.copytree(finished.path, tmp_path / "run")
    run = RunFolder(tmp_path / "run")
    before = json.loads(run.metrics.read_text())["metrics"]
    run.metrics.unlink()
    run.report.unlink()
    assert evaluate_run(run.path) == before, "to the last bit"
    assert json.loads(run.metrics.read_text())["metrics"] == before
    assert run.report.exists()
    first = next((run.images / "generated").iterdir())
    Image.new("RGB", (32, 32)).save(first)
    with pytest.raises(PalsykitError, match=rf"not as it was made(.|\n)*{first.name}: changed"):
        evaluate_run(run.path)
    assert json.loads(run.metrics.read_text())["metrics"] == before
