"""Writes a data set as a Hugging Face imagefolder: PNG files, tables, rejected.csv, data.json, a card."""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from palsykit import __version__
from palsykit.data.consistency import doubts_of
from palsykit.data.hub_card import README, dataset_header, split_tables, table_of
from palsykit.data.imagefolder import IMAGEFOLDER, METADATA, SUFFIXES
from palsykit.data.rejections import list_on_failure, printable, write_rejected
from palsykit.errors import PalsykitError
from palsykit.faces.records import FaceDataset, FaceRecord, Rejected
from palsykit.faces.splits import split_records
from palsykit.faces.vocabulary import EXPRESSIONS, SPLITS
from palsykit.files.atomic import write_text
from palsykit.files.hashes import sha256
from palsykit.files.pictures import save_png
from palsykit.files.provenance import provenance
from palsykit.progress import say, track
from palsykit.report.templates import markdown_text
from palsykit_datasets.data_block import build
from palsykit_datasets.picture_names import PICTURES, picture_names
from palsykit_datasets.plan import Plan, claim, read_marker, write_marker
from palsykit_datasets.reasons import kinds


@dataclass(frozen=True)
class Summary:
    """The contents of a prepared folder.

    Attributes:
        kept: photographs.
        subjects: split -> number.
        rejected: kind of reason -> number of photographs.
        alone: subjects with one photograph, which is their own identity image.
        data: the block with which a recipe reads the folder.
    """

    kept: int
    subjects: dict[str, int]
    rejected: dict[str, int]
    alone: list[str]
    data: dict[str, Any]


