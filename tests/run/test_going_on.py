"""A finished run is left alone; a stopped one goes on from where it was, to the same bits."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palsykit.files import pictures
from palsykit.recipe import Recipe
from palsykit.run import report, run_recipe, runner, train
from palsykit.run.folder import RunFolder
from palsykit.training import loop

TINY = Path(__file__).with_name("tiny.yaml")
DIES_IN_STEP_4 = """
import os, signal, sys, torch
from palsykit.cli import main
from palsykit.training import loop

torch.set_num_threads(1)
step = loop.Training.step

def dies(self, number, batches):
    if self.job.name == "train" and number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self, number, batches)

loop.Training.step = dies
main()
"""


def files(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every file and folder with its time and number on the disk, and its bytes."""
    return {
        str(path): (path.stat().st_mtime_ns, path.stat().st_ino, path.read_bytes() if path.is_file() else b"")
        for path in [folder, *sorted(folder.rglob("*"))]
    }


def steps(folder: Path, job: str) -> list[int]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line["step"] for line in lines if line["job"] == job]


def same_results(one: Path, other: Path, weights_of: Callable[[Path], dict[str, bytes]]) -> None:
    """Weights, pictures and figures of two runs are equal to the last bit."""
    assert weights_of(one) == weights_of(other)
    for name in ("images/generated", "regenerated"):
        pictures = [sorted((folder / name).iterdir()) for folder in (one, other)]
        assert [p.read_bytes() for p in pictures[0]] == [p.read_bytes() for p in pictures[1]]
    for name in ("metrics.csv", "metrics.json"):
        assert (one / name).read_text() == (other / name).read_text(), name
    same_data(one, other)


def without_times(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's log, without their times."""
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "time"} for line in lines]


def same_data(one: Path, other: Path) -> None:
    for name in ("data.json", "recipe.yaml", "images/metadata.jsonl"):
        assert (one / name).read_text() == (other / name).read_text(), name


def nearly_same_pictures(one: Path, other: Path) -> None:
    """Pictures made in other batches: float32 sums of another order may round a pixel to the next level."""
    for name in ("images/generated", "regenerated"):
        for a, b in zip(sorted((one / name).iterdir()), sorted((other / name).iterdir()), strict=True):
            apart = np.abs(pictures.read_png(a).astype(int) - pictures.read_png(b))
            assert apart.max() <= 1, a.name
            assert np.mean(apart > 0) < 0.01, a.name
    figures = [json.loads((folder / "metrics.json").read_text())["metrics"] for folder in (one, other)]
    assert figures[0] == pytest.approx(figures[1], rel=1e-2)


def test_a_second_run_does_nothing_and_says_so(finished: RunFolder, palsykit: Callable[..., Any]) -> None:
    before = files(finished.path)
    done = palsykit("run", TINY, "--output", finished.path)
    assert (done.code, done.err) == (0, "")
    assert done.out == f"Nothing to do: this run is finished. Its report: {finished.report}\n"
    assert files(finished.path) == before


def test_a_finished_run_is_known_without_torch(finished: RunFolder) -> None:
    command = ["run", str(TINY), "--output", str(finished.path)]
    code = (
        f"import sys; sys.argv = ['palsykit', *{command!r}]; from palsykit.cli import main\ntry:\n    main()\nfinally:"
    )
    code += "\n    print('torch' in sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("Nothing to do"), done.stderr
    assert done.stderr.strip().splitlines()[-1] == "False"


def test_another_recipe_is_refused_by_a_finished_run(finished: RunFolder, palsykit: Callable[..., Any]) -> None:
    done = palsykit("run", TINY, "--set", "train.lr=2e-3", "--output", finished.path)
    assert done.code == 2
    assert "train.lr: 0.001 -> 0.002" in done.err


def test_the_recipe_in_the_folder_is_the_runs_own(finished: RunFolder, palsykit: Callable[..., Any]) -> None:
    done = palsykit("run", finished.recipe, "--output", finished.path)
    assert done.out.startswith("Nothing to do")


