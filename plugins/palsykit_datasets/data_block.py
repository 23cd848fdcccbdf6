"""A data set named on the command line, with the keys that a recipe's ``data`` would give it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from palsykit.errors import PalsykitError
from palsykit.faces.records import FaceDataset
from palsykit.recipe.build import block_of, build_part
from palsykit.recipe.overrides import apply
from palsykit.recipe.parts import Reader
from palsykit.recipe.problems import KeyPath, Problem, RecipeError
from palsykit.recipe.read import Spot, Tree
from palsykit.recipe.schema import PartBlock
from palsykit.recipe.values import plain
from palsykit.registry import registry


def resolve(layout: str, given: Mapping[str, tuple[str, Any]], overrides: Sequence[str]) -> dict[str, Any]:
    """The data set ``layout`` as a resolved recipe holds it: ``use`` and every key, with defaults and absolute paths.

    Args:
        layout: the name of a registered data set.
        given: key -> (the option that gives it, for messages; its value).
        overrides: ``key=VALUE``, applied last, as in a recipe.

    Raises:
        PalsykitError: lists every problem with its option.
    """
    here = Path.cwd()
    places: dict[KeyPath, str] = {(): f"--layout {layout}", ("use",): f"--layout {layout}"}
    places |= {(key,): at for key, (at, _) in given.items()}
    spots = {path: Spot(place, place, here) for path, place in places.items()}
    tree = Tree({"use": layout, **{key: value for key, (_, value) in given.items()}}, spots)
    try:
        tree = apply(tree, overrides, layout)
    except RecipeError as error:
        raise _unusable(layout, error.problems) from None
    if (other := tree.value.get("use")) != layout:
        raise PalsykitError(f"--set use: found another data set, {other}; say --layout {other}")
    reader = Reader(tree)
    block = reader.read(PartBlock, tree.value, interface="datasets")
    if block is None:
        raise _unusable(layout, reader.problems)
    resolved: dict[str, Any] = plain(block)
    return resolved


def _unusable(layout: str, problems: Sequence[Problem]) -> PalsykitError:
    return PalsykitError(f"the data set {layout} cannot be used so:", tuple(dict.fromkeys(problems)))


def build(resolved: Mapping[str, Any], image_size: int, cache: Path) -> FaceDataset:
    """The data set of a resolved block.

    Raises:
        PalsykitError: the data set refuses its keys or cannot read its files.
    """
    block = block_of(dict(resolved))
    if block is None:
        raise PalsykitError(f"data {resolved!r}: expected a data set, {{use: name, ...}}")
    try:
        return cast(FaceDataset, build_part("datasets", block, image_size, cache))
    except OSError as error:
        raise PalsykitError(f"data set {block.use}: {error}; check that its files can be read") from error


def origins(resolved: Mapping[str, Any]) -> dict[str, str]:
    """``distribution version`` of the data set and of its detector, if it has one."""
    known = registry()
    detector = resolved.get("detector")
    parts = [("datasets", resolved["use"])]
    parts += [("detectors", detector["use"])] if isinstance(detector, dict) else []
    entries = {f"{interface} {name}": known.get(interface, name) for interface, name in parts}
    return {part: f"{entry.distribution} {entry.version}" for part, entry in entries.items()}
