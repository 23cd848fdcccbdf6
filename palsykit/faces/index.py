"""The records of a data set as one file in the cache, so that the next start opens no photograph and no table."""

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import save_file

from palsykit.faces.landmarks import COUNT, FURTHER
from palsykit.faces.records import FaceRecord
from palsykit.faces.vocabulary import FaceLabels, Group, Side
from palsykit.files.arrays import arrays_in
from palsykit.files.atomic import write_with
from palsykit.progress import say

VERSION = 1
"""Increase it when the file is written otherwise, or when records have other fields."""


@cache
def code_of(*packages: str) -> str:
    """SHA-256 of the modules of packages, for ``origin``: records that other code made are not used."""
    digest = hashlib.sha256()
    for package in packages:
        spec = find_spec(package)
        for place in (spec.submodule_search_locations or []) if spec is not None else []:
            for file in sorted(Path(place).glob("*.py")):
                digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


def write_index(file: Path, origin: str, records: Sequence[FaceRecord], extra: Any, name: str) -> None:
    """Write records, or say that it failed: without the file the next start takes longer, and nothing else changes.

    Args:
        file: in the cache; complete or absent.
        origin: everything that the records depend on; ``read_index`` gives them back for the same text only.
        records: of the data set ``name``.
        extra: what else the data set wants to find again, as JSON has it.
        name: for the note.
    """
    tensors: dict[str, NDArray[Any]] = {
        "text": np.frombuffer(json.dumps([[_row(record) for record in records], extra]).encode(), np.uint8),
        "landmarks": _points([record.landmarks for record in records], COUNT),
        "further": _points([record.further for record in records], FURTHER),
    }
    facts = json.dumps([VERSION, origin, _digest([tensors[key] for key in _NAMES])])
    try:
        write_with(file, lambda partial: save_file(tensors, partial, {"facts": facts}))
    except (OSError, SafetensorError) as error:
        say(f"{file.parent}: no index of {name} is kept ({error}); the next start reads its photographs again")


def read_index(file: Path, origin: str) -> tuple[list[FaceRecord], Any] | None:
    """Records and ``extra``; None if the file is missing, damaged, another version's or of another origin.

    A record is about 1 kB, of which its landmarks are half.
    """
    try:
        arrays, metadata = arrays_in(file)
        version, made_from, digest = json.loads(metadata["facts"])
        if (version, made_from) != (VERSION, origin):
            return None
        text, landmarks, further = (arrays[name].read() for name in _NAMES)
        if _digest([text, landmarks, further]) != digest:
            return None
        rows, extra = json.loads(text.tobytes())
        return _records(rows, landmarks, further), extra
    except (OSError, ValueError, KeyError, TypeError):
        return None


_NAMES = ("text", "landmarks", "further")


def _row(record: FaceRecord) -> list[Any]:
    """The text of a record; whether it has points says which rows of the arrays are its own."""
    labels = record.labels
    known = [record.landmarks is not None, record.further is not None]
    words = [labels.subject, labels.expression, labels.side, labels.severity, labels.group]
    return [record.key, *words, labels.sunnybrook, labels.eface, record.split, record.landmarks_source, record.digest,
            *known]  # fmt: skip


def _records(rows: list[list[Any]], landmarks: NDArray[Any], further: NDArray[Any]) -> list[FaceRecord]:
    words: dict[str | None, str | None] = {}  # equal words are one object
    marks, others, records = iter(landmarks), iter(further), []
    for key, subject, expression, side, severity, group, sunnybrook, eface, split, source, digest, *known in rows:
        labels = FaceLabels(
            words.setdefault(subject, subject),
            words.setdefault(expression, expression),
            None if side is None else Side(side),
            severity,
            None if group is None else Group(group),
            sunnybrook,
            eface,
        )
        points, more = (next(rest) if has else None for rest, has in zip((marks, others), known, strict=True))
        source, split = words.setdefault(source, source), words.setdefault(split, split)
        records.append(FaceRecord(key, labels, points, source, split, more, digest))
    return records


def _points(points: Sequence[NDArray[np.float32] | None], count: int) -> NDArray[np.float32]:
    """The known ones, [N, count, 2]."""
    known = [one for one in points if one is not None]
    return np.stack(known).astype(np.float32) if known else np.empty((0, count, 2), np.float32)


def _digest(arrays: Sequence[NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(array.tobytes())
    return digest.hexdigest()
