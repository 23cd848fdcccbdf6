"""Check a complete recipe: each block by itself, then the rules between blocks."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from palsykit.memory import too_large
from palsykit.recipe.parts import Reader
from palsykit.recipe.problems import KeyPath, RecipeError, nearest
from palsykit.recipe.read import Tree
from palsykit.recipe.schema import Settings

PICTURE = 3 * 4 * 4
"""Bytes per px of a row: three colours, four bytes each, in four views."""

DIFFUSION = ("conditions", "fusion", "denoiser", "scheduler", "sampler", "trainer")
"""Sections of a diffusion model. A recipe without a synthesiser has all of them, or none if it has only fits."""


def read_settings(tree: Tree, recipe: str, unchecked: Collection[str] = (), within: Path | None = None) -> Settings:
    """Check a recipe; returns its settings. A part's ``parameters`` are plain and have every key.

    Parts and files of ``unchecked`` sections are taken over unchecked. Files must not leave ``within``, if given.

    Raises:
        RecipeError: lists every problem.
    """
    reader = Reader(tree, set(_networks(tree)), unchecked, within)
    settings = reader.read(Settings, tree.value)
    _check_fits(reader)
    _check_sections(reader)
    _check_maps(reader)
    if settings is not None:
        _check_memory(reader, settings)
        _check_watch(reader, settings)
    if settings is None or reader.problems:
        raise RecipeError(recipe, reader.problems)
    settings.networks.update(reader.inline)
    return settings


def _check_sections(reader: Reader) -> None:
    """A diffusion model is complete or absent, and the recipe has something to do."""
    value = reader.tree.value
    present = [name for name in DIFFUSION if value.get(name)]
    synthesiser: Any = value.get("synthesiser")
    if synthesiser is None and present:
        for name in DIFFUSION:
            if name not in present:
                here: KeyPath = (name,) if (name,) in reader.tree.spots else ()
                together = f"{name}, which a recipe with {present[0]} needs"
                reader.complain(here, f"no key {name}", together, "or a synthesiser instead of a diffusion model")
    if "trainer" not in present and _lacks_weights(reader, ("synthesiser",), synthesiser):
        name = synthesiser["use"] if isinstance(synthesiser, dict) else synthesiser
        expected = "synthesiser.weights: FILE, or a trainer"
        reader.complain(("synthesiser",), f"synthesiser {name} without weights", expected)
    if not present and not synthesiser and not value.get("fits"):
        reader.complain((), "nothing to do", "fits, a diffusion model (denoiser, ...) or a synthesiser")


def _check_memory(reader: Reader, settings: Settings) -> None:
    """The pictures of a batch fit into the memory: the least that a step needs, and far less than it takes."""
    rows: list[tuple[KeyPath, int, int]] = [
        (("train", "batch_size"), settings.train.batch_size, settings.image_size),
        (("generate", "batch_size"), settings.generate.batch_size, settings.image_size),
    ]
    for index, fit in enumerate(settings.fits):
        side = getattr(settings.networks.get(fit.network), "image_size", None) or settings.image_size
        rows.append((("fits", index, "batch_size"), fit.batch_size, side))
    for path, count, side in rows:
        if words := too_large(count * side * side * PICTURE):
            reader.complain(path, f"{count} pictures of {side} px", f"fewer: they need {words}")


def _check_watch(reader: Reader, settings: Settings) -> None:
    """``watch`` has a training to look at and names a network of the recipe; the best weights have a figure."""
    watch = settings.watch
    if watch is not None and not reader.is_unchecked(("watch",)):
        known = _networks(reader.tree)
        if settings.trainer is None and not reader.is_unchecked(("trainer",)):
            reader.complain(("watch",), "watch without a trainer", "a trainer: it looks at the main model's training")
        if watch.best == "validation_loss" and not watch.losses:
            reader.complain(
                ("watch", "losses"), "false, with best: validation_loss", "true, or best: picture_error or null"
            )
        if watch.network is not None and watch.network not in known:
            expected = f"one of networks ({', '.join(known) or 'there are none'})"
            reader.complain(("watch", "network"), f'"{watch.network}"', expected, nearest(watch.network, known))
    has_best = reader.is_unchecked(("watch",)) or (watch is not None and watch.best is not None)
    if settings.generate.checkpoint == "best" and not has_best:
        expected = "last, or a section watch with best: it says by which figure"
        reader.complain(("generate", "checkpoint"), "best", expected)


def _check_maps(reader: Reader) -> None:
    """``drops_with`` names a condition of the recipe, and at most one map has an ``error``: the guess."""
    maps, conditions = reader.tree.value.get("maps"), reader.tree.value.get("conditions")
    conditions = conditions if isinstance(conditions, dict) else {}
    blocks = {name: block for name, block in maps.items() if isinstance(block, dict)} if isinstance(maps, dict) else {}
    for name, block in blocks.items():
        dropper = block.get("drops_with")
        if isinstance(dropper, str) and dropper not in conditions:
            expected = f"one of conditions ({', '.join(conditions) or 'there are none'})"
            reader.complain(("maps", name, "drops_with"), f'"{dropper}"', expected, nearest(dropper, conditions))
    for name in [name for name, block in blocks.items() if block.get("error") is not None][1:]:
        reader.complain(("maps", name, "error"), "a second error", "at most one map with an error: the guess")


def _check_fits(reader: Reader) -> None:
    """Fits name networks, and every network whose key ``weights`` is null has a fit."""
    fits, networks = reader.tree.value.get("fits"), _networks(reader.tree)
    networks |= {name: block.parameters for name, block in reader.inline.items()}
    fitted: list[Any] = []
    for index, fit in enumerate(fits if isinstance(fits, list) else []):
        name = fit.get("network") if isinstance(fit, dict) else None
        if not isinstance(name, str):
            continue  # the schema has reported it
        fitted.append(name)
        if name not in networks:
            known = ", ".join(networks) or "there are none"
            reader.complain(
                ("fits", index, "network"), f'"{name}"', f"one of networks ({known})", nearest(name, networks)
            )
    for name, block in networks.items():
        path: KeyPath = ("networks", name)
        if name not in fitted and _lacks_weights(reader, path, block):
            here = (*path, "weights") if (*path, "weights") in reader.tree.spots else path
            expected = "weights: FILE, or an entry of fits that names it"
            reader.complain(here, f"network {name} without weights", expected)


def _networks(tree: Tree) -> dict[str, Any]:
    """The networks as written, without those that a null removes."""
    written = tree.value.get("networks")
    return {name: block for name, block in written.items() if block is not None} if isinstance(written, dict) else {}


def _lacks_weights(reader: Reader, path: KeyPath, block: Any) -> bool:
    """Whether a part has a key ``weights`` with the default null, and the recipe gives no file."""
    key = reader.keys.get(path, {}).get("weights")
    return key is not None and key.default is None and (not isinstance(block, dict) or block.get("weights") is None)
