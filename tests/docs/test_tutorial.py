"""docs/plugins.md, word by word: every block is written or run, in order, with palsykit installed from its wheel."""

import re
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import pytest

from palsykit import API_VERSION

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


@pytest.mark.slow
def test_every_block_works(tmp_path: Path, clean: Any) -> None:
    work = tmp_path / "work"
    work.mkdir()
    output = ""
    for block in blocks():
        where = f"plugins.md:{block.line}"
        if block.language == "sh":
            done = clean.run(block.text, work)
            output = done.stdout + done.stderr
            assert done.returncode == 0, f"{where}: {output}"
        elif block.language == "output":
            assert block.text.strip("\n") in output, f"{where}: not in:\n{output}"
        else:
            name = re.match(r"# (\S+\.(?:py|yaml))\n", block.text)
            assert name is not None, f"{where}: the first line does not name a file"
            assert (work / name[1]).is_file(), f"{where}: {name[1]} is not a file of the scaffold"
            (work / name[1]).write_text(block.text.split("\n", 1)[1], encoding="utf-8")
    assert "acme_summary" in (work / "runs" / "try" / "recipe.yaml").read_text()


def test_the_page_has_blocks_of_every_kind() -> None:
    assert {block.language for block in blocks()} == {"sh", "output", "python", "yaml"}
    assert len(blocks()) >= 15


def test_the_promise_names_existing_modules() -> None:
    promise = PAGE.read_text(encoding="utf-8").split("## The promise")[1].split("\n## ")[0]
    assert f"It is **{API_VERSION}**" in promise
    names = re.findall(r"`(palsykit(?:\.\w+)+)`", promise)
    assert {"palsykit.interfaces", "palsykit.testing.check", "palsykit.__all__"} <= set(names)
    for name in names:
        resolve_name(name)
