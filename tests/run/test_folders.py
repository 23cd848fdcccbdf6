"""Whose folder it is: another recipe's, nobody's, a damaged one."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from palsykit.errors import PalsykitError
from palsykit.recipe import Recipe
from palsykit.run import run_recipe, runner
from palsykit.run.folder import RunFolder, held, open_run

TINY = Path(__file__).with_name("tiny.yaml")


@pytest.fixture
def copy(finished: RunFolder, tmp_path: Path) -> RunFolder:
    """A finished run of one's own, without its checkpoints."""
    shutil.copytree(finished.path, tmp_path / "mine", ignore=shutil.ignore_patterns("checkpoints"))
    return RunFolder(tmp_path / "mine")


def test_another_recipe_is_refused_with_the_difference(copy: RunFolder, palsykit: Callable[..., Any]) -> None:
    state = (copy.path / "state.json").read_text()
    changes = ("--set", "train.lr=2e-3", "--set", "sampler={use: ddim, steps: 2}")
    done = palsykit("run", TINY, *changes, "--output", copy.path)
    assert (done.code, done.out) == (2, "")
    lines = [line.strip() for line in done.err.splitlines()]
    assert lines[0] == (
        f"palsykit: {copy.path}: made with other settings; name another: --output DIR, or start again with --fresh "
        "(the old run is kept under another name). Differences:"
    )
    assert "train.lr: 0.001 -> 0.002" in lines
    assert 'sampler.use: "dpm_solver" -> "ddim"' in lines
    assert not any(line.startswith("train.steps") for line in lines)
    assert (copy.path / "state.json").read_text() == state


def test_another_name_is_the_same_recipe(copy: RunFolder, palsykit: Callable[..., Any]) -> None:
    done = palsykit("run", TINY, "--set", "name=renamed", "--set", "about=the same", "--output", copy.path)
    assert done.out.startswith("Nothing to do")


def test_fresh_keeps_the_old_run_beside_the_new(
    copy: RunFolder, tiny: Callable[..., Recipe], weights_of: Callable[[Path], dict[str, bytes]]
) -> None:
    old = weights_of(copy.path)
    (copy.path.parent / "mine.1").mkdir()
    with held(copy.path, fresh=True):
        opened = open_run(tiny("seed=5"), copy.path)
    assert weights_of(copy.path.with_name("mine.2")) == old, "mine.1 was taken"
    assert sorted(path.name for path in opened.path.iterdir()) == ["recipe.yaml", "state.json"]
    assert opened.state()["stages"] == {}
    assert open_run(tiny("seed=5"), copy.path).state() == opened.state(), "and can be resumed"


@pytest.mark.parametrize("fresh", [False, True])
def test_a_folder_that_is_no_run_is_left_alone(
    tiny: Callable[..., Recipe], tmp_path: Path, palsykit: Callable[..., Any], fresh: bool
) -> None:
    folder = tmp_path / "photographs"
    folder.mkdir()
    (folder / "anna.jpg").write_bytes(b"a picture")
    done = palsykit("run", TINY, "--output", folder, *(["--fresh"] if fresh else []))
    assert done.code == 2
    assert f"{folder}: not empty, and holds no palsykit run (no state.json in it)" in done.err
    assert "--output DIR" in done.err
    assert [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*"))] == [
        "photographs",
        "photographs/anna.jpg",
    ]


@pytest.mark.parametrize(
    "left", [[".partial-state-ab12.json"], ["state.json"], ["state.json", ".partial-recipe-x.yaml"]]
)
def test_a_run_killed_at_its_start_resumes(tiny: Callable[..., Recipe], tmp_path: Path, left: list[str]) -> None:
    whole = open_run(tiny(), tmp_path / "whole")
    folder = tmp_path / "killed"
    folder.mkdir()
    for name in left:
        content = whole.path / name
        (folder / name).write_text(content.read_text() if content.exists() else '{"palsy')
    with held(folder):
        opened = open_run(tiny(), folder)
        # each has its own identity
        made, expected = ({k: v for k, v in run.state().items() if k != "run"} for run in (opened, whole))
        assert made == expected
        assert opened.recipe.read_text() == whole.recipe.read_text()
    assert sorted(path.name for path in folder.iterdir()) == ["recipe.yaml", "state.json"], "nothing half stays"


