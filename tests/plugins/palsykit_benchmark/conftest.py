"""Benchmarks small enough for a test, and somebody else's plugin in them."""

import contextlib
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from palsykit import Conditioning, Encoded, FaceBatch, TokenSpec
from palsykit.cli import main
from palsykit.plugins import Plugin, Registration, discover
from palsykit.registry import registry

TINY = Path(__file__).parents[2] / "run" / "tiny.yaml"
NETWORKS = ("recognition", "expression", "points")
FITS = ", ".join(f"{{network: {name}, trainer: {{use: landmarks}}, steps: 0}}" for name in NETWORKS)
SMALL = f"""
about: A miniature.
judges:
  extends: {TINY}
  metrics: {{ssim: null, landmark_error: null, afid: {{readings: [self2, swap_back]}}}}
systems:
  cfcpalsy: {{extends: {TINY}, trainer: {{use: diffusion}}}}
  mine: {{extends: {TINY}, trainer: {{use: diffusion}}, fusion: {{use: mine}}}}
  darker: {{synthesiser: darker}}
  copy: {{synthesiser: copy}}
every:
  fits: [{FITS}]
  sampler: {{steps: 1}}
data: {{drawn: {{use: face_space, identities: 2, validation: 0, test: 3, renders: 2}}}}
people: 2
train_images: 2
resamples: 100
set_resamples: 0
pictures: 1
"""


@dataclass
class Done:
    code: int
    out: str
    err: str


class Mine(torch.nn.Module):
    """A fusion: every condition's tokens, averaged."""

    def __init__(self, inputs: dict[str, TokenSpec], *, width: int = 8) -> None:
        super().__init__()
        self.token_width = self.pooled_width = width
        self.project = torch.nn.Linear(sum(spec.width for spec in inputs.values()), width)

    def forward(self, conditions: dict[str, Encoded]) -> Conditioning:
        pooled = self.project(torch.cat([c.tokens.mean(1) for c in conditions.values()], dim=-1))
        return Conditioning({"mine": pooled[:, None]}, pooled)


class Darker:
    """A synthesiser: the identity image, darker; stops or fails where a test says so."""

    made = 0
    stops_after: int | None = None
    error: Exception | None = None

    def __init__(self, image_size: int, *, by: float = 0.5) -> None:
        self.by = by

    def generate(self, batch: FaceBatch, seeds: Sequence[int]) -> Tensor:
        if Darker.error is not None:
            raise Darker.error
        if Darker.stops_after is not None and Darker.made >= Darker.stops_after:
            raise KeyboardInterrupt
        Darker.made += len(batch)
        return (batch.identity.image + 1) * self.by - 1


@contextlib.contextmanager
def acme() -> Iterator[type[Darker]]:
    """The parts ``mine`` and ``darker`` of somebody else's plugin are installed."""
    found = discover()
    parts = (Registration("fusions", "mine", Mine), Registration("synthesisers", "darker", Darker))
    plugin = Plugin("acme", "acme", "acme", "1.0", parts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("palsykit.registry.discover", lambda: replace(found, plugins=[*found.plugins, plugin]))
        registry.cache_clear()
        Darker.made, Darker.stops_after, Darker.error = 0, None, None
        yield Darker
    registry.cache_clear()


@pytest.fixture
def darker() -> Iterator[type[Darker]]:
    """Somebody else's plugin; its synthesiser counts what it makes."""
    with acme() as part:
        yield part


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A benchmark's recipe in the current folder."""
    monkeypatch.chdir(tmp_path)
    path = Path("small.yaml")
    path.write_text(SMALL, encoding="utf-8")
    return path


def command(*arguments: Any) -> Done:
    """A command line in this process."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.setattr(sys, "argv", ["palsykit", *map(str, arguments)])
        try:
            main()
        except SystemExit as error:
            code = int(error.code or 0)
    return Done(code, out.getvalue(), err.getvalue())


@pytest.fixture
def palsykit() -> Callable[..., Done]:
    """Runs a command line."""
    return command


@dataclass
class Finished:
    """A whole benchmark, only looked at: what was printed, what it left, and how many pictures ``darker`` made."""

    done: Done
    folder: Path
    page: str
    made: int


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Finished:
    """Every system of SMALL with two seeds."""
    base = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch, acme() as part:
        patch.chdir(base)
        patch.setenv("PALSYKIT_CACHE", str(shared_cache))
        Path("small.yaml").write_text(SMALL, encoding="utf-8")
        done = command("benchmark", "small.yaml", "--set", "seeds=[0, 1]", "--page", "results.md")
        page = Path("results.md").read_text() if Path("results.md").exists() else ""
        return Finished(done, base / "runs" / "benchmarks" / "small", page, part.made)
