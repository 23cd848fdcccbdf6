"""A trained run opens where its training photographs are not, and is refused where a file of its own is missing."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import palsykit as package
from palsykit.errors import PalsykitError
from palsykit.run import evaluate_run
from palsykit.run.folder import RunFolder
from palsykit.run.parts import Parts


def test_a_moved_run_generates_without_its_photographs(
    handed_on: Path, face: Path, palsykit: Callable[..., Any], tmp_path: Path
) -> None:
    done = palsykit("generate", handed_on, "--identity", face, "--driver", face, "--output", tmp_path / "made.png")
    assert done.code == 0, done.err
    assert done.err.count("\n") == 1  # the note that the small picture was taken as a crop
    assert np.array_equal(
        Image.open(tmp_path / "made.png"), package.load(handed_on).generate(identity=face, driver=face)
    )


def test_figures_need_the_data_and_say_so(handed_on: Path, palsykit: Callable[..., Any]) -> None:
    done = palsykit("evaluate", handed_on)
    assert done.code == 2
    assert "root: found" in done.err


def test_nothing_reads_the_data_set(finished: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def reads(*_: Any) -> None:
        raise AssertionError("a data set was read")

    monkeypatch.setattr(Parts, "data", reads)
    package.load(finished.path)


def test_a_start_that_is_gone_is_not_looked_for(finished: RunFolder, tmp_path: Path) -> None:
    shutil.copytree(finished.path, tmp_path / "run")
    recipe = tmp_path / "run/recipe.yaml"
    text = recipe.read_text()
    assert "start: null" in text
    recipe.write_text(text.replace("start: null", f"start: {tmp_path}/gone.safetensors"))
    loaded = package.load(tmp_path / "run")
    assert loaded.parts.settings.train.start == tmp_path / "gone.safetensors"


@pytest.mark.parametrize("use", [package.load, evaluate_run])
def test_a_missing_network_of_the_run_is_refused(finished: RunFolder, tmp_path: Path, use: Callable[..., Any]) -> None:
    shutil.copytree(finished.path, tmp_path / "half")
    (tmp_path / "half/model/networks/recognition.safetensors").unlink()
    with pytest.raises(PalsykitError, match=r"not as it was trained[\s\S]*recognition\.safetensors: missing"):
        use(tmp_path / "half")
    (tmp_path / "half/manifest.json").unlink()  # a run of an earlier version has none
    with pytest.raises(PalsykitError, match=r"half/model/networks/recognition\.safetensors: missing, although"):
        use(tmp_path / "half")


@pytest.mark.parametrize("command", ["evaluate", "generate"])
def test_commands_refuse_a_missing_network(
    finished: RunFolder, face: Path, palsykit: Callable[..., Any], tmp_path: Path, command: str
) -> None:
    shutil.copytree(finished.path, tmp_path / "half")
    (tmp_path / "half/model/networks/points.safetensors").unlink()
    further = ("--identity", face, "--driver", face, "--output", tmp_path / "made.png")
    done = palsykit(command, tmp_path / "half", *(further if command == "generate" else ()))
    assert done.code == 2
    assert "points.safetensors: missing" in done.err
