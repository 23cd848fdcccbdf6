"""Export of a trained run: a folder that opens without the run, as palsykit and diffusers read it."""

import json
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from palsykit import __version__
from palsykit.errors import PalsykitError
from palsykit.files.atomic import PARTIAL, PRIVATE, make_folder, write_text
from palsykit.files.hashes import sha256
from palsykit.files.provenance import provenance, recorded
from palsykit.files.weights import tensors_digest
from palsykit.recipe.yaml_rules import dump
from palsykit.report.card import render_card
from palsykit.report.contents import MetricRow
from palsykit.report.model_header import Listing, model_header
from palsykit.run import manifest
from palsykit.run.exported import CARD, INDEX, MODULE, listed_parts
from palsykit.run.folder import RunFolder
from palsykit.run.parts import Parts
from palsykit.run.report import card_of, metric_rows
from palsykit.run.runner import reopened
from palsykit.run.self_contained import KEPT, TEXTS, WEIGHTS, self_contained
from palsykit.run.train import trained_model

COMPONENT = {"synthesis": ["palsykit.synthesis.pipeline", "Trained"]}
"""The one part that diffusers loads for the pipeline: it reads all of the folder."""


@dataclass(frozen=True)
class Exported:
    """An exported folder.

    Attributes:
        folder: where it is.
        files: its files, sorted.
        size: of all files, in bytes.
    """

    folder: Path
    files: tuple[str, ...]
    size: int


def export_run(folder: Path, dest: Path, listing: Listing | None = None) -> Exported:
    """Write what synthesis needs of a run into a new folder.

    The folder is opened once before it gets its name, and its weights compared with the run's.

    Args:
        folder: the run.
        dest: a new or empty folder.
        listing: what the user says for the card.

    Raises:
        PalsykitError: the run is not finished or was changed, trains no model, or names weights that cannot be shared;
            or ``dest`` holds something.
    """
    run, listing = RunFolder(folder), listing or Listing()
    if run.exported:
        raise PalsykitError(f"{folder}: exported already; copy the folder")
    if dest.exists() and (not dest.is_dir() or any(dest.iterdir())):
        raise PalsykitError(f"{dest}: holds something already, expected a new folder; name another, or remove it")
    parts = reopened(run)
    model = trained_model(run, parts)
    if model is None:
        raise PalsykitError(
            f"{folder}: nothing to export, because its recipe trains no model; `palsykit show` prints it"
        )
    make_folder(dest.absolute().parent)
    partial = Path(tempfile.mkdtemp(prefix=f"{PARTIAL}{dest.name[:32]}-", dir=dest.absolute().parent))
    try:
        _write(run, parts, model, partial, listing, dest.name)
        _compare(parts, model, partial)
        partial.chmod(PRIVATE)
        if dest.is_dir():
            dest.rmdir()
        partial.rename(dest)
    finally:
        if partial.exists():
            shutil.rmtree(partial)
    files = tuple(sorted(file.relative_to(dest).as_posix() for file in dest.rglob("*") if file.is_file()))
    return Exported(dest, files, sum((dest / name).stat().st_size for name in files))


def _write(run: RunFolder, parts: Parts, model: nn.Module, dest: Path, listing: Listing, name: str) -> None:
    """All files of the folder; the manifest last."""
    # Weights, and the recipe that names them.
    for file in sorted(run.model.rglob("*")):
        if file.is_file() and file.suffix in (WEIGHTS, *TEXTS):
            target = dest / file.relative_to(run.model)
            make_folder(target.parent)
            shutil.copyfile(file, target)
    recipe, licences = self_contained(parts, model, dest)
    for file in (dest / "networks").glob("*"):
        if file.stem not in recipe["networks"]:
            file.unlink()
    write_text(dest / "recipe.yaml", dump(recipe))
    # What makes it a folder that opens.
    train = {key: value for key, value in run.facts("train").items() if key in ("parameters", "steps", "seconds")}
    state = {"palsykit": __version__, "run": "exported", "recipe_hash": run.state()["recipe_hash"]}
    state |= {
        "stages": {"prepare": {}, "fit": {}, "train": train},
        "parts": listed_parts({key: recipe[key] for key in KEPT}),
    }
    write_text(dest / "state.json", json.dumps(state, indent=1) + "\n")
    write_text(dest / INDEX, json.dumps(_index(), indent=2) + "\n")
    source = Path(__file__).parents[1] / "synthesis" / "custom_pipeline.py"
    write_text(dest / MODULE, source.read_text(encoding="utf-8"))
    # Card and manifest; the card may be edited later, so its hash is not kept.
    made = sorted(file.relative_to(dest).as_posix() for file in dest.rglob("*") if file.is_file())
    hashes = {file: sha256(dest / file) for file in made}
    write_text(dest / CARD, _card(run, parts, listing, licences, hashes, name))
    write_text(dest / manifest.NAME, json.dumps({"train": hashes}, indent=1) + "\n")


