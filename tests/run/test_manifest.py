"""A run's files are compared with what was made: changed ones are seen, named, kept aside and made again."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from palsykit.errors import PalsykitError
from palsykit.recipe import Recipe
from palsykit.run import manifest, run_recipe
from palsykit.run.folder import RunFolder

TINY = Path(__file__).with_name("tiny.yaml")


@pytest.fixture
def copy(finished: RunFolder, tmp_path: Path) -> Path:
    """A finished run of one's own."""
    shutil.copytree(finished.path, tmp_path / "mine")
    return tmp_path / "mine"


def contents(folder: Path) -> dict[str, bytes]:
    """What a run has made, without what holds times, and without what was kept aside."""
    skipped = ("state.json", "log.jsonl", "provenance.json", "report.html", "MODEL_CARD.md", "manifest.json")
    files = (path for path in folder.rglob("*") if path.is_file() and path.name not in skipped)
    names = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    return {name: content for name, content in names.items() if not name.startswith((manifest.ASIDE, "checkpoints"))}


def first(folder: Path, pattern: str) -> Path:
    return sorted(folder.glob(pattern))[0]


def another_size(file: Path) -> None:
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(file)


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-20])


DAMAGES: dict[str, tuple[str, Callable[[Path], object]]] = {
    "a picture altered": ("images/generated/*.png", flip),
    "a picture cut": ("images/generated/*.png", cut),
    "a picture of another size": ("images/generated/*.png", another_size),
    "a picture deleted": ("images/generated/*.png", Path.unlink),
    "metadata": ("images/metadata.jsonl", cut),
    "metrics": ("metrics.json", cut),
    "figures of pictures": ("metrics.csv", flip),
    "data": ("data.json", cut),
    "a network": ("model/networks/points.safetensors", flip),
    "a network deleted": ("model/networks/recognition.safetensors", Path.unlink),
    "the denoiser": ("model/unet/diffusion_pytorch_model.safetensors", flip),
    "the rest of the model": ("model/conditioning.safetensors", cut),
    "the report": ("report.html", cut),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_what_was_changed_is_made_again(
    kind: str, copy: Path, finished: RunFolder, palsykit: Callable[..., Any], tiny: Callable[..., Recipe]
) -> None:
    pattern, damage = DAMAGES[kind]
    file = first(copy, pattern)
    damage(file)
    there = file.exists()
    changed = file.read_bytes() if there else b""
    name = file.relative_to(copy).as_posix()
    # It is seen and named.
    found = palsykit("verify", copy)
    assert found.code == 2
    assert f"{name}: {'changed' if there else 'missing'}" in found.err
    # It is made again, and what it was is kept.
    done = palsykit("run", TINY, "--output", copy)
    assert done.code == 0, done.err
    assert f"{name} ({'changed' if there else 'missing'}): not as " in done.err
    assert contents(copy) == contents(finished.path)
    assert not there or (copy / manifest.ASIDE / name).read_bytes() == changed
    assert palsykit("verify", copy).code == 0


@pytest.mark.parametrize("name", ["model/networks/points.safetensors", "model/conditioning.safetensors"])
def test_a_model_that_is_not_as_it_was_trained_is_not_used(copy: Path, palsykit: Callable[..., Any], name: str) -> None:
    (copy / name).unlink()
    picture = first(copy, "images/generated/*.png")
    done = palsykit("generate", copy, "--identity", picture, "--driver", picture, "--output", copy / "out.png")
    assert done.code == 2
    assert f"{name}: missing" in done.err
    assert f"palsykit run {copy / 'recipe.yaml'} --output {copy}" in done.err
    assert not (copy / "out.png").exists()


def test_a_run_is_verified_with_pictures(finished: RunFolder, palsykit: Callable[..., Any]) -> None:
    done = palsykit("verify", finished.path, "--images", "3")
    assert done.code == 0, done.err
    assert "files are as they were made" in done.out
    assert "3 pictures made again; they differ by at most " in done.out


def test_pictures_that_another_model_made_are_told(copy: Path, palsykit: Callable[..., Any]) -> None:
    picture = first(copy, "images/generated/*.png")
    pixels = np.array(Image.open(picture).convert("RGB"))
    Image.fromarray(255 - pixels).save(picture)
    manifest.record(copy, "generate")  # as if it had been made so
    done = palsykit("verify", copy, "--images", "1")
    assert done.code == 2
    assert "differ by more than 1 of 255" in done.err


def test_a_run_without_a_manifest_says_so(copy: Path, palsykit: Callable[..., Any]) -> None:
    (copy / manifest.NAME).unlink()
    assert "has no manifest.json" in palsykit("verify", copy).err
    (copy / manifest.NAME).write_text("{")
    assert "manifest.json: cannot be read" in palsykit("verify", copy).err
    with pytest.raises(PalsykitError, match=r"manifest\.json: cannot be read"):
        manifest.read(copy)
    assert palsykit("verify", copy / "images").code == 2


def test_changed_files_are_kept_beside_each_other(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / "images").mkdir(exist_ok=True)
        (tmp_path / "images/a.png").write_text(f"{number}")
        manifest.set_aside(tmp_path, {"images/a.png": "changed", "images/b.png": "missing"})
    kept = sorted((tmp_path / manifest.ASIDE / "images").iterdir())
    assert [(path.name, path.read_text()) for path in kept] == [("a.png", "0"), ("a.png.1", "1"), ("a.png.2", "2")]


def test_a_second_run_still_does_nothing(copy: Path, tiny: Callable[..., Recipe]) -> None:
    assert run_recipe(tiny(), copy).already_done