def test_a_run_killed_in_training_resumes_bit_by_bit(
    finished: RunFolder, tiny: Callable[..., Recipe], weights_of: Callable[[Path], dict[str, bytes]], tmp_path: Path
) -> None:
    folder = tmp_path / "killed"
    command = [sys.executable, "-c", DIES_IN_STEP_4, "run", str(TINY), "--output", str(folder)]
    done = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert sorted(path.name for path in (folder / "checkpoints/train").iterdir()) == ["step-000002"]
    assert not (folder / "model/unet").exists()
    assert steps(folder, "train") == [1, 2, 3]

    summary = run_recipe(tiny(), folder)
    assert not summary.already_done
    assert steps(folder, "train") == [1, 2, 3, 4], "on from step 2, and step 3 is logged once"
    assert steps(folder, "fit-recognition") == [2], "not fitted again"
    assert without_times(folder) == without_times(finished.path), "the log of a run that was not stopped"
    same_results(folder, finished.path, weights_of)


def test_a_run_stopped_in_a_fit_and_in_synthesis_resumes(
    finished: RunFolder,
    tiny: Callable[..., Recipe],
    weights_of: Callable[[Path], dict[str, bytes]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    step, save = loop.Training.step, pictures.save_png

    def stops(self: Any, number: int, batches: Any) -> dict[str, float]:
        if self.job.name == "fit-points" and number == 1:
            raise KeyboardInterrupt
        return step(self, number, batches)

    def stops_drawing(picture: Any, path: Path, facts: Any) -> None:
        if path.name.startswith("00007"):
            raise KeyboardInterrupt
        save(picture, path, facts)

    folder = tmp_path / "stopped"
    monkeypatch.setattr(loop.Training, "step", stops)
    with pytest.raises(KeyboardInterrupt):
        run_recipe(tiny(), folder)
    assert sorted(path.stem for path in (folder / "model/networks").iterdir()) == ["expression", "recognition"]
    assert list(RunFolder(folder).state()["stages"]) == ["prepare"]

    monkeypatch.setattr(loop.Training, "step", step)
    monkeypatch.setattr(pictures, "save_png", stops_drawing)
    with pytest.raises(KeyboardInterrupt):
        run_recipe(tiny(), folder)
    drawn = sorted((folder / "images/generated").iterdir())
    assert len(drawn) == 7
    first = drawn[0].stat()

    monkeypatch.setattr(pictures, "save_png", save)
    run_recipe(tiny(), folder)
    assert steps(folder, "fit-recognition") == [2]
    assert steps(folder, "train") == [1, 2, 3, 4], "trained once"
    assert drawn[0].stat().st_mtime_ns == first.st_mtime_ns, "whole batches of pictures are kept"
    assert weights_of(folder) == weights_of(finished.path)
    nearly_same_pictures(folder, finished.path)
    same_data(folder, finished.path)


@pytest.mark.parametrize("stage", ["evaluate", "report"])
def test_a_run_stopped_after_synthesis_resumes(
    finished: RunFolder, tiny: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    folder = tmp_path / "stopped"
    shutil.copytree(finished.path, folder)
    run = RunFolder(folder)
    run.forget(*(("evaluate", "report") if stage == "evaluate" else ("report",)))
    run.report.unlink()

    def stops(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(*((runner, "evaluate") if stage == "evaluate" else (report, "write_report")), stops)
        with pytest.raises(KeyboardInterrupt):
            run_recipe(tiny(), folder)
    assert not run.finished()
    monkeypatch.setattr(train, "train", stops)  # nothing is to be trained again
    run_recipe(tiny(), folder)
    assert run.finished()
    assert run.report.exists()
    assert run.metrics.read_text() == finished.metrics.read_text()


def test_another_seed_gives_other_weights(
    finished: RunFolder, tiny: Callable[..., Recipe], weights_of: Callable[[Path], dict[str, bytes]], tmp_path: Path
) -> None:
    recipe = tiny("seed=1", "metrics.afid=null", "generate.identities=1", "train.steps=1")
    run_recipe(recipe, tmp_path / "other")
    assert not set(weights_of(tmp_path / "other").values()) & set(weights_of(finished.path).values())