def write_imagefolder(dest: Path, plan: Plan, cache: Path) -> Summary:
    """Writes DEST, or resumes an interrupted preparation.

    Existing complete pictures are kept. If the data changed since, they are rendered again and replaced if they differ.

    Raises:
        PalsykitError: DEST holds something else, the data set cannot be built, or none of its photographs can be used.
    """
    # Claim the folder, build the data set, split it.
    marker, state = claim(dest, plan), plan.state()
    with list_on_failure(dest):
        dataset = build(plan.part, plan.image_size, cache)
    try:
        splits = split_records(dataset.records, plan.seed)
    except ValueError as error:
        raise PalsykitError(f"the data set {plan.part['use']}: {error}") from error
    unchanged = not marker or marker.get("state") == state
    begun = {"palsykit": __version__, "finished": False, "settings": plan.settings, "settings_hash": plan.hash}
    # Mark the folder as begun. Earlier pictures may show changed photographs until every one has been compared.
    write_marker(dest, {**begun, "state": state if unchanged else None})
    # Pictures: remove those whose photograph is gone, write those that are missing.
    names = picture_names([record.key for record in dataset.records])
    _sweep(dest, set(names.values()))
    failed = _write_pictures(dest, dataset, names, unchanged)
    # Labels of the pictures that could be written, and the list of the others.
    lost = {rejected.path for rejected in failed}
    where = {r.key: split for split, records in splits.items() for r in records if r.key not in lost}
    kept = [record for record in dataset.records if record.key in where]
    rows = [_row(record, names[record.key], where[record.key], plan.part.get("root")) for record in kept]
    _say_who_moved(dest, rows)
    write_text(dest / METADATA, "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows))
    _write_card(dest, rows, dataset.attribution)
    rejected = [*dataset.rejected, *failed]
    write_rejected(dest, rejected)
    # Mark the folder as finished.
    about = _about(dest, plan, dataset, rows, rejected)
    write_marker(dest, {**begun, "finished": True, "state": state, **about})
    for doubt in about["doubts"]:
        say(doubt)
    if not kept:
        raise PalsykitError(f"{dest}: none of {len(rejected)} photographs can be used; its rejected.csv says why")
    return Summary(len(kept), about["subjects"], about["rejected"], about["single_photograph_subjects"], about["data"])


def _sweep(dest: Path, names: set[str]) -> None:
    """Removes remains of an interrupted write, and pictures whose photograph is no longer in the data."""
    there = [path for path in (dest / PICTURES).glob("*.png") if f"{PICTURES}/{path.name}" not in names]
    for path in there:
        path.unlink()
    if gone := sum(not path.name.startswith(".") for path in there):
        say(f"{gone} pictures removed from {dest / PICTURES}: their photographs are no longer in the data")


def _write_pictures(dest: Path, dataset: FaceDataset, names: Mapping[str, str], unchanged: bool) -> list[Rejected]:
    """Writes the missing pictures; returns, by key, the records whose picture the data set cannot give."""
    size = dataset.image_size
    there = {key for key, name in names.items() if unchanged and _whole(dest / name, size)}
    failed = []
    with track(f"writing {dest.name}", len(names), "pictures", done=len(there)) as work:
        for record in dataset.records:
            if record.key in there:
                continue
            try:
                picture = np.asarray(dataset.image(record))
            except (OSError, ValueError) as error:
                failed.append(Rejected(record.key, str(error)))
                (dest / names[record.key]).unlink(missing_ok=True)
            else:
                _write(dest / names[record.key], _checked(picture, size, record))
            work.advance()
    return failed


def _whole(path: Path, size: int) -> bool:
    """Whether there is a complete PNG of this size (its checksums agree)."""
    try:
        with Image.open(path) as picture:
            fits = picture.size == (size, size) and picture.mode == "RGB" and picture.format == "PNG"
            picture.verify()
    except (OSError, ValueError, SyntaxError):
        return False
    return fits


def _checked(picture: NDArray[Any], size: int, record: FaceRecord) -> NDArray[np.uint8]:
    if picture.shape != (size, size, 3) or picture.dtype != np.uint8:
        raise PalsykitError(
            f"the data set gives {picture.dtype} {picture.shape} for {record.key!r}, expected uint8 "
            f"{(size, size, 3)}; this is a fault in its plugin"
        )
    return picture


def _write(path: Path, picture: NDArray[np.uint8]) -> None:
    if _whole(path, len(picture)):
        with Image.open(path) as old:
            if np.array_equal(np.asarray(old), picture):
                return
    try:
        save_png(picture, path)
    except OSError as error:
        raise PalsykitError(f"{path}: cannot be written ({error}); make room or name another folder") from error


def _row(record: FaceRecord, name: str, split: str, root: str | None) -> dict[str, Any]:
    """A line of metadata.jsonl; unknown is null."""
    labels, points = record.labels, record.landmarks
    if points is not None and not np.isfinite(points).all():
        raise PalsykitError(f"the landmarks of {record.key!r} are not finite, expected px; correct the data set")
    source = None if root is None else _source(root, record.key)
    return {
        "file_name": name,
        "subject": printable(str(labels.subject)),
        "expression": None if labels.expression is None else printable(labels.expression),
        "side": None if labels.side is None else labels.side.value,
        "severity": labels.severity,
        "group": None if labels.group is None else labels.group.value,
        "sunnybrook": labels.sunnybrook,
        "eface": labels.eface,
        "split": split,
        "landmarks": None if points is None else [[round(float(x), 4) for x in point] for point in points],
        "landmarks_source": record.landmarks_source if points is not None else None,
        "key": printable(record.key),
        "source": None if source is None else printable(source),
    }


def _source(root: str, key: str) -> str | None:
    """The photograph's path below the data's root, if the record's key is that path, with or without its suffix."""
    for path in (key, *(key + suffix for ending in SUFFIXES for suffix in (ending, ending.upper()))):
        if os.path.isfile(os.path.join(root, path)):  # noqa: PTH113, PTH118 (a key may be any text)
            return path
    return None


def _write_card(dest: Path, rows: Sequence[Mapping[str, Any]], attribution: str) -> None:
    """README.md and a table per split: how a hub and ``datasets.load_dataset`` read the folder."""
    texts, left_out = split_tables(rows)
    tables = {split: table_of(split) for split in SPLITS if split in texts}
    for stale in set(dest.glob(table_of("*"))) - {dest / table for table in tables.values()}:
        stale.unlink()
    for split, table in tables.items():
        write_text(dest / table, texts[split])
    lacking = f" The tables by split lack {', '.join(left_out)}, which not every split knows." if left_out else ""
    lines = [
        f"{len(rows)} photographs, cropped by palsykit {__version__}; `{METADATA}` has the labels.{lacking}",
        markdown_text(attribution),
    ]
    head = dataset_header(f"{PICTURES}/*.png", tables, synthetic=False) if tables else ""
    write_text(dest / README, "\n\n".join([f"{head}\n# Prepared photographs", *filter(None, lines)]) + "\n")


def _say_who_moved(dest: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Warns of subjects whose split changed: splits are drawn from all subjects, so new ones may move others."""
    if not (dest / METADATA).is_file():
        return
    lines = (dest / METADATA).read_text(encoding="utf-8").splitlines()
    before = {row["subject"]: row["split"] for row in map(json.loads, lines)}
    moved = sorted({row["subject"] for row in rows if before.get(row["subject"], row["split"]) != row["split"]})
    if moved:
        say(f"{len(moved)} subjects have another split than before ({', '.join(moved[:8])}); train models on it again")


def _about(
    dest: Path, plan: Plan, dataset: FaceDataset, rows: Sequence[Mapping[str, Any]], rejected: Sequence[Rejected]
) -> dict[str, Any]:
    """What data.json holds about a finished folder."""
    subjects = {row["subject"]: row["split"] for row in rows}
    alone = [subject for subject, count in Counter(row["subject"] for row in rows).items() if count == 1]
    own = sorted({row["expression"] for row in rows} - {None, *EXPRESSIONS})
    kept_as_they_are = {"expressions": {word: word for word in own}} if own else {}
    prescribed = any(record.split is not None for record in dataset.records)
    return {
        "provenance": provenance({"data": plan.part}),
        "kept": len(rows),
        "subjects": {split: n for split in SPLITS if (n := list(subjects.values()).count(split))},
        "splits": "prescribed by the data set" if prescribed else f"drawn by subject from seed {plan.seed}",
        "single_photograph_subjects": alone,
        "without_landmarks": sum(row["landmarks"] is None for row in rows),
        "rejected": kinds(rejected),
        "doubts": doubts_of(dataset),
        "hashes": hashes(dest, [row["file_name"] for row in rows]),
        "data": {"use": IMAGEFOLDER, "frame": "aligned", **kept_as_they_are},
        "attribution": dataset.attribution,
    }


def hashes(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """SHA-256 of metadata.jsonl, and of all pictures' names and bytes."""
    pictures = hashlib.sha256()
    for name in sorted(names):
        pictures.update(name.encode() + b"\0" + bytes.fromhex(sha256(folder / name)))
    return {METADATA: sha256(folder / METADATA), PICTURES: pictures.hexdigest()}


def changes_since(folder: Path) -> list[str]:
    """A line for each part of a prepared folder that changed since it was written; none for any other folder."""
    marker = read_marker(folder)
    if not marker.get("finished"):
        return []
    lines = (folder / METADATA).read_text(encoding="utf-8").splitlines() if (folder / METADATA).is_file() else []
    now = hashes(folder, [json.loads(line)["file_name"] for line in lines if line.strip()]) if lines else {}
    return [
        f"{name} changed since data.json was written" for name, old in marker["hashes"].items() if now.get(name) != old
    ]
