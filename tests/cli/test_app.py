"""The frame: help, version, and a user's problems without a traceback."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import palsykit as package

Run = Callable[..., Any]


def test_version(palsykit: Run) -> None:
    done = palsykit("--version")
    assert (done.code, done.out) == (0, f"palsykit {package.__version__}\n")


def test_help_names_every_subcommand(palsykit: Run) -> None:
    done = palsykit("--help")
    assert done.code == 0
    assert all(name in done.out for name in ("run", "check", "show", "plugins", "generate", "evaluate"))


@pytest.mark.parametrize("command", ["run", "check", "show", "plugins", "generate", "evaluate"])
def test_every_subcommand_has_help(palsykit: Run, command: str) -> None:
    assert palsykit(command, "--help").code == 0


def test_an_unknown_subcommand_or_option_is_a_usage_error(palsykit: Run) -> None:
    assert palsykit("runn").code == 2
    done = palsykit("check", "--sett", "a=1")
    assert done.code == 2
    assert "--sett" in done.err


def test_a_problem_is_one_message_without_a_traceback(palsykit: Run, recipe: Path) -> None:
    done = palsykit("check", recipe, "--set", "data.peple=3", "--set", "seed=x")
    assert done.code == 2
    assert done.out == ""
    lines = done.err.splitlines()
    assert lines[0] == "palsykit: recipe small.yaml has 2 problems:"
    assert lines[1].startswith('  --set seed=x: seed: found "x" (text)')
    assert lines[2].startswith("  --set data.peple=3: data.peple: found an unknown key")


def test_it_runs_as_a_module(recipe: Path) -> None:
    command = [sys.executable, "-m", "palsykit", "check", "nothing.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("palsykit: recipe nothing.yaml has 1 problem:")
    assert "small.yaml" in done.stderr
