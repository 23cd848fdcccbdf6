"""``palsykit whence``: what a file says of itself, and an exit code that scripts can use."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from palsykit import __version__
from palsykit.photographs.mark import write_marked


@pytest.fixture
def marked(tmp_path: Path) -> Path:
    path = tmp_path / "made.jpg"
    write_marked(Image.new("RGB", (8, 8)), path, {"seed": 3, "side": "left", "note": "two\nlines \x1b[31m"})
    return path


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.png")
    return tmp_path / "plain.png"


def test_each_fact_has_a_line(palsykit: Callable[..., Any], marked: Path) -> None:
    done = palsykit("whence", marked)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        str(marked),
        "  synthetic: true",
        f"  palsykit: {__version__}",
        "  seed: 3",
        "  side: left",
        "  note: two\\nlines \\x1b[31m",
    ]


def test_a_file_without_a_mark_and_one_that_cannot_be_read(
    palsykit: Callable[..., Any], marked: Path, plain: Path, tmp_path: Path
) -> None:
    done = palsykit("whence", plain, marked)
    assert done.code == 1
    assert done.out.startswith(f"{marked}\n")
    assert done.err.startswith(f"palsykit: {plain}: no mark of palsykit")
    assert len(done.err.splitlines()) == 1
    (tmp_path / "text.png").write_text("x")
    for bad, words in (("none.png", "there is no such file"), ("text.png", "cannot be read as a picture: found text")):
        done = palsykit("whence", tmp_path / bad, plain, marked)
        assert done.code == 2, "the worst of all"
        assert f"palsykit: {tmp_path / bad}: {words}" in done.err
        assert str(marked) in done.out
    assert palsykit("whence").code == 2


def test_json_is_one_object_per_line(palsykit: Callable[..., Any], marked: Path, plain: Path) -> None:
    done = palsykit("whence", "--json", marked, plain)
    first, second = map(json.loads, done.out.splitlines())
    assert (first["file"], first["mark"]["seed"], first["mark"]["synthetic"]) == (str(marked), 3, True)
    assert second == {"file": str(plain), "mark": None}
    assert done.code == 1
