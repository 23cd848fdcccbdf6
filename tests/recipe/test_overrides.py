"""``--set``: one value at a time, by a recipe's own rules."""

from pathlib import Path
from typing import Any

import pytest

from palsykit.recipe.overrides import apply
from palsykit.recipe.problems import RecipeError
from palsykit.recipe.read import Tree, read_text

BASE = "train: {steps: 5, lr: 0.1}\nfits: [{network: a, trainer: {use: t, k: 1}}, {network: b}]\ndata: faces\n"


def base() -> Tree:
    return read_text(BASE, "r.yaml", Path("/recipes"))


@pytest.mark.parametrize(
    ("override", "path", "expected"),
    [
        ("train.steps=100", ("train",), {"steps": 100, "lr": 0.1}),
        ("train.lr=1e-4", ("train", "lr"), 1e-4),
        ("train.note=a=b", ("train", "note"), "a=b"),
        ("train.note=no", ("train", "note"), "no"),
        ("train.note=", ("train", "note"), None),
        ("train={steps: 1}", ("train",), {"steps": 1, "lr": 0.1}),
        ("fits=[]", ("fits",), []),
        ("fits.1.network=c", ("fits", 1), {"network": "c"}),
        ("fits.0.trainer.k=2", ("fits", 0, "trainer"), {"use": "t", "k": 2}),
        ("fits.0.trainer.use=u", ("fits", 0, "trainer"), {"use": "u"}),
        ("fits.0.trainer={use: u}", ("fits", 0, "trainer"), {"use": "u"}),
        ("fits.0={steps: 3}", ("fits", 0), {"network": "a", "trainer": {"use": "t", "k": 1}, "steps": 3}),
        ("data.people=3", ("data",), {"use": "faces", "people": 3}),
        ("sampler.steps=3", ("sampler",), {"steps": 3}),
    ],
)
def test_values(override: str, path: tuple[Any, ...], expected: object) -> None:
    value: Any = apply(base(), [override], "r.yaml").value
    for part in path:
        value = value[part]
    assert value == expected


def test_the_rest_keeps_its_place() -> None:
    tree = apply(base(), ["fits.0.trainer.k=2", "train.steps=7"], "r.yaml")
    assert tree.spot(("fits", 0, "trainer", "k")).value == "--set fits.0.trainer.k=2"
    assert tree.spot(("fits", 0, "trainer", "k")).folder == Path.cwd()
    assert tree.spot(("fits", 0, "network")).value == "r.yaml:2:18"
    assert tree.spot(("fits", 1, "network")).value == "r.yaml:2:57"
    assert tree.spot(("train", "lr")).folder == Path("/recipes")
    assert tree.spot(("train", "missing")).value == "r.yaml:1:8"


def test_a_later_override_wins_and_may_build_on_an_earlier_one() -> None:
    tree = apply(base(), ["a.b=1", "a.b=2", "a.c=3", "list=[1, 2]", "list.1=5"], "r.yaml")
    assert tree.value["a"] == {"b": 2, "c": 3}
    assert tree.value["list"] == [1, 5]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.steps", '--set train.steps: found "train.steps" (text), expected a.b.c=VALUE'),
        ("=3", "expected a.b.c=VALUE"),
        ("train..steps=3", "expected a.b.c=VALUE"),
        ("train.steps=[1", "expected YAML"),
        ("train={a: 1, a: 2}", "found the key a second time"),
        ("fits.2.network=x", '--set fits.2.network=x: fits: found "2", expected an index from 0 to 1'),
        ("fits.first.network=x", 'found "first", expected an index from 0 to 1'),
    ],
)
def test_overrides_that_cannot_be(override: str, message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        apply(base(), ["train.steps=3", override], "r.yaml")
    assert message in str(caught.value)


def test_every_bad_override_is_told() -> None:
    with pytest.raises(RecipeError, match="has 2 problems"):
        apply(base(), ["a", "b"], "r.yaml")
