"""A whole recipe: every block by itself, then what must hold between blocks."""

from collections.abc import Collection
from typing import Any

from pydantic import BaseModel

from palsykit.recipe.annotations import adapter, read
from palsykit.recipe.build import Building
from palsykit.recipe.parts import Checker, shape
from palsykit.recipe.problems import KeyPath, RecipeError, nearest
from palsykit.recipe.read import Tree
from palsykit.recipe.schema import PartBlock, Settings

DIFFUSION = ("conditions", "fusion", "denoiser", "scheduler", "sampler", "trainer")
"""Sections that a diffusion model needs together; a recipe may have none of them: a baseline, or fits alone."""


def check(tree: Tree, recipe: str, unchecked: Collection[str] = ()) -> dict[str, Any]:
    """The recipe resolved: every section and key with its value or default, as ``Recipe.resolved`` keeps it.

    Parts and files of ``unchecked`` sections are kept as written.

    Raises:
        RecipeError: with every problem there is.
    """
    written = tree.value.get("networks")
    names = {name for name, block in written.items() if block is not None} if isinstance(written, dict) else set()
    checker = Checker(tree, names, unchecked)
    resolved = checker.block(Settings, tree.value, ())
    if isinstance(resolved.get("networks"), dict):
        resolved["networks"] |= checker.inline
        _check_fits(checker, resolved["networks"])
    _check_sections(checker, resolved)
    _check_maps(checker, resolved)
    if checker.problems:
        raise RecipeError(recipe, checker.problems)
    return resolved


def settings_of(resolved: dict[str, Any]) -> Settings:
    """The resolved recipe as the schema's objects; files as paths, which ``check`` has looked for."""
    settings: Settings = _model(Settings, resolved)
    return settings


def _model(kind: type[BaseModel], resolved: dict[str, Any]) -> Any:
    own = {name: about for name, about in kind.model_fields.items() if name != "parameters"}
    values: dict[str, Any] = {}
    for name, about in own.items():
        inner, many, _ = shape(about.annotation)
        value = resolved[name]
        if inner is None:
            values[name] = read(adapter(about.annotation), value, Building({}, {}, checked=True))
        elif value is None:
            values[name] = None
        elif many is list:
            values[name] = [_model(inner, item) for item in value]
        elif many is dict:
            values[name] = {key: _model(inner, item) for key, item in value.items()}
        else:
            values[name] = _model(inner, value)
    if issubclass(kind, PartBlock):
        values["parameters"] = {key: value for key, value in resolved.items() if key not in own}
    return kind(**values)


def _check_sections(checker: Checker, resolved: dict[str, Any]) -> None:
    """A diffusion model is whole or absent, and something is left to do."""
    given = [name for name in DIFFUSION if checker.tree.value.get(name)]
    if resolved.get("synthesiser") is None and given:
        for name in DIFFUSION:
            if name not in given:
                here: KeyPath = (name,) if (name,) in checker.tree.spots else ()
                together = f"{name}, which a recipe with {given[0]} needs"
                checker.complain(here, f"no key {name}", together, "or a synthesiser instead of a diffusion model")
    block = resolved.get("synthesiser")
    unread = any(problem.key == "synthesiser.weights" for problem in checker.problems)
    if isinstance(block, dict) and block.get("weights", "") is None and "trainer" not in given and not unread:
        expected = "synthesiser.weights: FILE, or a trainer"
        checker.complain(("synthesiser",), f"synthesiser {block['use']} without weights", expected)
    if not given and not resolved.get("synthesiser") and not checker.tree.value.get("fits"):
        checker.complain((), "nothing to do", "fits, a diffusion model (denoiser, ...) or a synthesiser")


def _check_maps(checker: Checker, resolved: dict[str, Any]) -> None:
    """A map drops with a condition of the recipe, and one at most is the guess."""
    maps, conditions = resolved.get("maps") or {}, resolved.get("conditions") or {}
    for name, block in maps.items():
        dropper = block.get("drops_with")
        if dropper is not None and dropper not in conditions:
            known = ", ".join(conditions) or "there are none"
            expected = f"one of conditions ({known})"
            checker.complain(("maps", name, "drops_with"), f'"{dropper}"', expected, nearest(dropper, conditions))
    for name in [name for name, block in maps.items() if block.get("error") is not None][1:]:
        checker.complain(("maps", name, "error"), "a second error", "one map at most that has one: the guess")


def _check_fits(checker: Checker, networks: dict[str, Any]) -> None:
    """Fits name networks, and every network that has a key ``weights`` without a file is fitted."""
    fits = checker.tree.value.get("fits")
    fitted: list[Any] = []
    for index, fit in enumerate(fits if isinstance(fits, list) else []):
        name = fit.get("network") if isinstance(fit, dict) else None
        if not isinstance(name, str):
            continue  # the schema's check has complained
        fitted.append(name)
        if name not in networks:
            known = ", ".join(networks) or "there are none"
            checker.complain(
                ("fits", index, "network"), f'"{name}"', f"one of networks ({known})", nearest(name, networks)
            )
    for name, block in networks.items():
        bad = any(problem.key == f"networks.{name}.weights" for problem in checker.problems)
        if "weights" in block and block["weights"] is None and name not in fitted and not bad:
            path: KeyPath = ("networks", name)
            here = (*path, "weights") if (*path, "weights") in checker.tree.spots else path
            expected = "weights: FILE, or an entry of fits that names it"
            checker.complain(here, f"network {name} without weights", expected)
