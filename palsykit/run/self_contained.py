"""The recipe of an exported folder: the sections that synthesis needs; every file that they name is in the folder."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from diffusers import ModelMixin
from torch import nn

from palsykit.diffusion.model import ConditionalDiffusion
from palsykit.errors import PalsykitError
from palsykit.files.atomic import make_folder, write_text
from palsykit.files.resources import PACKAGED, locate
from palsykit.foreign.diffusers_models import load
from palsykit.foreign.licence import licence
from palsykit.run.parts import Parts

PARTS = "parts"
"""The folder of the files that a recipe names."""
KEPT = (
    "name", "about", "seed", "image_size", "networks", "conditions", "maps", "fusion", "codec", "denoiser",
    "scheduler", "sampler", "synthesiser", "poser", "generate",
)  # fmt: skip
"""Sections that are taken over. Of data, fits and trainer only the names are, because training is not."""
WEIGHTS, TEXTS = ".safetensors", (".json", ".txt", ".csv")
"""Suffixes of files that are copied: weights that run no code when they are read, and texts."""
PLACES = ("_name_or_path", "name_or_path")
"""Keys of other libraries' configurations with the path of a file on the machine that wrote them."""


def self_contained(parts: Parts, model: nn.Module, dest: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Write the files that the run's recipe names into ``dest``, and return the recipe that names them there.

    Args:
        parts: of the run, with their fitted networks.
        model: the trained model.
        dest: the folder; it has the run's own weights already.

    Returns:
        The recipe as plain values, and by key the licence of weights that are not the run's own.

    Raises:
        PalsykitError: a file is neither safetensors nor a text.
    """
    recipe = {name: json.loads(json.dumps(parts.recipe.resolved[name])) for name in KEPT}
    del recipe["generate"]["checkpoint"]  # the model folder has the weights that the run keeps, last or best
    recipe["networks"] = {name: recipe["networks"][name] for name in _used(recipe, parts)}
    licences = {}
    for section, folder, stock in _stock_models(model):
        block = recipe[section]
        if not block.get("weights"):
            continue
        given = locate(block["weights"], Path())
        licences[section] = licence(given if given.is_dir() else given.parent)
        if not (dest / folder).is_dir():
            config = None if block.get("config") is None else Path(block["config"])
            load(given, {stock.__name__: stock}, config).save_pretrained(dest / folder, safe_serialization=True)  # type: ignore[operator]
        block |= {"weights": folder} | ({"config": None} if "config" in block else {})
    for section in KEPT:
        recipe[section] = _moved(recipe[section], section, dest, licences)
    for file in dest.rglob("*.json"):
        _forget_places(file)
    return recipe | _names_only(parts, recipe), licences


def _used(recipe: dict[str, Any], parts: Parts) -> list[str]:
    """The networks that a part names, and the one that finds landmarks; not judges and the like."""
    words = {text for section in KEPT if section != "networks" for text in _texts(recipe[section])}
    words |= {text for block in recipe["networks"].values() for text in _texts(block)}
    points = parts.points_network()
    return [name for name in recipe["networks"] if name in words or (points is not None and name == points.name)]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value


def _names_only(parts: Parts, recipe: dict[str, Any]) -> dict[str, Any]:
    """The sections that a recipe must have, without any key that could name a user's file.

    The sizes of batches stay, because a recipe is checked for what fits into the memory.
    """
    settings = parts.settings
    fits = [
        {"network": fit.network, "trainer": {"use": fit.trainer.use}, "batch_size": fit.batch_size}
        for fit in parts.fits
        if fit.network in recipe["networks"]
    ]
    assert settings.trainer is not None  # only a trained model is exported
    train = {"batch_size": settings.train.batch_size}
    return {"data": {"use": settings.data.use}, "fits": fits, "trainer": {"use": settings.trainer.use}, "train": train}


def _stock_models(model: nn.Module) -> Iterator[tuple[str, str, Any]]:
    """Section, folder and class of each of diffusers' models in the trained one."""
    if not isinstance(model, ConditionalDiffusion):
        return
    for name, child in model.denoiser.named_children():
        if isinstance(child, ModelMixin):
            yield "denoiser", name, type(child)
    codec = model.codec.codec
    for child in codec.children() if isinstance(codec, nn.Module) else ():
        if isinstance(child, ModelMixin):
            yield "codec", "vae", type(child)


def _moved(value: Any, key: str, dest: Path, licences: dict[str, str]) -> Any:
    """A value of the recipe, with the files that it names written below ``dest`` and named there."""
    if isinstance(value, dict):
        return {name: _moved(item, f"{key}.{name}", dest, licences) for name, item in value.items()}
    if isinstance(value, list):
        return [_moved(item, f"{key}.{index}", dest, licences) for index, item in enumerate(value)]
    source = _file(value) if isinstance(value, str) and key.partition(".")[2] else None
    if source is None:
        return value
    target = Path(PARTS, re.sub(r"[^\w.-]", "_", key) + ("" if source.is_dir() else source.suffix))
    _copy(source, dest / target, key)
    if not PACKAGED.fullmatch(value):
        licences[key] = licence(source if source.is_dir() else source.parent)
    return target.as_posix()


def _file(text: str) -> Path | None:
    """The file or folder that a value names and that must be copied. A package's texts come with the package."""
    packaged = PACKAGED.fullmatch(text) is not None
    if not packaged and not Path(text).is_absolute():  # every path of a resolved recipe is absolute
        return None
    try:
        source = locate(text, Path())
    except FileNotFoundError:
        return None
    return None if packaged and source.suffix != WEIGHTS else source


def _copy(source: Path, target: Path, key: str) -> None:
    """Copy a file, or those files of a folder that are weights, texts or licences.

    Raises:
        PalsykitError: nothing can be copied, or what can is only a part of the weights.
    """
    files = [source] if source.is_file() else [file for file in sorted(source.rglob("*")) if file.is_file()]
    named = {file: target if source.is_file() else target / file.relative_to(source) for file in files}
    taken = [file for file in files if file.suffix in (WEIGHTS, *TEXTS) or _is_card(file)]
    other = sorted({file.suffix or file.name for file in files} - {file.suffix or file.name for file in taken})
    if not any(file.suffix == WEIGHTS for file in taken) and (other or not taken):
        raise PalsykitError(
            f"{key}: {source}: found {', '.join(other) or 'no file'}, expected {WEIGHTS}: an exported folder has no "
            "other weights, because reading them may run code; convert them (`palsykit convert`), and train with them"
        )
    for file in taken:
        make_folder(named[file].parent)
        shutil.copyfile(file, named[file])


def _is_card(file: Path) -> bool:
    return file.name == "README.md" or file.name.upper().startswith(("LICENSE", "LICENCE"))


def _forget_places(file: Path) -> None:
    """Remove from a configuration where its weights were on this machine."""
    try:
        written = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        return
    if isinstance(written, dict) and any(Path(str(written.get(key) or "")).is_absolute() for key in PLACES):
        kept = {key: value for key, value in written.items() if key not in PLACES}
        write_text(file, json.dumps(kept, indent=2, sort_keys=True) + "\n")
