"""``run``: which recipe goes into which folder, and what the user is told."""

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import palsykit.run as package

Run = Callable[..., Any]


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, Path, bool]]:
    """What was asked of the run, which itself is another test's."""
    asked: list[tuple[str, int, Path, bool]] = []

    def run_recipe(recipe: Any, output: Path, fresh: bool) -> SimpleNamespace:
        asked.append((recipe.name, recipe.settings.seed, output, fresh))
        if recipe.settings.seed == 99:
            raise KeyboardInterrupt
        return SimpleNamespace(report=output / "report.html", already_done=recipe.settings.seed == 5)

    module = ModuleType("palsykit.run")
    module.__path__ = package.__path__
    module.run_recipe = run_recipe  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "palsykit.run", module)
    return asked


def test_the_default_folder_is_the_recipes_name(palsykit: Run, recipe: Path, runs: list[Any]) -> None:
    done = palsykit("run", recipe)
    assert (done.code, done.out) == (0, "Report: runs/small/report.html\n")
    assert runs == [("small", 0, Path("runs/small"), False)]


def test_options(palsykit: Run, recipe: Path, runs: list[Any]) -> None:
    palsykit("run", recipe, "--set", "seed=3", "--set", "name=other", "--output", "there", "--fresh")
    assert runs == [("other", 3, Path("there"), True)]


@pytest.mark.parametrize("name", ["../../x", "/tmp/x", "..", "a/b", "a\\\\b"])
def test_a_recipes_name_does_not_leave_the_folder_of_runs(
    palsykit: Run, recipe: Path, runs: list[Any], name: str
) -> None:
    done = palsykit("run", recipe, "--set", f'name="{name}"')
    assert (done.code, runs) == (2, [])
    assert "expected a name for a folder: text without slashes" in done.err


def test_a_finished_run(palsykit: Run, recipe: Path, runs: list[Any]) -> None:
    done = palsykit("run", recipe, "--set", "seed=5")
    assert done.out == "Nothing to do: this run is finished. Its report: runs/small/report.html\n"


def test_a_stopped_run_says_how_to_go_on(palsykit: Run, recipe: Path, runs: list[Any]) -> None:
    done = palsykit("run", recipe, "--set", "seed=99", "--set", "data={use: faces}", "--output", "my runs", "--fresh")
    assert done.code == 130
    assert "Traceback" not in done.err
    assert done.err.endswith(
        "Resume the run from its last checkpoint with: "
        "palsykit run small.yaml --set seed=99 --set 'data={use: faces}' --output 'my runs'\n"
    )


@pytest.mark.parametrize(("number", "code"), [(2, 130), (15, 143), (1, 129)])
def test_a_signal_gives_its_exit_code(palsykit: Run, recipe: Path, runs: list[Any], number: int, code: int) -> None:
    sys.modules["palsykit.run"].run_recipe = lambda *_: os.kill(os.getpid(), number)
    done = palsykit("run", recipe)
    assert done.code == code
    assert "Stopped. Resume the run from its last checkpoint with: palsykit run small.yaml" in done.err


@pytest.mark.parametrize("code", ["ENOSPC", "EDQUOT", "EROFS", "EACCES", "ENOENT", "ENOTDIR", "EFBIG"])
def test_a_file_system_that_refuses_is_one_line(palsykit: Run, recipe: Path, runs: list[Any], code: str) -> None:
    def refuses(*_: Any) -> None:
        raise OSError(getattr(errno, code), os.strerror(getattr(errno, code)), "runs/small/state.json")

    sys.modules["palsykit.run"].run_recipe = refuses
    done = palsykit("run", recipe)
    assert done.code == 2
    (line,) = done.err.splitlines()
    assert line.startswith(f"palsykit: runs/small/state.json: {os.strerror(getattr(errno, code))}; ")
    assert line.endswith("palsykit run small.yaml. What was written before is whole")


def test_another_error_of_the_system_stays_an_error(palsykit: Run, recipe: Path, runs: list[Any]) -> None:
    def refuses(*_: Any) -> None:
        raise OSError(errno.EBADF, "Bad file descriptor")

    sys.modules["palsykit.run"].run_recipe = refuses
    with pytest.raises(OSError, match="Bad file"):
        palsykit("run", recipe)


def test_output_must_be_a_folder(palsykit: Run, recipe: Path, runs: list[Any]) -> None:
    done = palsykit("run", recipe, "--output", recipe)
    assert done.code == 2
    assert "--output small.yaml: a file, expected a new folder" in done.err
    assert runs == []


def test_a_bad_recipe_starts_nothing(palsykit: Run, recipe: Path, runs: list[Any]) -> None:
    assert palsykit("run", recipe, "--set", "seed=x").code == 2
    assert runs == []
