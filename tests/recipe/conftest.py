"""A registry of small parts, so that recipes are read, checked and built without any plugin."""

from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from textwrap import dedent
from typing import Annotated, Any, ClassVar, Literal

import pytest
from pydantic import Field

from palsykit.interfaces import AttentionBackend, Network, Synthesiser
from palsykit.networks import SharedNetwork
from palsykit.plugins import Discovery, Plugin, Registration
from palsykit.registry import Registry, registry


class Kind(Enum):
    SOFT = "soft"
    HARD = "hard"


class Built:
    """Remembers what it was built with."""

    def __init__(self, positional: tuple[Any, ...], keys: dict[str, Any]):
        self.positional, self.keys = positional, keys


def faces(
    image_size: int,
    cache: Path,
    *,
    people: Annotated[int, Field(ge=1)] = 5,
    root: Path | None = None,
    files: dict[str, Path] = {},  # noqa: B006 (only read)
    zoom: float = 1,
    size: tuple[int, ...] = (1, 2),
    mode: Literal["rgb", "grey"] = "rgb",
    kind: Kind = Kind.SOFT,
    flip: bool = False,
    title: str | None = "faces",
    table: dict[str, list[float]] | None = None,
) -> Built:
    keys = {"people": people, "root": root, "files": files, "zoom": zoom, "size": size, "kind": kind, "table": table}
    return Built((image_size, cache), keys)


def net(image_size: int, *, depth: int = 18, weights: Path | None = None) -> Built:
    if depth < 0:
        raise ValueError("depth must not be negative")
    return Built((image_size,), {"depth": depth, "weights": weights})


def fixed_net(image_size: int, *, colour: str = "red") -> Built:
    return Built((image_size,), {"colour": colour})


class Encoder:
    def __init__(self, image_size: int, *, network: Network | str = "recognition", width: int = 8):
        self.image_size, self.network, self.width = image_size, network, width


class Drawing:
    former_keys: ClassVar[dict[str, str]] = {"lines": "write strokes"}

    def __init__(self, image_size: int, *, strokes: int = 3):
        self.strokes = strokes


class Fusion:
    def __init__(self, inputs: Any, *, ring: dict[str, str] | None = None, heads: int):
        self.inputs, self.ring, self.heads = inputs, ring, heads


class Denoiser:
    def __init__(self, conditioning: Any, image_size: int, *, attention: AttentionBackend = "sdpa"):  # type: ignore[assignment]
        self.image_size, self.attention = image_size, attention


class Metric:
    def __init__(self, *, extractor: Network, others: list[Network] = [], baseline: Synthesiser | None = None):  # noqa: B006
        self.extractor, self.others, self.baseline = extractor, others, baseline


def sdpa(*, chunk: int = 4) -> Built:
    return Built((), {"chunk": chunk})


def plain(*, steps: int = 10) -> Built:
    return Built((), {"steps": steps})


def with_one(first: Any, *, rate: float = 0.5) -> Built:
    return Built((first,), {"rate": rate})


PARTS: dict[tuple[str, str], Callable[..., Any]] = {
    ("datasets", "faces"): faces,
    ("datasets", "photos"): faces,
    ("networks", "net"): net,
    ("networks", "fixed"): fixed_net,
    ("encoders", "look"): Encoder,
    ("maps", "drawn"): Drawing,
    ("fusions", "cross"): Fusion,
    ("denoisers", "unet"): Denoiser,
    ("attention", "sdpa"): sdpa,
    ("schedulers", "ddpm"): plain,
    ("samplers", "ddim"): with_one,
    ("trainers", "diffusion"): with_one,
    ("synthesisers", "copy"): with_one,
    ("metrics", "psnr"): plain,
    ("metrics", "distance"): Metric,
}

DIFFUSION = """
data: {use: faces}
networks:
  recognition: {use: fixed}
conditions:
  who: {use: look, source: identity}
fusion: {use: cross, heads: 2}
denoiser: {use: unet}
scheduler: {use: ddpm}
sampler: {use: ddim}
trainer: {use: diffusion}
"""


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Registry]]:
    """Replaces what is installed by ``PARTS`` and whatever the test adds."""

    def put(**added: Callable[..., Any]) -> Registry:
        more = {tuple(name.split("__")): factory for name, factory in added.items()}
        registrations = tuple(Registration(*key, factory) for key, factory in {**PARTS, **more}.items())
        found = Discovery([Plugin("fake", "fake_module", "fake-dist", "1.0", registrations)])
        monkeypatch.setattr("palsykit.registry.discover", lambda: found)
        registry.cache_clear()
        return registry()

    put()
    yield put
    registry.cache_clear()


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parts: object) -> Callable[..., Path]:
    """Writes a recipe file; the test's folder is the current one."""
    monkeypatch.chdir(tmp_path)

    def write(text: str, name: str = "r.yaml") -> Path:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
        return path

    return write


@pytest.fixture
def diffusion() -> str:
    """A whole small diffusion recipe."""
    return DIFFUSION


@pytest.fixture
def shared() -> SharedNetwork:
    from torch import nn

    return SharedNetwork("recognition", nn.Identity())
