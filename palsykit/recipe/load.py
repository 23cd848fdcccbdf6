"""A recipe, read, checked and resolved."""

import hashlib
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from palsykit.files.claims import difference
from palsykit.recipe.merge import read_extended
from palsykit.recipe.overrides import FLAG, apply
from palsykit.recipe.problems import KeyPath
from palsykit.recipe.read import Tree, displayed
from palsykit.recipe.rules import read_settings
from palsykit.recipe.schema import Settings
from palsykit.recipe.values import plain
from palsykit.recipe.yaml_rules import dump

UNHASHED = ("name", "about", "tracking")
"""What a recipe is called and who watches it changes nothing of what it does."""

ORDERED = ("conditions", "maps")
"""Sections whose order counts: a fusion sees the conditions in it, a denoiser the maps' channels."""


@dataclass(frozen=True)
class Recipe:
    """What a run does.

    Attributes:
        name: the recipe's own, else its file's stem.
        path: the file it was read from.
        settings: the sections as objects; a part's parameters hold every key, plain, defaults filled in.
        resolved: the same as plain mappings, which document the run.
        hash: SHA-256 of ``resolved`` without what is only a name.
        origins: for every value in ``resolved`` where it comes from: ``file:line:column``, ``--set`` or ``default``.
    """

    name: str
    path: Path
    settings: Settings
    resolved: dict[str, Any]
    hash: str
    origins: dict[KeyPath, str]

    def yaml(self) -> str:
        """The resolved recipe as YAML; reads back to the same ``resolved`` and ``hash``."""
        return dump(self.resolved)

    def difference(self, other: dict[str, Any]) -> list[str]:
        """What changed from another resolved recipe to this one, a line ``key: a -> b`` for each value."""
        lines = difference(*({k: v for k, v in tree.items() if k not in UNHASHED} for tree in (other, self.resolved)))
        for section in ORDERED:
            order, new_order = list(other.get(section) or {}), list(self.resolved[section])
            if sorted(order) == sorted(new_order) and order != new_order:
                lines.append(f"{section}, in order: {', '.join(order)} -> {', '.join(new_order)}")
        return lines


def load_recipe(path: str | Path, overrides: Sequence[str] = (), unchecked: Collection[str] = ()) -> Recipe:
    """Reads a recipe file with everything that it extends, and checks it.

    Args:
        path: a YAML file.
        overrides: ``a.b.c=VALUE``, each applied on top, in order.
        unchecked: sections whose parts and files are kept as written, for a resolved recipe of which not every section
            is used: its files may be missing, and its parts' modules are not imported. Building a part checks it.

    Raises:
        RecipeError: with every problem that was found.
    """
    path = Path(path)
    tree = apply(read_extended(path), overrides, displayed(path))
    return recipe_of(tree, path, displayed(path), path.stem, unchecked)


def recipe_of(tree: Tree, path: Path, shown: str, name: str, unchecked: Collection[str] = ()) -> Recipe:
    """A recipe from what is written, everything that it extends being merged in already.

    Args:
        tree: what is written.
        path: the file that it is written in.
        shown: what stands for it in messages.
        name: of a recipe that does not say its own.
        unchecked: as ``load_recipe`` takes it.

    Raises:
        RecipeError: with every problem that was found.
    """
    settings = read_settings(tree, shown, unchecked)
    settings = settings.model_copy(update={"name": settings.name or name})
    resolved = plain(settings)
    return Recipe(resolved["name"], path, settings, resolved, _hash(resolved), _origins(resolved, tree))


def _hash(resolved: dict[str, Any]) -> str:
    """SHA-256 of canonical JSON."""
    hashed: dict[str, Any] = {key: value for key, value in resolved.items() if key not in UNHASHED}
    hashed |= {section: list(resolved[section].items()) for section in ORDERED}
    if not resolved["train"]["start_without"]:  # empty it changes nothing, and runs from before it can go on
        hashed["train"] = {key: value for key, value in resolved["train"].items() if key != "start_without"}
    text = json.dumps(hashed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _origins(resolved: dict[str, Any], tree: Tree) -> dict[KeyPath, str]:
    def origin(path: KeyPath) -> str:
        if tree.is_omitted(path):
            return "default"
        place = tree.spots[path].value
        return FLAG if place.startswith(f"{FLAG} ") else place

    return {path: origin(path) for path in _paths(resolved)}


def _paths(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    if path:
        yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _paths(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _paths(item, (*path, index))