def _index() -> dict[str, Any]:
    """model_index.json. diffusers finds the pipeline's class in the module that the caller names."""
    import diffusers

    return {"_class_name": "Pipeline", "_diffusers_version": diffusers.__version__, **COMPONENT}


def _card(
    run: RunFolder, parts: Parts, listing: Listing, licences: dict[str, str], hashes: dict[str, str], name: str
) -> str:
    """The run's model card for this folder, under the header for hubs."""
    rows: list[MetricRow] = metric_rows(run)
    try:
        trained = (entry for entry in recorded(run.provenance) if "train" in entry["stages"])
        origin = next(trained, None) or provenance(parts.recipe.resolved, parts.device)
        contents = card_of(run, parts, rows, run.made("data.json"), origin)
    except (KeyError, TypeError, AttributeError) as error:
        raise PalsykitError(
            f"{run.path / 'data.json'}: not as a run writes it ({error!r}); run the recipe again"
        ) from error
    settings = parts.settings
    foreign = "; ".join(f"{key}: {text}" for key, text in sorted(licences.items()))
    licence = " ".join(
        (
            f"{listing.licence}." if listing.licence else "",
            contents.licence,
            f"Weights of others: {foreign}." if foreign else "",
        )
    )
    weights = {file: digest for file, digest in hashes.items() if file.endswith(WEIGHTS)}
    card = replace(contents, load=name, licence=licence.strip(), sha256=weights, exported=True)
    header = model_header(parts.recipe.name, listing, rows, settings.data.use, settings.generate.split)
    return f"{header}{render_card(card)}"


def _compare(parts: Parts, model: nn.Module, dest: Path) -> None:
    """Open the folder, and compare every parameter and buffer with the run's.

    Raises:
        PalsykitError: one differs.
    """
    run = RunFolder(dest)
    opened = reopened(run)
    found = _tensors(opened, trained_model(run, opened))
    expected = {name: value for name, value in _tensors(parts, model).items() if _is_kept(name, opened)}
    if differing := sorted(
        name for name in found.keys() | expected.keys() if _digest(found, name) != _digest(expected, name)
    ):
        raise PalsykitError(
            f"the export would not make the run's pictures: {', '.join(differing[:5])} differ; this is a fault of the "
            "part that has them: it does not keep all that it needs in its weights and its keys"
        )


def _is_kept(name: str, opened: Parts) -> bool:
    kind, _, rest = name.partition("/")
    return kind != "networks" or rest.partition("/")[0] in opened.networks


def _tensors(parts: Parts, model: nn.Module | None) -> dict[str, Tensor]:
    """Every parameter and buffer, also those that no state dict has."""
    modules = {f"networks/{name}": network.module for name, network in parts.networks.items()}
    if model is not None:
        modules["model"] = model
    if isinstance(codec := getattr(getattr(model, "codec", None), "codec", None), nn.Module):
        modules["codec"] = codec
    return {
        f"{prefix}/{name}": value
        for prefix, module in modules.items()
        for name, value in (*module.named_parameters(), *module.named_buffers())
    }


def _digest(tensors: dict[str, Tensor], name: str) -> str:
    return tensors_digest({name: tensors[name]}) if name in tensors else ""
