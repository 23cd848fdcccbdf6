"""Load a recipe: read, check and resolve it."""

import hashlib
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from palsykit.files.claims import difference
from palsykit.recipe.merge import read_extended
from palsykit.recipe.overrides import FLAG, apply
from palsykit.recipe.problems import KeyPath, dotted
from palsykit.recipe.read import Tree, displayed
from palsykit.recipe.rules import read_settings
from palsykit.recipe.schema import Settings
from palsykit.recipe.values import plain
from palsykit.recipe.yaml_rules import dump

UNHASHED = ("name", "about", "tracking", "watch")
"""Keys left out of the hash: they do not change the results. With ``generate.checkpoint: best``, ``watch`` does."""

SAME_NUMBERS = ("gradient_checkpointing", "workers")
"""Keys of a training that change its speed and its memory only."""

NEWER = {"optimiser": "adamw", "compile": False}
"""Keys of a training that runs may lack that are older than they are -> what those did."""

ORDERED = ("conditions", "maps")
"""Sections whose order matters: a fusion gets the conditions in this order, a denoiser the maps' channels."""


@dataclass(frozen=True)
class Recipe:
    """A checked recipe: all settings of a run.

    Attributes:
        name: the key ``name``, else the file's stem.
        path: the file it was read from.
        settings: the sections as objects; a part's ``parameters`` are plain and have all keys, with defaults filled in.
        resolved: the same as plain mappings; written to the run folder.
        hash: SHA-256 of ``resolved`` without the keys in ``UNHASHED``.
        origins: the origin of each value in ``resolved``: ``file:line:column``, ``--set`` or ``default``.
        within: the folder that files of its parts must not leave; None for a recipe that the user wrote or trusts.
    """

    name: str
    path: Path
    settings: Settings
    resolved: dict[str, Any]
    hash: str
    origins: dict[KeyPath, str]
    within: Path | None = None

    def yaml(self) -> str:
        """The resolved recipe as YAML; reads back to the same ``resolved`` and ``hash``."""
        return dump(self.resolved)

    def place(self, block: object) -> str:
        """Where a block of ``settings`` is written, as ``file:line:column: key``; empty if it is not written."""
        for path, value in _blocks(self.settings):
            origin = self.origins.get(path, "default")
            if value is block and origin != "default":
                return f"{origin}: {dotted(path)}"
        return ""

    def difference(self, other: dict[str, Any]) -> list[str]:
        """List the changes from another resolved recipe to this one: one line ``key: a -> b`` per value."""
        lines = difference(*({k: v for k, v in tree.items() if k not in UNHASHED} for tree in (other, self.resolved)))
        for section in ORDERED:
            order, new_order = list(other.get(section) or {}), list(self.resolved[section])
            if sorted(order) == sorted(new_order) and order != new_order:
                lines.append(f"{section}, in order: {', '.join(order)} -> {', '.join(new_order)}")
        return lines


def load_recipe(
    path: str | Path, overrides: Sequence[str] = (), unchecked: Collection[str] = (), within: Path | None = None
) -> Recipe:
    """Read a recipe file and all recipes that it extends, and check the result.

    Args:
        path: a YAML file.
        overrides: ``a.b.c=VALUE``, applied on top of the recipe, in order.
        unchecked: sections to take over unchecked, for a resolved recipe of which only some sections are used: their
            files may be missing, and their parts are not imported. Building a part checks it.
        within: the folder of a stranger's recipe. The recipe may name only files inside it and files of installed
            packages; what ``overrides`` name is the user's own. None: no bound.

    Raises:
        RecipeError: lists every problem.
    """
    path = Path(path)
    tree = apply(read_extended(path, within), overrides, displayed(path))
    return recipe_of(tree, path, displayed(path), path.stem, unchecked, within)


def recipe_of(
    tree: Tree, path: Path, shown: str, name: str, unchecked: Collection[str] = (), within: Path | None = None
) -> Recipe:
    """Check a tree into which all extended recipes are already merged.

    Args:
        tree: the recipe as written.
        path: its file.
        shown: the file's name in messages.
        name: used if the recipe has no key ``name``.
        unchecked, within: as in ``load_recipe``.

    Raises:
        RecipeError: lists every problem.
    """
    settings = read_settings(tree, shown, unchecked, within)
    settings = settings.model_copy(update={"name": settings.name or name})
    resolved = plain(settings)
    return Recipe(resolved["name"], path, settings, resolved, _hash(resolved), _origins(resolved, tree), within)


def _blocks(settings: Settings) -> Iterator[tuple[KeyPath, object]]:
    """Every block of parts, with its path."""
    for section, value in settings:
        yield (section,), value
        for name, item in value.items() if isinstance(value, dict) else ():
            yield (section, name), item
    for index, fit in enumerate(settings.fits):
        yield ("fits", index, "trainer"), fit.trainer
        yield ("fits", index, "data"), fit.data


def _hash(resolved: dict[str, Any]) -> str:
    """SHA-256 of canonical JSON."""
    hashed: dict[str, Any] = {key: value for key, value in resolved.items() if key not in UNHASHED}
    hashed |= {section: list(resolved[section].items()) for section in ORDERED}
    # Leave out newer keys that say nothing: runs older than these keys keep their hash.
    hashed["train"] = _of_training(resolved["train"], {"start_without": []})
    hashed["fits"] = [_of_training(block, {"start": None}) for block in resolved["fits"]]
    hashed["networks"] = {name: _without(block, {"image_size": None}) for name, block in resolved["networks"].items()}
    if resolved["generate"]["checkpoint"] == "best":
        hashed["watch"] = resolved["watch"]
    else:
        hashed["generate"] = {key: value for key, value in resolved["generate"].items() if key != "checkpoint"}
    text = json.dumps(hashed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _of_training(block: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    changing = {key: value for key, value in block.items() if key not in SAME_NUMBERS}
    return _without(changing, NEWER | defaults)


def _without(block: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """The block without the keys that have these defaults."""
    return {key: value for key, value in block.items() if key not in defaults or value != defaults[key]}


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
