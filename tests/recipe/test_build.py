"""Blocks become parts, or say why not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from palsykit.errors import PalsykitError
from palsykit.networks import SharedNetwork
from palsykit.recipe import build_part, load_recipe
from palsykit.recipe.schema import PartBlock
from palsykit.registry import Registry


def block(use: str, **parameters: Any) -> PartBlock:
    return PartBlock(use=use, parameters=parameters)


@pytest.fixture(autouse=True)
def _fake(parts: Callable[..., Registry]) -> None:
    """Every test here builds fake parts."""


def test_positional_from_core_and_keys_from_the_block(tmp_path: Path) -> None:
    built = build_part("datasets", block("faces", zoom=2, size=[3], kind="hard", root=str(tmp_path)), 64, tmp_path)
    assert built.positional == (64, tmp_path)
    assert (built.keys["zoom"], built.keys["size"], built.keys["people"]) == (2.0, (3,), 5)
    assert built.keys["kind"].name == "HARD"
    assert built.keys["root"] == tmp_path


def test_networks_by_name_and_by_default(shared: SharedNetwork) -> None:
    networks = {"recognition": shared}
    assert build_part("encoders", block("look"), 64, networks=networks).network is shared
    assert build_part("encoders", block("look", network="recognition"), 64, networks=networks).network is shared
    metric = build_part(
        "metrics", block("distance", extractor="recognition", others=["recognition"]), networks=networks
    )
    assert (metric.extractor, metric.others, metric.baseline) == (shared, [shared], None)


def test_nested_parts_are_built(shared: SharedNetwork) -> None:
    denoiser = build_part("denoisers", block("unet", attention={"use": "sdpa", "chunk": 2}), None, 64)
    assert denoiser.attention.keys == {"chunk": 2}
    assert build_part("denoisers", block("unet"), None, 64).attention.keys == {"chunk": 4}


@pytest.mark.parametrize(
    ("interface", "made", "positional", "message"),
    [
        ("fusions", block("crss"), (None,), "unknown fusion 'crss': did you mean cross?"),
        ("fusions", block("cross"), (None,), "heads: missing, and it has no default"),
        ("fusions", block("cross", heads=2, head=3), (None,), 'head: unknown key, expected one of ring, heads; did'),
        ("fusions", block("cross", heads="2"), (None,), 'heads: found "2" (text), expected a whole number'),
        ("fusions", block("cross", heads=2, ring={"a": 1}), (None,), "ring.a: found 1, expected text"),
        ("networks", block("net", weights="no.safetensors"), (64,), "weights: found \"no.safetensors\" (text), expec"),
        ("networks", block("net", depth=-1), (64,), "cannot be built with (depth=-1): depth must not be negative [V"),
        ("networks", block("net"), (), "missing 1 required positional argument: 'image_size'"),
        ("encoders", block("look"), (64,), "network: found \"recognition\" (text), expected the name of one of the"),
        ("metrics", block("distance", extractor={"use": "fixed"}), (), "expected the name of one of the networks"),
        ("denoisers", block("unet", attention={"chunk": 3}), (None, 64), "expected an attention backend: {use: ...}"),
    ],
)  # fmt: skip
def test_what_cannot_be_built(interface: str, made: PartBlock, positional: tuple[Any, ...], message: str) -> None:
    with pytest.raises(PalsykitError) as caught:
        build_part(interface, made, *positional)
    assert message in str(caught.value)
    assert "crss" in message or f"{made.use!r} of plugin fake (fake-dist 1.0)" in str(caught.value)


def test_a_factory_that_lacks_its_library(parts: Callable[..., Registry]) -> None:
    def needy(*, a: int = 1) -> None:
        raise ImportError("install palsykit[xformers]")

    parts(attention__needy=needy)
    with pytest.raises(PalsykitError, match=r"install palsykit\[xformers\]"):
        build_part("attention", block("needy"))


def test_a_bug_in_a_factory_is_one_line_with_its_place(parts: Callable[..., Registry]) -> None:
    def buggy(*, a: int = 1) -> None:
        raise ZeroDivisionError

    parts(attention__buggy=buggy)
    with pytest.raises(
        PalsykitError, match=r"buggy.* cannot be built with \(\).*\[ZeroDivisionError at test_build\.py:\d+\]"
    ):
        build_part("attention", block("buggy"))


def test_a_loaded_recipe_builds(recipe: Callable[..., Path], diffusion: str, shared: SharedNetwork) -> None:
    settings = load_recipe(recipe(diffusion), ["data.size=[4, 5]", "fusion.ring={a: b}"]).settings
    assert build_part("datasets", settings.data, 64, Path()).keys["size"] == (4, 5)
    assert settings.fusion is not None
    assert build_part("fusions", settings.fusion, {}).ring == {"a": "b"}
    who = settings.conditions["who"]
    assert (who.source, who.drop, who.parameters) == ("identity", 0.0, {"network": "recognition", "width": 8})
    assert build_part("encoders", who, 64, networks={"recognition": shared}).width == 8
