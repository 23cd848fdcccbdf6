"""Fourth stage: synthesise the pictures for the report's figure and for the metrics."""

import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palsykit.data.hub_card import README, dataset_header
from palsykit.data.imagefolder import METADATA
from palsykit.errors import PalsykitError
from palsykit.faces.pairing import Pair
from palsykit.faces.views import batch, to_pictures
from palsykit.files.atomic import write_text
from palsykit.files.json_files import parse
from palsykit.files.pictures import read_png, synthesise_to
from palsykit.files.resources import is_inside
from palsykit.interfaces import Synthesiser
from palsykit.report.templates import markdown_text
from palsykit.run.folder import RunFolder
from palsykit.run.parts import Parts
from palsykit.seeds import derive


def row_seed(seed: int, pair: Pair) -> int:
    """The seed of a row's noise; it does not depend on the other rows."""
    return derive("generate", seed, pair.identity.key, pair.record.key)


def generate(run: RunFolder, parts: Parts, synthesiser: Synthesiser, facts: dict[str, Any]) -> None:
    """Write images/generated/*.png and images/metadata.jsonl; skips existing pictures."""
    pairs = parts.chosen_pairs
    names = [f"generated/{number:05d}-{_slug(pair.record.key)}.png" for number, pair in enumerate(pairs)]

    def synthesise(rows: range) -> NDArray[np.uint8]:
        return synthesised(parts, synthesiser, rows)

    def mark(row: int) -> dict[str, Any]:
        labels = pairs[row].record.labels
        shown = {"expression": labels.expression, "side": labels.side, "severity": labels.severity}
        made_by = {"recipe": parts.recipe.hash, "seed": row_seed(parts.settings.generate.seed, pairs[row])}
        return made_by | {name: value for name, value in shown.items() if value is not None}

    files = [run.images / name for name in names]
    synthesise_to(files, synthesise, parts.settings.generate.batch_size, "generate", facts=mark)
    lines = [_metadata(name, pair, parts.settings.generate.seed) for name, pair in zip(names, pairs, strict=True)]
    write_text(run.images / "metadata.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    write_text(run.images / README, _card(parts, len(pairs)))
    facts["images"] = len(pairs)


def _card(parts: Parts, count: int) -> str:
    """README.md of the pictures: how a hub and ``datasets.load_dataset`` read them."""
    split = parts.settings.generate.split
    head = dataset_header("generated/*.png", {split: METADATA}, synthetic=True)
    name = markdown_text(parts.recipe.name)
    return (
        f"{head}\n# Synthetic faces\n\n{count} pictures, all synthetic, made by the recipe {name} of people of its "
        f"split {split}. Sides are the subject's; severities are those of the drivers, not measured.\n"
    )


def synthesised(parts: Parts, synthesiser: Synthesiser, rows: range) -> NDArray[np.uint8]:
    """The pictures [B, H, W, 3] of some rows of ``Parts.chosen_pairs``."""
    pairs = parts.chosen_pairs
    faces = batch(parts.data().dataset, [pairs[i] for i in rows]).to(parts.device)
    seeds = [row_seed(parts.settings.generate.seed, pairs[i]) for i in rows]
    return to_pictures(synthesiser.generate(faces, seeds))


def generated(run: RunFolder, pairs: Sequence[Pair]) -> list[NDArray[np.uint8]]:
    """Read the pictures that ``generate`` wrote for ``pairs``, in their order.

    Raises:
        PalsykitError: the table or a picture is missing, not as ``generate`` wrote it or outside the run's folder, or
            was made for other photographs.
    """
    table, names, made_for = run.images / "metadata.jsonl", [], []
    again = f"remove {run.images} and run the recipe again: palsykit run {run.recipe} --output {run.path}"
    try:
        text = table.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PalsykitError(f"{table}: cannot be read ({error}); {again}") from error
    for number, line in enumerate(text.splitlines(), 1):
        try:
            facts = parse(line)
            names.append(run.images / str(facts["file_name"]))
            made_for.append((facts["identity"], facts["driver"]))
        except (ValueError, TypeError, KeyError) as error:
            raise PalsykitError(f"{table}:{number}: not a line that palsykit wrote ({error}); {again}") from error
        if not is_inside(names[-1], run.path):
            raise PalsykitError(f"{table}:{number}: found {names[-1]}, expected a file in the run's folder; {again}")
    if made_for != [(pair.identity.key, pair.record.key) for pair in pairs]:
        raise PalsykitError(
            f"{table}: its {len(made_for)} pictures were made for other photographs than the {len(pairs)} of the data "
            f"now, so they cannot be compared; put the data back as they were, or {again}"
        )
    try:
        return [read_png(name) for name in names]
    except ValueError as error:
        raise PalsykitError(f"{error}; {again}") from error


def _metadata(name: str, pair: Pair, seed: int) -> dict[str, Any]:
    labels = pair.record.labels
    return {
        "file_name": name,
        "subject": labels.subject,
        "expression": labels.expression,
        "side": labels.side,
        "severity": labels.severity,
        "identity": pair.identity.key,
        "driver": pair.record.key,
        "landmarks": pair.record.landmarks_source or "unknown",
        "seed": row_seed(seed, pair),
        "synthetic": True,
    }


def _slug(key: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", key)[-80:]