def test_half_written_files_are_removed_at_the_next_start(copy: RunFolder) -> None:
    for name in (".partial-report-1.html", "images/.partial-a-1.png", "model/networks/.tmpAb3dE6"):
        (copy.path / name).write_bytes(b"half")
    (copy.path / "checkpoints/train/.partial-000003").mkdir(parents=True)
    (copy.path / "checkpoints/train/.partial-000003/model.safetensors").write_bytes(b"half")
    (copy.path / ".notes").write_text("the user's own")
    with held(copy.path):
        pass
    left = [path.relative_to(copy.path).as_posix() for path in copy.path.rglob(".*")]
    assert left == [".notes"]
    assert (copy.path / "report.html").exists()


def test_a_second_run_into_a_folder_is_refused(copy: RunFolder, palsykit: Callable[..., Any]) -> None:
    before = sorted(copy.path.parent.iterdir())
    for fresh in ([], ["--fresh"]):
        changes = ("--set", "train.lr=2e-3") if fresh else ()
        copy.forget("report")
        with held(copy.path):
            done = palsykit("run", TINY, *changes, "--output", copy.path, *fresh)
            evaluated = palsykit("evaluate", copy.path)
        assert done.code == evaluated.code == 2
        for found in (done, evaluated):
            assert f"{copy.path}: in use by process {os.getpid()} on " in found.err
    assert sorted(copy.path.parent.iterdir()) == before, "a live run's folder is not renamed"


def test_an_empty_folder_serves(tiny: Callable[..., Recipe], tmp_path: Path) -> None:
    assert open_run(tiny(), tmp_path).state()["stages"] == {}


@pytest.mark.parametrize("fresh", [False, True])
def test_a_file_is_refused(tiny: Callable[..., Recipe], tmp_path: Path, fresh: bool) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(PalsykitError, match="a file; expected a folder for the palsykit run"):
        run_recipe(tiny(), tmp_path / "file", fresh)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("text", ['{"palsykit": "0.1.0", "rec', "{}", "[]", '{"recipe_hash": "", "stages": null}', ""])
def test_a_damaged_state_says_what_to_do(
    copy: RunFolder, tiny: Callable[..., Recipe], palsykit: Callable[..., Any], text: str
) -> None:
    (copy.path / "state.json").write_text(text)
    done = palsykit("run", TINY, "--output", copy.path)
    assert done.code == 2
    assert f"{copy.path / 'state.json'}: cannot be read" in done.err
    assert "--fresh" in done.err
    with held(copy.path, fresh=True):
        open_run(tiny(), copy.path)
    assert (copy.path.with_name("mine.1") / "state.json").read_text() == text, "the way out is one"


def test_a_parts_complaint_is_the_stages_error(
    tiny: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: Any) -> None:
        raise ValueError("no such light")

    monkeypatch.setattr(runner, "prepare", refuses)
    with pytest.raises(PalsykitError, match=r"^prepare: no such light \[at test_folders\.py:\d+\]$"):
        run_recipe(tiny(), tmp_path / "run")
    assert RunFolder(tmp_path / "run").state()["stages"] == {}


def test_a_network_without_the_heads_that_are_fitted(tmp_path: Path, palsykit: Callable[..., Any]) -> None:
    """A mistake that only the trainer can see."""
    done = palsykit("run", TINY, "--set", "networks.expression.heads=null", "--output", tmp_path / "run")
    assert done.code == 2
    assert "palsykit: fit: the trainer `expression` fits heads, and" in done.err
    assert "Traceback" not in done.err
