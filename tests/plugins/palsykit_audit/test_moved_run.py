"""Synthesis in bulk and the audit with a run whose training photographs, or a file of its own, are not there."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from palsykit.run.folder import RunFolder


def test_a_folder_of_faces_needs_no_photographs_and_stays_unreleased(
    handed_on: Path, face: Path, palsykit: Callable[..., Any], tmp_path: Path
) -> None:
    asked = ("--expressions", "smile_full", "--sides", "left", "--severities", "4")
    done = palsykit("synthesize", handed_on, tmp_path / "dest", "--identities", face.parent, *asked)
    assert done.code == 0, done.err
    assert "Not audited, so not released" in done.out
    assert len(list((tmp_path / "dest/unreleased").rglob("*.png"))) == 1
    assert not (tmp_path / "dest/images").exists()


def test_missing_training_data_is_reported(handed_on: Path, palsykit: Callable[..., Any], tmp_path: Path) -> None:
    done = palsykit("synthesize", handed_on, tmp_path / "dest", "--identities", "1")
    assert done.code == 2
    assert "--identities 1: draws people from the run's data, which cannot be read" in done.err
    assert "an existing file" in done.err


@pytest.mark.parametrize("command", ["synthesize", "audit"])
def test_commands_refuse_a_missing_network(
    finished: RunFolder, face: Path, palsykit: Callable[..., Any], tmp_path: Path, command: str
) -> None:
    shutil.copytree(finished.path, tmp_path / "half")
    (tmp_path / "half/model/networks/points.safetensors").unlink()
    further = (tmp_path / "dest", "--identities", face.parent) if command == "synthesize" else ()
    done = palsykit(command, tmp_path / "half", *further)
    assert done.code == 2
    assert "points.safetensors: missing" in done.err
