"""``extends``: merge a recipe with the recipes that it extends."""

from pathlib import Path
from typing import Any

from palsykit.files.resources import OutsideFile, locate
from palsykit.recipe.problems import KeyPath, Problem, RecipeError, describe
from palsykit.recipe.read import Spot, Tree, displayed, read_file

FILE_LIMIT = 100
"""Most recipes that one recipe extends, each counted as often as it is named: two names in each of 30 are a billion."""

OWN = ("name", "about", "extends")
"""Keys that a child does not inherit. With its parent's name, both would use the same run folder."""


def read_extended(path: Path, within: Path | None = None) -> Tree:
    """Read the recipe ``path``, merged on top of all recipes it extends; these must be in ``within``, if given.

    Raises:
        RecipeError: a file cannot be read, is missing, or extends itself, or there are too many.
    """
    return extended(read_file(path), path, within)


def extended(tree: Tree, path: Path, within: Path | None = None) -> Tree:
    """Merge ``tree``, as written in the file ``path``, on top of all recipes it extends; see ``read_extended``.

    Raises:
        RecipeError: a file cannot be read, is missing, or extends itself, or there are too many.
    """
    return _extended(tree, path, (), [], within)


def _extended(tree: Tree, path: Path, children: tuple[Path, ...], read: list[Path], within: Path | None = None) -> Tree:
    """``extended``; ``children`` are the recipes that extend this one, ``read`` all that were read before."""
    parents = _parents(tree, path)
    merged = Tree({}, {})
    chain = (*children, path.resolve())
    for index, parent in enumerate(parents):
        spot = tree.spot(("extends",) if isinstance(tree.value["extends"], str) else ("extends", index))
        try:
            file = locate(parent, spot.folder, within)
        except (FileNotFoundError, OutsideFile) as error:
            problem = Problem(spot.value, "extends", f'"{parent}"', "an existing recipe", str(error))
            raise RecipeError(displayed(path), [problem]) from None
        if file.resolve() in chain:
            loop = " -> ".join(displayed(step) for step in (*chain, file.resolve()))
            problem = Problem(spot.value, "extends", f"a cycle: {loop}", "recipes that do not extend themselves")
            raise RecipeError(displayed(path), [problem])
        read.append(file)
        if len(read) > FILE_LIMIT:
            problem = Problem(spot.value, "extends", f"more than {FILE_LIMIT} recipes in all", "fewer")
            raise RecipeError(displayed(path), [problem])
        inherited = _extended(_parent(file, parent, spot), file, chain, read, within)
        for key in OWN:
            _forget(inherited, (key,))
            inherited.value.pop(key, None)
        merged = merge(merged, inherited)
    merged = merge(merged, tree)
    _forget(merged, ("extends",))
    merged.value.pop("extends", None)
    return merged


def _parent(file: Path, name: str, spot: Spot) -> Tree:
    """``read_file``; what is wrong with the file as a whole is said at ``spot``, where a child names it."""
    try:
        return read_file(file)
    except RecipeError as error:
        problems = [
            problem
            if problem.where != displayed(file)
            else Problem(spot.value, "extends", f'"{name}", {problem.found}', problem.expected, problem.hint)
            for problem in error.problems
        ]
        raise RecipeError(displayed(file), problems) from None


def merge(parent: Tree, child: Tree) -> Tree:
    """Merge ``child`` on top of ``parent``: mappings merge, lists and scalars replace, ``null`` removes."""
    result = Tree(dict(parent.value), dict(parent.spots), parent.removed | child.removed)
    result.value = _merged(parent.value, child.value, (), result, child)
    return result


def _merged(old: Any, new: Any, path: KeyPath, result: Tree, child: Tree) -> Any:
    # A part may be written as its name alone: "x" is {use: x}.
    if isinstance(old, str) and isinstance(new, dict):
        old = {"use": old}
    if isinstance(old, dict) and isinstance(new, str) and "use" in old:
        new = {"use": new}
    # Merge mappings key by key; a block that names another part replaces the old one.
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
        # an index as a key comes from --set only: replace one item; a file would replace the whole list
        return [
            _merged(item, new[index], (*path, index), result, child) if index in new else item
            for index, item in enumerate(old)
        ]
    if new is None and old is not None:
        result.removed.add(path)
    return _put(new, path, result, child)


def _put(value: Any, path: KeyPath, result: Tree, child: Tree) -> Any:
    """Take ``value`` from the child; the child's spots replace the parent's."""
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
