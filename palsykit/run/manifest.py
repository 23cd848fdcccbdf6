"""What a run has made: the SHA-256 of every finished stage's files. So a changed one is seen and made again."""

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from palsykit.errors import PalsykitError
from palsykit.files.atomic import is_partial, make_folder, write_text
from palsykit.files.hashes import sha256
from palsykit.files.json_files import read_object
from palsykit.run.exported import is_exported

NAME = "manifest.json"
ASIDE = "damaged"
"""The folder of a run into which changed files are moved."""

STAGE_FILES = {
    "prepare": ("data.json", "rejected.csv"),
    "fit": ("model/networks/*",),
    "train": (
        *("model/*", "model/unet/*", "model/transformer/*", "model/adapter/*", "model/scheduler/*"),
        "checkpoints/train/best/step-*/*",
    ),
    "watch": ("watch/figures.jsonl", "watch/step-*.png"),
    "generate": ("images/**/*",),
    "evaluate": ("metrics.json", "metrics.csv", "regenerated/*", "swapped_back/*"),
    "report": ("report.html", "MODEL_CARD.md"),
}
"""Stage -> its files, as patterns in the run's folder. What was seen while the model was trained, which no later
checkpoint can give again, stands apart, as "watch"."""

WATCH = "watch"

Hashes = dict[str, dict[str, str]]
"""Stage -> file -> SHA-256."""


def record(folder: Path, stage: str) -> None:
    """Write the hashes of a finished stage's files; with those of ``train`` go those of its looks."""
    stages = (stage, WATCH) if stage == "train" else (stage,)
    made = {one: {name: sha256(folder / name) for name in sorted(_files(folder, one))} for one in stages}
    hashes = read(folder) | made
    write_text(folder / NAME, json.dumps(hashes, indent=1) + "\n")


def read(folder: Path) -> Hashes:
    """The hashes of a run; empty if it has none.

    Raises:
        PalsykitError: the file cannot be read.
    """
    file = folder / NAME
    try:
        hashes = read_object(file) if file.exists() else {}
        if bad := next(_misfits(hashes), None):
            raise ValueError(f"found {bad}, expected the SHA-256 of files of the run by stage")
        return hashes
    except (OSError, ValueError) as error:
        raise PalsykitError(
            f"{file}: cannot be read ({error}); remove it to trust the run's files as they are, or start again with "
            "palsykit run RECIPE --fresh"
        ) from error


def _misfits(hashes: dict[str, Any]) -> Iterator[str]:
    """What is no manifest of a run: it may come from a stranger, and its names must not lead out of the folder."""
    for stage, files in hashes.items():
        if stage not in STAGE_FILES or not isinstance(files, dict):
            yield f"the stage {stage!r}"
            continue
        for name, digest in files.items():
            parts = PurePosixPath(name).parts
            if not parts or name.startswith("/") or ".." in parts or "\0" in name or not isinstance(digest, str):
                yield f"the file {name!r}"


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
        make_folder(target.parent)
        (folder / name).rename(target)


def require_model(folder: Path) -> None:
    """Refuse a run whose networks or model are not as they were trained.

    Raises:
        PalsykitError: a file is missing or was changed.
    """
    if is_exported(folder) and not read(folder):
        raise PalsykitError(f"{folder}: has no {NAME}, which an exported model has; get the whole folder again")
    _require(folder, "not as it was trained; make its files again from its checkpoints", "fit", "train")


def require_made(folder: Path, *stages: str) -> None:
    """Refuse a run in which files of these stages, such as its pictures, are not as they were made.

    Raises:
        PalsykitError: a file is missing or was changed.
    """
    _require(folder, "not as it was made; make its files again", *stages)


def _require(folder: Path, what: str, *stages: str) -> None:
    faults = {name: fault for files in changed(folder, *stages).values() for name, fault in files.items()}
    if faults:
        again = f"{what}: palsykit run {folder / 'recipe.yaml'} --output {folder}"
        if is_exported(folder):
            again = "not as it was exported; get the folder again, or export the run again"
        raise PalsykitError(
            f"{folder}: {again}",
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
