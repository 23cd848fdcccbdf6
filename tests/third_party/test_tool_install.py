"""``uv tool install`` and ``pipx install`` of palsykit's wheel put a command on the path that works.

Nothing is downloaded. The installers find every requirement as a wheel that has a name and a version, but no files; so
they resolve all of them as they would from a registry. The real libraries, several GB, are lent afterwards.
"""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from palsykit import __version__

PORTRAIT = Path(__file__).parents[2] / "docs" / "portrait.jpg"
ASKED = "--expression smile_full --side left --severity 5 --output after.png"


@pytest.fixture(scope="module")
def registry(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an empty wheel for each requirement of palsykit's, of the version that is installed."""
    folder = tmp_path_factory.mktemp("registry")
    with zipfile.ZipFile(wheel) as packed:
        (name,) = [name for name in packed.namelist() if name.endswith(".dist-info/METADATA")]
        lines = packed.read(name).decode("utf-8").split("\n\n")[0].splitlines()
    needed = [Requirement(line.split(": ", 1)[1]) for line in lines if line.startswith("Requires-Dist: ")]
    for requirement in needed:
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            write_empty_wheel(folder, requirement.name.replace("-", "_"), version(requirement.name))
    assert len(list(folder.iterdir())) > 10
    return folder


def write_empty_wheel(folder: Path, name: str, number: str) -> None:
    info = f"{name}-{number}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{number}-py3-none-any.whl", "w") as packed:
        packed.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n")
        packed.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        packed.writestr(f"{info}/RECORD", "".join(f"{info}/{file},,\n" for file in ("METADATA", "WHEEL", "RECORD")))


def installer(name: str) -> list[str]:
    """How to call it: as a module of this Python, else the one on the path."""
    if find_spec(name) is not None:
        return [sys.executable, "-m", name]
    if (found := shutil.which(name)) is None:
        pytest.skip(f"{name} is not installed; pip install {name}")
    return [found]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["uv", "pipx"])
def test_the_wheel_becomes_a_command(
    name: str, wheel: Path, registry: Path, lend: Callable[[Path], Any], tmp_path: Path
) -> None:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "UV_", "PIPX_", "PYTHON"))}
    places = {
        "uv": {"UV_TOOL_DIR": "tools", "UV_TOOL_BIN_DIR": "bin"},
        "pipx": {"PIPX_HOME": "tools", "PIPX_BIN_DIR": "bin", "PIPX_MAN_DIR": "man"},
    }
    # pipx may install by uv, too; by pip it would first fetch a newer pip
    offline = {"UV_OFFLINE": "1", "UV_NO_INDEX": "1", "UV_FIND_LINKS": str(registry), "UV_NO_CONFIG": "1",
               "UV_CACHE_DIR": str(tmp_path / "cache"), "PIPX_DEFAULT_BACKEND": "uv"}  # fmt: skip
    words = ["tool", "install"] if name == "uv" else ["install"]
    command = [*installer(name), *words, "--python", sys.executable, str(wheel)]
    where = {variable: str(tmp_path / folder) for variable, folder in places[name].items()}
    done = subprocess.run(
        command, cwd=tmp_path, env=kept | where | offline, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr

    program = tmp_path / "bin" / "palsykit"
    home = program.resolve().parents[1]
    assert home.is_relative_to(tmp_path / "tools")
    tool = lend(home)
    assert tool.run(f"{program} --version", tmp_path).stdout == f"palsykit {__version__}\n"
    listed = tool.run(f"{program} plugins", tmp_path)
    assert "cross_fusion" in listed.stdout, listed.stderr
    made = tool.run(f"{program} generate cfcpalsy-64 --identity {PORTRAIT} {ASKED}", tmp_path)
    assert made.returncode == 0, made.stdout + made.stderr
    said = tool.run(f"{program} whence after.png", tmp_path)
    assert "smile_full" in said.stdout
