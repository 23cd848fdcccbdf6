"""``extends``: what a child adds, replaces and removes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from palsykit.recipe.merge import merge, read_extended
from palsykit.recipe.problems import RecipeError
from palsykit.recipe.read import read_text


def merged(parent: str, child: str) -> dict[str, Any]:
    return merge(read_text(parent, "p.yaml", Path()), read_text(child, "c.yaml", Path())).value


@pytest.mark.parametrize(
    ("parent", "child", "expected"),
    [
        ("{a: {b: 1, c: 2}}", "{a: {c: 3, d: 4}}", {"a": {"b": 1, "c": 3, "d": 4}}),
        ("{a: [1, 2]}", "{a: [3]}", {"a": [3]}),
        ("{a: {use: x, k: 1}}", "{a: {use: y}}", {"a": {"use": "y"}}),
        ("{a: {use: x, k: 1}}", "{a: {use: x, l: 2}}", {"a": {"use": "x", "k": 1, "l": 2}}),
        ("{a: {use: x, k: 1}}", "{a: {l: 2}}", {"a": {"use": "x", "k": 1, "l": 2}}),
        ("{a: x}", "{a: {k: 1}}", {"a": {"use": "x", "k": 1}}),
        ("{a: {use: x, k: 1}}", "{a: x}", {"a": {"use": "x", "k": 1}}),
        ("{a: {use: x, k: 1}}", "{a: y}", {"a": {"use": "y"}}),
        ("{a: {b: 1}}", "{a: null}", {"a": None}),
        ("{a: 1}", "{a: {b: 1}}", {"a": {"b": 1}}),
    ],
)
def test_merging(parent: str, child: str, expected: dict[str, Any]) -> None:
    assert merged(parent, child) == expected


def test_places_follow_the_values() -> None:
    parent = read_text("a: {b: 1, c: [1, 2]}", "p.yaml", Path())
    tree = merge(parent, read_text("a:\n  c: [3]", "c.yaml", Path()))
    assert tree.spot(("a", "b")).value == "p.yaml:1:8"
    assert tree.spot(("a", "c")).value == "c.yaml:2:6"
    assert ("a", "c", 1) not in tree.spots
    assert tree.spot(("a", "missing")).value == "c.yaml:2:3"
    assert parent.value == {"a": {"b": 1, "c": [1, 2]}}, "the parent stays as it was"


def test_what_null_removes_is_remembered() -> None:
    tree = merge(read_text("{a: {b: 1}, c: 2}", "p", Path()), read_text("{a: {b: null}, d: null}", "c", Path()))
    assert tree.removed == {("a", "b")}


def test_a_chain_of_parents(recipe: Callable[..., Path]) -> None:
    recipe("{a: 1, b: 1, c: 1, name: base, about: base}", "base.yaml")
    recipe("{extends: ../base.yaml, b: 2}", "sub/middle.yaml")
    recipe("{b: 3, d: 3}", "other.yaml")
    tree = read_extended(recipe("{extends: [sub/middle.yaml, other.yaml], c: 4}"))
    assert tree.value == {"a": 1, "b": 3, "d": 3, "c": 4}, "later parents win, name and about are not inherited"
    assert tree.spot(("a",)).value == "base.yaml:1:5"
    assert tree.spot(("a",)).folder.resolve() == Path.cwd()


def test_a_diamond_is_no_cycle(recipe: Callable[..., Path]) -> None:
    recipe("{a: 1}", "base.yaml")
    recipe("{extends: base.yaml, b: 1}", "left.yaml")
    recipe("{extends: base.yaml, c: 1}", "right.yaml")
    assert read_extended(recipe("{extends: [left.yaml, right.yaml]}")).value == {"a": 1, "b": 1, "c": 1}


def test_an_absolute_parent(recipe: Callable[..., Path], tmp_path: Path) -> None:
    base = recipe("{a: 1}", "base.yaml").resolve()
    assert read_extended(recipe(f"extends: {base}", "deep/down/r.yaml")).value == {"a": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("extends: nothing.yaml", 'r.yaml:1:10: extends: found "nothing.yaml", expected an existing recipe; no file'),
        ("extends: .", 'r.yaml:1:10: extends: found ".", a folder, expected a recipe file'),
        ("extends: bytes.yaml", 'r.yaml:1:10: extends: found "bytes.yaml", byte 0 that is not UTF-8'),
        ("extends: r.yaml", "r.yaml:1:10: extends: found a cycle: r.yaml -> r.yaml"),
        ("extends: loop.yaml", "loop.yaml:1:10: extends: found a cycle: r.yaml -> loop.yaml -> r.yaml"),
        ("extends: 3", "r.yaml:1:10: extends: found 3, expected a recipe's file name or a list of them"),
        ("extends: [loop.yaml, 3]", "expected a recipe's file name or a list of them"),
    ],
)
def test_parents_that_cannot_be(recipe: Callable[..., Path], text: str, message: str) -> None:
    recipe("extends: r.yaml", "loop.yaml")
    recipe("", "bytes.yaml").write_bytes(b"\xff")
    with pytest.raises(RecipeError) as caught:
        read_extended(recipe(text))
    assert message in str(caught.value)


def test_recipes_that_extend_each_other_without_end_are_refused(recipe: Callable[..., Path]) -> None:
    for number in range(30):
        recipe(f"extends: [r{number + 1}.yaml, r{number + 1}.yaml]", f"r{number}.yaml")
    recipe("{a: 1}", "r30.yaml")
    with pytest.raises(RecipeError, match="extends: found more than 100 recipes in all, expected fewer"):
        read_extended(Path("r0.yaml"))
