"""What a run has made: the SHA-256 of every finished stage's files. So a changed one is seen and made again."""

import json
from collections.abc import Iterator
from pathlib import Path

from palsykit.errors import PalsykitError
from palsykit.files.atomic import is_partial, write_text
from palsykit.files.hashes import sha256

NAME = "manifest.json"
ASIDE = "damaged"
"""The folder of a run into which changed files are moved."""

STAGE_FILES = {
    "prepare": ("data.json", "rejected.csv"),
    "fit": ("model/networks/*",),
    "train": ("model/*", "model/unet/*", "model/transformer/*", "model/adapter/*", "model/scheduler/*"),
    "generate": ("images/**/*",),
    "evaluate": ("metrics.json", "metrics.csv", "regenerated/*", "swapped_back/*"),
    "report": ("report.html", "MODEL_CARD.md"),
}
"""Stage -> its files, as patterns in the run's folder."""

Hashes = dict[str, dict[str, str]]
"""Stage -> file -> SHA-256."""


def record(folder: Path, stage: str) -> None:
    """Write the hashes of a finished stage's files."""
    hashes = read(folder) | {stage: {name: sha256(folder / name) for name in sorted(_files(folder, stage))}}
    write_text(folder / NAME, json.dumps(hashes, indent=1) + "\n")


def read(folder: Path) -> Hashes:
    """The hashes of a run; empty if it has none.

    Raises:
        PalsykitError: the file cannot be read.
    """
    file = folder / NAME
    try:
        hashes: Hashes = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        return {stage: dict(files.items()) for stage, files in hashes.items()}
    except (ValueError, AttributeError) as error:
        raise PalsykitError(
            f"{file}: cannot be read ({error}); remove it to trust the run's files as they are, or start again with "
            "palsykit run RECIPE --fresh"
        ) from error


def changed(folder: Path, *stages: str) -> dict[str, dict[str, str]]:
    """Stage -> file -> "missing" or "changed", for each stage with such a file; ``stages`` limits what is read."""
    hashes = read(folder)
    found = {stage: _faults(folder, hashes.get(stage, {})) for stage in stages or STAGE_FILES}
    return {stage: faults for stage, faults in found.items() if faults}


def set_aside(folder: Path, names: dict[str, str]) -> None:
    """Move changed files into the run's folder ``damaged``, where nothing is written over."""
    for name in (name for name, fault in names.items() if fault != "missing"):
        target, number = folder / ASIDE / name, 0
        while target.exists():
            number += 1
            target = target.with_name(f"{Path(name).name}.{number}")
        target.parent.mkdir(parents=True, exist_ok=True)
        (folder / name).rename(target)


def require_model(folder: Path) -> None:
    """Refuse a run whose networks or model are not as they were trained.

    Raises:
        PalsykitError: a file is missing or was changed.
    """
    faults = {name: fault for files in changed(folder, "fit", "train").values() for name, fault in files.items()}
    if faults:
        raise PalsykitError(
            f"{folder}: not as it was trained; make its files again from its checkpoints: palsykit run "
            f"{folder / 'recipe.yaml'} --output {folder}",
            [f"{name}: {fault}" for name, fault in faults.items()],
        )


def _files(folder: Path, stage: str) -> Iterator[str]:
    for pattern in STAGE_FILES[stage]:
        for path in folder.glob(pattern):
            if path.is_file() and not is_partial(path):
                yield path.relative_to(folder).as_posix()


def _faults(folder: Path, hashes: dict[str, str]) -> dict[str, str]:
    faults = {}
    for name, digest in hashes.items():
        file = folder / name
        if not file.is_file():
            faults[name] = "missing"
        elif sha256(file) != digest:
            faults[name] = "changed"
    return faults
