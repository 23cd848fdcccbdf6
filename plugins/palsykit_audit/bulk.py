"""Bulk synthesis: people x expressions x sides x severities, as an imagefolder with the origin of each picture."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from palsykit import __version__
from palsykit.data.hub_card import README, dataset_header
from palsykit.data.imagefolder import METADATA
from palsykit.data.rejections import NAME as REJECTED
from palsykit.data.rejections import write_rejected
from palsykit.errors import PalsykitError
from palsykit.faces.views import to_tensor
from palsykit.faces.vocabulary import FaceLabels
from palsykit.files.atomic import write_text
from palsykit.files.claims import Claim
from palsykit.files.csv_text import csv_text
from palsykit.files.pictures import read_png, save_png, synthesise_to
from palsykit.files.weights import state_digest
from palsykit.interfaces import FaceBatch, FaceView
from palsykit.report.contents import NOT_FOR
from palsykit.report.templates import markdown_text
from palsykit.seeds import derive
from palsykit.synthesis.front import Model
from palsykit.synthesis.posing import pose_faces, with_landmarks
from palsykit_audit.contact_sheet import contact_sheet
from palsykit_audit.identities import People, Person, lines_of

MARKER = "synthesis.json"
LISTED = 20
"""People and files named on the card; ``rejected.csv`` names all that were left out."""

RELEASED, UNRELEASED, HELD_BACK = "images", "unreleased", "held-back"
"""Folders of DEST: released pictures, pictures that are not audited yet, and pictures that were left out."""


@dataclass(frozen=True)
class Order:
    """The pictures to make of each person.

    Attributes:
        cells: combinations of labels; every person shows each of them.
        per_cell: pictures per person and cell, each from different noise.
        seed: of all noise.
        guidance: classifier-free guidance strength; None takes the recipe's.
        strength: (lowest, highest) strength of the movement on a healthy side; each picture draws one in between.
        batch_size: pictures at a time; it does not change them.
    """

    cells: tuple[FaceLabels, ...]
    per_cell: int = 1
    seed: int = 0
    guidance: float | None = None
    strength: tuple[float, float] = (1.0, 1.0)
    batch_size: int = 16


@dataclass(frozen=True, eq=False)
class Row:
    """One picture to make. ``copy`` counts pictures of the same person and labels, from 0."""

    person: Person
    labels: FaceLabels
    seed: int
    file: str
    strength: float
    copy: int


@dataclass(frozen=True)
class Synthesised:
    """A synthesised data set.

    Attributes:
        images: folder of the pictures.
        sheet: the contact sheet.
        new: number of pictures made now.
        existing: number of pictures that existed already.
        counts: (expression, side, severity) -> number of pictures.
    """

    images: Path
    sheet: Path
    new: int
    existing: int
    counts: dict[tuple[str, str, float], int]


def synthesize(model: Model, run: Path, people: People, order: Order, folder: Path) -> Synthesised:
    """Write a data set (metadata.jsonl and pictures, skipping existing ones), then counts, card and contact sheet.

    The pictures are in DEST/unreleased until an audit renames that folder to DEST/images. Pictures that were left out
    are in DEST/held-back; they are not made again and not listed.

    Args:
        model: the trained run.
        run: its folder, for provenance.
        people: the identities.
        order: what they show.
        folder: DEST; new, empty, or with pictures of the same order.

    Raises:
        PalsykitError: the folder has other contents, or pictures of another order.
    """
    # Mark the folder as this order's, or check that it is.
    _check(order)
    settings = _settings(model, people, order)
    claim = Claim(folder, MARKER, "synthesis", "choose another DEST", key="settings")
    if claim.begun():
        claim.compare(claim.read()["settings"], settings)
    else:
        provenance = {"run": run.name, "palsykit": __version__, "source": people.source}
        write_text(folder / MARKER, json.dumps({**provenance, "settings": settings}, indent=1) + "\n")
    # List the pictures that exist.
    images = pictures_of(folder)
    rows = [row for row in _rows(people, order) if not (folder / HELD_BACK / row.file).is_file()]
    facts = _facts(run, settings)
    files = [images / row.file for row in rows]
    existing = [row for row, file in zip(rows, files, strict=True) if file.is_file()]
    write_text(images / "metadata.jsonl", "".join(_line(row, facts) for row in existing))

    # Make the others; the metadata always lists all pictures that exist.
    def note(written: list[int]) -> None:
        with (images / "metadata.jsonl").open("a", encoding="utf-8") as file:
            file.writelines(_line(rows[i], facts) for i in written)

    new = synthesise_to(
        files,
        lambda part: _make(model, [rows[i] for i in part], order),
        order.batch_size,
        "synthesise",
        note,
        lambda i: _mark(rows[i], settings),
    )
    # Sort the metadata, which a resume may have put in another order, and write the summaries.
    write_text(images / "metadata.jsonl", "".join(_line(row, facts) for row in rows))
    counts = _counts(rows)
    _write_summaries(folder, people, rows, counts, settings)
    return Synthesised(images, folder / "contact-sheet.png", new, len(existing), counts)


def pictures_of(folder: Path) -> Path:
    """The folder below DEST that has the pictures and their metadata, released or not."""
    return folder / RELEASED if (folder / RELEASED).is_dir() else folder / UNRELEASED


def _check(order: Order) -> None:
    low, high = order.strength
    if not 0 <= low <= high <= 1:
        raise PalsykitError(f"--strength {low:g}..{high:g}: expected 0 (no movement) to 1 (full), the lower first")
    for name, value in (("--per-cell", order.per_cell), ("--batch-size", order.batch_size)):
        if value < 1:
            raise PalsykitError(f"{name} {value}: expected 1 or more")


def _settings(model: Model, people: People, order: Order) -> dict[str, Any]:
    """Everything that the pictures depend on."""
    block = model.poser_block()
    guidance = model.parts.settings.generate.guidance if order.guidance is None else order.guidance
    return {
        "recipe_hash": model.parts.recipe.hash,
        "model_sha256": model_digest(model),
        "identities": {"source": people.source, "photographs_sha256": people.digest, "people": len(people.persons)},
        "cells": [_cell_name(labels) for labels in order.cells],
        "per_cell": order.per_cell,
        "seed": order.seed,
        "guidance": guidance,
        "strength": list(order.strength),
        "poser": {"use": block.use, **json.loads(json.dumps(block.parameters, default=str))},
    }


def model_digest(model: Model) -> str:
    """SHA-256 of all weights that pictures depend on: those of the model and of the networks, by name."""
    modules = {f"networks.{name}": network.module for name, network in sorted(model.parts.networks.items())}
    return state_digest({"model": model.model, **modules})


def _rows(people: People, order: Order) -> Iterator[Row]:
    """Every picture of an order; seed and strength depend on person, cell and copy only."""
    low, high = order.strength
    for number, person in enumerate(people.persons):
        for labels in order.cells:
            for copy in range(order.per_cell):
                seed = derive("synthesize", order.seed, person.key, _cell_name(labels), copy)
                share = derive("strength", seed) / 2**63
                name = f"{number:05d}-{_slug(person.name)}/{_cell_name(labels)}-{copy}.png"
                yield Row(person, labels, seed, name, low + (high - low) * share, copy)


def _cell_name(labels: FaceLabels) -> str:
    return f"{labels.expression}-{labels.side}-{labels.severity:g}"


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name)[-60:]


def _make(model: Model, rows: Sequence[Row], order: Order) -> NDArray[np.uint8]:
    """Synthesise the pictures of some rows, [N, H, W, 3]."""
    pictures = {row.person.key: row.person.picture() for row in rows}
    unknown = np.full((68, 2), np.nan, np.float32)
    points = [unknown if row.person.landmarks is None else row.person.landmarks for row in rows]
    faces = FaceView(
        to_tensor(np.stack([pictures[row.person.key] for row in rows])),
        torch.from_numpy(np.stack(points).astype(np.float32)),
        tuple(FaceLabels(subject=row.person.name, expression="rest") for row in rows),
    ).to(model.parts.device)
    faces = with_landmarks(model.parts, faces)
    driver = pose_faces(model.poser, faces, [row.labels for row in rows], [row.strength for row in rows])
    return model.synthesise(FaceBatch(faces, driver, rest=faces), [row.seed for row in rows], order.guidance)


def _facts(run: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """The facts that are the same in every line of the metadata."""
    return {
        "driver": f"the identity photograph, posed by {settings['poser']['use']}",
        "guidance": settings["guidance"],
        "run": run.name,
        "recipe_hash": settings["recipe_hash"],
        "model_sha256": settings["model_sha256"],
        "synthetic": True,
    }


def _mark(row: Row, settings: dict[str, Any]) -> dict[str, Any]:
    """What the file of a picture says of itself."""
    labels = row.labels
    made_by = {"recipe": settings["recipe_hash"], "weights": settings["model_sha256"], "seed": row.seed}
    return made_by | {"expression": labels.expression, "side": labels.side, "severity": labels.severity}


def _line(row: Row, facts: dict[str, Any]) -> str:
    """The line of metadata.jsonl for one picture."""
    labels = row.labels
    own = {
        "file_name": row.file,
        "subject": row.person.name,
        "expression": labels.expression,
        "side": labels.side,
        "severity": labels.severity,
        "strength": round(row.strength, 4),
        "identity": row.person.key,
        "seed": row.seed,
    }
    return json.dumps({**own, **facts}) + "\n"


def _counts(rows: Sequence[Row]) -> dict[tuple[str, str, float], int]:
    cells = ((str(r.labels.expression), str(r.labels.side), float(r.labels.severity or 1)) for r in rows)
    return dict(Counter(cells))


def _write_summaries(
    folder: Path,
    people: People,
    rows: Sequence[Row],
    counts: dict[tuple[str, str, float], int],
    settings: dict[str, Any],
) -> None:
    """Write counts.csv, the card README.md and the contact sheet."""
    table = csv_text(("expression", "side", "severity", "pictures"), ((*cell, n) for cell, n in counts.items()))
    write_text(folder / "counts.csv", table)
    if people.left_out:
        write_rejected(folder, people.left_out)
    head = dataset_header(f"{RELEASED}/*/*.png", {"train": f"{RELEASED}/{METADATA}"}, synthetic=True)
    write_text(folder / README, f"{head}\n{_card(people, len(rows), settings)}")
    shown = [row for row in rows if row.copy == 0]
    sheet = contact_sheet(
        [
            (row.person, row.labels, read_png(pictures_of(folder) / row.file))
            for row in shown[: 3 * len(settings["cells"])]
        ]
    )
    made_by = {"recipe": settings["recipe_hash"], "weights": settings["model_sha256"], "seed": settings["seed"]}
    save_png(np.asarray(sheet), folder / "contact-sheet.png", made_by)


def _card(people: People, count: int, settings: dict[str, Any]) -> str:
    lines = [
        "# Synthetic faces",
        "",
        f"{count} pictures, all synthetic, made by palsykit {__version__}. Sides are the subject's; severities are the "
        "House-Brackmann grades that the model was asked for, not measured ones.",
        "",
        f"- identities: {markdown_text(people.source)}",
        f"- recipe {settings['recipe_hash']}, weights {settings['model_sha256']}, seed {settings['seed']}, "
        f"guidance {settings['guidance']:g}; the seed of each picture is in {RELEASED}/metadata.jsonl",
        *(f"- left out: {markdown_text(line)}" for line in lines_of(people.left_out[:LISTED])),
        *([f"- left out: {more} more, listed in {REJECTED}"] if (more := len(people.left_out) - LISTED) > 0 else []),
        *(f"- note: {markdown_text(note)}" for note in people.notes[:LISTED]),
        "",
        *(f"- {what} {why}" for what, why in NOT_FOR),
        "",
        markdown_text(people.attribution),
    ]
    return "\n".join(lines).rstrip() + "\n"
