"""The command line as a user meets it: arguments in; exit code, output and errors out."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from palsykit.cli import main
from palsykit.plugins import BrokenPlugin, Discovery, Plugin, Registration
from palsykit.registry import registry


@dataclass
class Done:
    code: int
    out: str
    err: str


def faces(image_size: int, cache: Path, *, people: int = 5) -> None: ...
def copy(image_size: int, *, rate: float = 0.5) -> None: ...


@pytest.fixture
def palsykit(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Done]]:
    """Runs a command line in this process, with two fake parts and one broken plugin installed."""
    registrations = (Registration("synthesisers", "copy", copy), Registration("datasets", "faces", faces))
    broken = BrokenPlugin("film", "acme_film", "acme-film", "ImportError: no acme", "leave it out")
    found = Discovery([Plugin("fake", "fake_module", "fake-dist", "1.0", registrations)], [broken], ["warp"])
    monkeypatch.setattr("palsykit.registry.discover", lambda: found)
    registry.cache_clear()

    def run(*arguments: Any) -> Done:
        monkeypatch.setattr(sys, "argv", ["palsykit", *map(str, arguments)])
        code: Any = 0
        try:
            main()
        except SystemExit as error:
            code = error.code or 0
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    yield run
    registry.cache_clear()


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small recipe in the current folder."""
    monkeypatch.chdir(tmp_path)
    path = Path("small.yaml")
    path.write_text("data: {use: faces, people: 3}\nsynthesiser: copy\n", encoding="utf-8")
    return path
