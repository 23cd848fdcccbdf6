"""A run folder of a stranger reads nothing outside itself; runs that were made here open as before."""

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import palsykit as package
from palsykit.errors import PalsykitError
from palsykit.recipe import load_recipe
from palsykit.run import evaluate_run, run_recipe
from palsykit.run.folder import RunFolder
from palsykit.run.parts import Parts


@pytest.fixture
def received(finished: RunFolder, tmp_path: Path) -> Path:
    """A run from elsewhere: no palsykit command of this user has made it."""
    folder = tmp_path / "received"
    shutil.copytree(finished.path, folder)
    (folder / "state.json").write_text(json.dumps(finished.state() | {"run": "elsewhere"}))
    return folder


@pytest.fixture
def secret(finished: RunFolder, tmp_path: Path) -> Path:
    """Weights of the user's own, beside the run."""
    path = tmp_path / "own/secret.safetensors"
    path.parent.mkdir()
    shutil.copyfile(finished.networks / "recognition.safetensors", path)
    return path


def change(run: Path, key: str, value: object) -> None:
    """Change a value in a run's recipe, as a stranger may do."""
    tree: Any = yaml.safe_load((run / "recipe.yaml").read_text())
    *blocks, last = key.split(".")
    block = tree
    for name in blocks:
        block = block[int(name)] if isinstance(block, list) else block[name]
    block[last] = value
    (run / "recipe.yaml").write_text(yaml.safe_dump(tree, sort_keys=False))


@pytest.fixture
def opened_files() -> Iterator[list[str]]:
    """Every file that Python code opens from now on."""
    names: list[str] = []
    watching = [True]

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if watching and event in ("open", "os.listdir", "os.scandir") and isinstance(arguments[0], str):
            names.append(arguments[0])

    sys.addaudithook(hook)  # for the life of the process, so it is switched off at the end
    yield names
    watching.clear()


def test_a_received_run_opens(received: Path) -> None:
    assert package.load(received).model is not None


@pytest.mark.parametrize("written", ["absolute", "upwards", "a link"])
def test_weights_outside_the_folder_are_refused(
    received: Path, secret: Path, opened_files: list[str], written: str
) -> None:
    named = {"absolute": str(secret), "upwards": "../own/secret.safetensors", "a link": "inside.safetensors"}[written]
    if written == "a link":
        (received / named).symlink_to(secret)
    change(received, "networks.recognition.weights", named)
    with pytest.raises(PalsykitError) as error:
        package.load(received)
    text = str(error.value)
    assert str(named) in text
    assert f"palsykit trust {received}" in text
    if written != "a link":
        assert f"{received}/recipe.yaml:" in text
        assert "expected a file inside the run's folder, or of an installed package" in text
    assert not [name for name in opened_files if "secret" in name]


