"""One whole run of a miniature of CFCPalsy, which the tests of this folder look at from all sides."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from palsykit.cli import main
from palsykit.recipe import Recipe, load_recipe
from palsykit.run import run_recipe
from palsykit.run.folder import RunFolder

TINY = Path(__file__).with_name("tiny.yaml")
NO_METRICS = tuple(f"metrics.{name}=null" for name in ("psnr", "ssim", "identity", "landmark_error", "afid"))


@dataclass
class Done:
    code: int
    out: str
    err: str


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The cache of renders that all tests share, for what is run once a session."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PALSYKIT_CACHE", str(tmp_path_factory.getbasetemp() / "palsykit-cache"))
        yield


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Bits are compared between processes, so all compute with one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def tiny() -> Callable[..., Recipe]:
    """The miniature with changes."""
    return lambda *changes: load_recipe(TINY, changes)


@pytest.fixture(scope="session")
def finished(tiny: Callable[..., Recipe], tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A finished run of the miniature. Only looked at: whoever changes it makes a copy."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    run_recipe(tiny(), folder)
    return RunFolder(folder)


@pytest.fixture
def palsykit(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Runs a command line in this process."""

    def run(*arguments: Any) -> Done:
        monkeypatch.setattr(sys, "argv", ["palsykit", *map(str, arguments)])
        code: Any = 0
        try:
            main()
        except SystemExit as error:
            code = error.code or 0
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return run


def weights(folder: Path) -> dict[str, bytes]:
    """Every weights file of a run's model folder, by its name."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted((folder / "model").rglob("*.safetensors"))}


@pytest.fixture(scope="session")
def weights_of() -> Callable[[Path], dict[str, bytes]]:
    return weights
