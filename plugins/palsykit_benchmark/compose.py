"""Recipes of systems and judges, composed from a benchmark's recipe; every value keeps its place in the file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from palsykit.files.resources import locate
from palsykit.recipe.load import Recipe, recipe_of
from palsykit.recipe.merge import extended, merge
from palsykit.recipe.problems import KeyPath
from palsykit.recipe.read import Tree, read_file

EXTENDS = "extends"


def subtree(tree: Tree, path: KeyPath, alone: str = EXTENDS) -> Tree:
    """The tree at ``path``; a bare text becomes the value of the key ``alone``."""
    value: Any = tree.value
    for part in path:
        value = value[part]
    spots = {key[len(path) :]: spot for key, spot in tree.spots.items() if key[: len(path)] == path}
    spots.setdefault((), tree.spot(path))
    removed = {key[len(path) :] for key in tree.removed if key[: len(path)] == path}
    if isinstance(value, str):
        return Tree({alone: value}, {**spots, (alone,): spots[()]}, removed)
    return Tree(dict(value), spots, removed)


def layered(own: Tree, every: Tree, path: Path) -> Tree:
    """Merge, later layers first: ``own``, ``every`` (if it trains a model), and what ``own`` extends.

    Args:
        own: a system or the judges, as written.
        every: keys for all systems with a trainer, below their own.
        path: the benchmark's file.

    Raises:
        RecipeError: a recipe that is extended cannot be read.
    """
    if set(own.value) == {EXTENDS} and isinstance(own.value[EXTENDS], str):
        base = extended(own, path)  # raises if there is no such file
        file = locate(own.value[EXTENDS], own.spot((EXTENDS,)).folder)
        about = read_file(file).value.get("about")  # a recipe used as it is keeps its description
        base = base if about is None else with_values(base, {"about": about}, own)
        return _with(every, base, Tree({}, own.spots))
    parents = {key: value for key, value in own.value.items() if key == EXTENDS}
    rest = {key: value for key, value in own.value.items() if key != EXTENDS}
    base = extended(Tree(parents, own.spots), path)
    return _with(every, base, Tree(rest, own.spots, own.removed))


def _with(every: Tree, base: Tree, rest: Tree) -> Tree:
    whole = merge(base, rest)
    return whole if whole.value.get("trainer") is None else merge(merge(base, every), rest)


def with_values(tree: Tree, values: Mapping[str, Any], at: Tree) -> Tree:
    """``tree`` with these keys merged in; problems with them point to the start of ``at``."""
    paths: list[KeyPath] = [(), *((key,) for key in values)]
    spots = dict.fromkeys(paths, at.spot(()))
    return merge(tree, Tree(dict(values), spots))


def with_data(tree: Tree, data: Tree) -> Tree:
    """``tree`` with another data set, which replaces the recipe's own completely: all systems see the same data."""
    spots = {key: spot for key, spot in tree.spots.items() if key[:1] != ("data",)}
    bare = Tree({key: value for key, value in tree.value.items() if key != "data"}, spots, tree.removed)
    return merge(bare, Tree({"data": data.value}, {(): data.spot(()), **_under("data", data)}))


def resolved(tree: Tree, path: Path, shown: str, name: str) -> Recipe:
    """The recipe, checked.

    Raises:
        RecipeError: with every problem; ``shown`` names the recipe in messages.
    """
    tree.spots.setdefault((), next(iter(tree.spots.values())))
    return recipe_of(tree, path, shown, name)


def _under(name: str, tree: Tree) -> dict[KeyPath, Any]:
    return {(name, *key): spot for key, spot in tree.spots.items()}