def test_the_users_photographs_are_neither_read_nor_cached(
    received: Path, tmp_path: Path, opened_files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    photographs = tmp_path / "own/photographs"
    shutil.copytree(received / "images", photographs)
    monkeypatch.setenv("PALSYKIT_CACHE", str(tmp_path / "cache"))
    change(received, "data", {"use": "imagefolder", "root": str(photographs)})
    opened_files.clear()
    package.load(received)
    with pytest.raises(PalsykitError, match=r"root: found .*photographs.*palsykit trust"):
        evaluate_run(received)
    assert not [name for name in opened_files if str(photographs) in name]
    assert not list((tmp_path / "cache").rglob("*.*"))


def test_parts_that_are_built_later_are_bound_too(received: Path, secret: Path) -> None:
    recipe = load_recipe(received / "recipe.yaml", unchecked=("data",), within=received)
    block = recipe.settings.data.model_copy(update={"use": "imagefolder", "parameters": {"root": str(secret.parent)}})
    with pytest.raises(PalsykitError, match="inside the run's folder"):
        Parts(recipe).data(block)


@pytest.mark.parametrize("name", ["model/conditioning.safetensors", "state.json", "recipe.yaml", "model"])
def test_links_out_of_the_folder_are_refused(received: Path, tmp_path: Path, name: str) -> None:
    (received / name).rename(tmp_path / "own")
    (received / name).symlink_to(tmp_path / "own")
    with pytest.raises(PalsykitError, match=r"a link to .*own, outside the run; .*cp -rL"):
        package.load(received)


def test_links_inside_the_folder_are_read(received: Path) -> None:
    (received / "model").rename(received / "files")
    (received / "model").symlink_to("files")
    assert package.load(received).model is not None


def test_a_link_in_a_circle_is_refused(received: Path) -> None:
    (received / "round").symlink_to("round")
    with pytest.raises(PalsykitError, match="round: a link"):
        package.load(received)


def test_a_recipe_that_extends_another_file_is_refused(received: Path, tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("seed: 1\n")
    change(received, "extends", str(tmp_path / "own.yaml"))
    with pytest.raises(PalsykitError, match=r"recipe\.yaml:\d+:\d+: extends: found .*own\.yaml"):
        package.load(received)


def test_runs_made_here_open_with_weights_outside(
    tiny: Callable[..., Any], secret: Path, tmp_path: Path, received: Path
) -> None:
    recipe = tiny(f"networks.recognition.weights={secret}", "fits.0.steps=1", "train.steps=1", "metrics=null")
    run_recipe(recipe, tmp_path / "mine")
    shutil.move(tmp_path / "mine", tmp_path / "moved")
    assert package.load(tmp_path / "moved").model is not None
    change(tmp_path / "moved", "networks.points.weights", str(secret))  # somebody changed its recipe
    with pytest.raises(PalsykitError, match="palsykit trust"):
        package.load(tmp_path / "moved")
    # A stranger's folder with the same recipe is still a stranger's.
    shutil.copyfile(tmp_path / "moved/recipe.yaml", received / "recipe.yaml")
    with pytest.raises(PalsykitError, match="palsykit trust"):
        package.load(received)


def test_a_trusted_run_opens(received: Path, secret: Path, palsykit: Callable[..., Any]) -> None:
    change(received, "networks.recognition.weights", str(secret))
    done = palsykit("trust", received)
    assert done.code == 0
    assert f"networks.recognition.weights: {secret}" in done.err
    assert package.load(received).model is not None


def test_weights_of_installed_packages_are_allowed(received: Path) -> None:
    # The shape differs, so the file was found and read.
    change(received, "networks.points.weights", "palsykit_weights:points.safetensors")
    with pytest.raises(PalsykitError) as error:
        package.load(received)
    assert "not the weights of this" in str(error.value) or "palsykit_weights" in str(error.value)
    assert "trust" not in str(error.value)


@pytest.mark.parametrize("name", ["../own/secret.safetensors", "/etc/hostname", "", "a/../../x"])
def test_a_manifest_that_names_files_outside_is_refused(received: Path, secret: Path, name: str) -> None:
    (received / "manifest.json").write_text(json.dumps({"train": {name: "0" * 64}}))
    with pytest.raises(PalsykitError, match=r"manifest\.json: cannot be read \(found the file"):
        package.load(received)
    assert secret.is_file()


@pytest.mark.parametrize("kind", ["pipe", "large", "deep", "list", "text"])
@pytest.mark.parametrize("name", ["state.json", "manifest.json", "recipe.yaml"])
def test_files_that_are_none_are_refused_at_once(received: Path, name: str, kind: str) -> None:
    file = received / name
    file.unlink()
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "large":
        with file.open("wb") as sparse:
            sparse.truncate(1 << 34)
    else:
        file.write_text({"deep": "[" * 100_000, "list": "[1]", "text": "words"}[kind])
    began = time.monotonic()
    with pytest.raises(PalsykitError):
        package.load(received)
    assert time.monotonic() - began < 2


def test_weights_that_claim_more_than_they_have_are_refused(received: Path) -> None:
    (received / "manifest.json").unlink()
    header = json.dumps({"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}).encode()
    for content in (len(header).to_bytes(8, "little") + header, (2**62).to_bytes(8, "little") + b"{}", b""):
        (received / "model/conditioning.safetensors").write_bytes(content)
        began = time.monotonic()
        with pytest.raises(PalsykitError, match="not a complete safetensors file"):
            package.load(received)
        assert time.monotonic() - began < 2
