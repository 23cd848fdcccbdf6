"""``--set a.b=VALUE``: override single values of a recipe; VALUE is YAML, as in the recipe."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from palsykit.recipe.merge import merge
from palsykit.recipe.problems import KeyPath, Problem, RecipeError, describe, dotted
from palsykit.recipe.read import Spot, Tree, read_value

FLAG = "--set"


def apply(tree: Tree, overrides: Sequence[str], recipe: str) -> Tree:
    """Apply all overrides to ``tree``, in order.

    Raises:
        RecipeError: an override lacks ``=`` or a key, its VALUE is not YAML, or a list does not have its index.
    """
    problems: list[Problem] = []
    for override in overrides:
        try:
            tree = _apply(tree, override)
        except RecipeError as error:
            problems += error.problems
    if problems:
        raise RecipeError(recipe, problems)
    return tree


def _apply(tree: Tree, override: str) -> Tree:
    where = f"{FLAG} {override}"
    key, equals, text = override.partition("=")
    keys = key.strip().split(".")
    if not equals or not all(keys):
        raise RecipeError(where, [Problem(where, "", describe(override), "a.b.c=VALUE")])
    walk = read_value(text, where, lambda mark: where, Path.cwd())
    if walk.problems:
        raise RecipeError(where, walk.problems)
    path = _path(tree.value, keys, where)
    here = Spot(where, where, Path.cwd())
    blocks = [path[:length] for length in range(1, len(path))]
    spots = {block: here for block in blocks if block not in tree.spots}
    spots |= {path + inner: here for inner in walk.spots}
    child: Any = walk.value
    for part in reversed(path):
        child = {part: child}
    return merge(tree, Tree(child, spots))


def _path(value: Any, keys: list[str], where: str) -> KeyPath:
    """Convert keys to a key path, with integers as indices of lists."""
    path: KeyPath = ()
    for key in keys:
        if isinstance(value, list):
            if not re.fullmatch("[0-9]+", key) or int(key) >= len(value):
                expected = f"an index from 0 to {len(value) - 1}" if value else "no index: the list is empty"
                raise RecipeError(where, [Problem(where, dotted(path), f'"{key}"', expected)])
            path = (*path, int(key))
            value = value[int(key)]
        else:
            path = (*path, key)
            value = value.get(key) if isinstance(value, dict) else None
    return path
