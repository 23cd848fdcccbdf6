"""docs/plugins.md, followed literally: every block is written or run, in order, in an environment of its own."""

import os
import re
import site
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "plugins.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.S | re.M)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, its line in the page."""

    language: str
    text: str
    line: int


def blocks() -> list[Block]:
    page = PAGE.read_text(encoding="utf-8")
    return [Block(m[1], m[2], page[: m.start()].count("\n") + 1) for m in BLOCK.finditer(page)]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A fresh virtual environment that sees the libraries of this one; pip may not ask the network."""
    home = tmp_path / "environment"
    venv.create(home, with_pip=True, symlinks=True)
    packages = next((home / "lib").glob("python*/site-packages"))
    here = [folder for folder in site.getsitepackages() if Path(folder).is_dir()]
    (packages / "libraries.pth").write_text("".join(f"import site; site.addsitedir({folder!r})\n" for folder in here))
    binaries = home / "bin"
    for script, module in (("palsykit", "palsykit"), ("pytest", "pytest")):
        path = binaries / script
        path.write_text(f'#!/bin/sh\nexec {binaries / "python"} -m {module} "$@"\n')
        path.chmod(0o755)
    # 0 is how pip is told "no isolation" by a variable: builds use what is installed, as nothing can be fetched
    offline = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0"}
    own = ("PIP_", "PYTHON", "VIRTUAL")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    path = f"{binaries}{os.pathsep}{os.environ['PATH']}"
    return {**inherited, **offline, "PATH": path, "OMP_NUM_THREADS": "1"}


def test_every_block_works(tmp_path: Path, environment: dict[str, str]) -> None:
    work = tmp_path / "work"
    work.mkdir()
    said = ""
    for block in blocks():
        where = f"plugins.md:{block.line}"
        if block.language == "sh":
            command = ["bash", "-euo", "pipefail", "-c", block.text]
            done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False)
            said = done.stdout + done.stderr
            assert done.returncode == 0, f"{where}: {said}"
        elif block.language == "output":
            assert block.text.strip("\n") in said, f"{where}: not in:\n{said}"
        else:
            name = re.match(r"# (\S+\.(?:py|yaml))\n", block.text)
            assert name is not None, f"{where}: its first line names no file"
            assert (work / name[1]).is_file(), f"{where}: {name[1]} is no file of the scaffold"
            (work / name[1]).write_text(block.text.split("\n", 1)[1], encoding="utf-8")
    assert "acme_summary" in (work / "runs" / "try" / "recipe.yaml").read_text()


def test_the_page_has_blocks_of_every_kind() -> None:
    assert {block.language for block in blocks()} == {"sh", "output", "python", "yaml"}
    assert len(blocks()) >= 15


def test_this_python_is_in_an_environment_that_can_be_shared() -> None:
    assert any(Path(folder, "torch").is_dir() for folder in site.getsitepackages()), sys.prefix
