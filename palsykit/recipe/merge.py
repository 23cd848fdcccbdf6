"""``extends``: a recipe on top of others, and one tree on top of another."""

from pathlib import Path
from typing import Any

from palsykit.files.resources import locate
from palsykit.recipe.problems import KeyPath, Problem, RecipeError, describe
from palsykit.recipe.read import Tree, displayed, read_file

OWN = ("name", "about", "extends")
"""Keys that a child does not inherit: its parent's name would put both into one run folder."""


def read_extended(path: Path, below: tuple[Path, ...] = ()) -> Tree:
    """The recipe ``path`` on top of everything it extends; ``below`` are the recipes that led here.

    Raises:
        RecipeError: a file cannot be read, is missing, or extends itself.
    """
    return extended(read_file(path), path, below)


def extended(tree: Tree, path: Path, below: tuple[Path, ...] = ()) -> Tree:
    """A recipe as it is written in the file ``path``, on top of everything it extends.

    Raises:
        RecipeError: a file cannot be read, is missing, or extends itself.
    """
    parents = _parents(tree, path)
    merged = Tree({}, {})
    chain = (*below, path.resolve())
    for index, parent in enumerate(parents):
        spot = tree.spot(("extends",) if isinstance(tree.value["extends"], str) else ("extends", index))
        try:
            found = locate(parent, spot.folder)
        except FileNotFoundError as error:
            problem = Problem(spot.value, "extends", f'"{parent}"', "an existing recipe", str(error))
            raise RecipeError(displayed(path), [problem]) from None
        if found.resolve() in chain:
            loop = " -> ".join(displayed(step) for step in (*chain, found.resolve()))
            problem = Problem(spot.value, "extends", f"a cycle: {loop}", "no recipe that extends itself")
            raise RecipeError(displayed(path), [problem])
        above = read_extended(found, chain)
        for key in OWN:
            _forget(above, (key,))
            above.value.pop(key, None)
        merged = merge(merged, above)
    merged = merge(merged, tree)
    _forget(merged, ("extends",))
    merged.value.pop("extends", None)
    return merged


def merge(parent: Tree, child: Tree) -> Tree:
    """``child`` on top of ``parent``: mappings merge, lists and scalars replace, ``null`` removes."""
    result = Tree(dict(parent.value), dict(parent.spots), parent.removed | child.removed)
    result.value = _merged(parent.value, child.value, (), result, child)
    return result


def _merged(old: Any, new: Any, path: KeyPath, result: Tree, child: Tree) -> Any:
    if isinstance(old, str) and isinstance(new, dict):
        old = {"use": old}
    if isinstance(old, dict) and isinstance(new, str) and "use" in old:
        new = {"use": new}
    if isinstance(old, dict) and isinstance(new, dict) and new.get("use", old.get("use")) == old.get("use"):
        if path in child.spots:
            result.spots[path] = child.spots[path]
        values = dict(old)
        for key, value in new.items():
            inner = (*path, key)
            values[key] = (
                _merged(values[key], value, inner, result, child)
                if key in values
                else _put(value, inner, result, child)
            )
        return values
    if isinstance(old, list) and isinstance(new, dict) and any(isinstance(key, int) for key in new):
        # only --set makes an index a key: it changes one item where a file replaces the list
        return [
            _merged(item, new[index], (*path, index), result, child) if index in new else item
            for index, item in enumerate(old)
        ]
    if new is None and old is not None:
        result.removed.add(path)
    return _put(new, path, result, child)


def _put(value: Any, path: KeyPath, result: Tree, child: Tree) -> Any:
    """``value`` as the child has it, with the child's spots in place of the parent's."""
    _forget(result, path)
    result.spots.update({key: spot for key, spot in child.spots.items() if key[: len(path)] == path})
    return value


def _forget(tree: Tree, path: KeyPath) -> None:
    for key in [key for key in tree.spots if key[: len(path)] == path]:
        del tree.spots[key]


def _parents(tree: Tree, path: Path) -> list[str]:
    written = tree.value.get("extends", [])
    parents = [written] if isinstance(written, str) else written
    if not isinstance(parents, list) or not all(isinstance(parent, str) for parent in parents):
        spot = tree.spot(("extends",))
        problem = Problem(spot.value, "extends", describe(written), "a recipe's file name or a list of them")
        raise RecipeError(displayed(path), [problem])
    return parents
