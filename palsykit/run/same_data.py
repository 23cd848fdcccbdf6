"""Compares a run's data with those at its start, which its weights, pictures and figures rest on."""

import hashlib
import json
from pathlib import Path
from typing import Any

from palsykit.data.rejections import printable
from palsykit.errors import PalsykitError
from palsykit.faces.records import FaceRecord
from palsykit.files.atomic import write_text
from palsykit.files.json_files import read_object
from palsykit.report.words import names
from palsykit.run.folder import RunFolder
from palsykit.run.parts import Data

KEY = "records"
"""Of data.json. Names are hashed, because a run is handed on without its photographs."""


def recorded(data: Data) -> dict[str, str]:
    """Hash of a record's key -> hash of its labels, its split, and its photograph where the data set reads files."""
    return {_hash(record.key): _hash(_facts(record, split)) for split, group in data.splits.items() for record in group}


def require_same(run: RunFolder, data: Data) -> None:
    """Refuse data that are not those of the run's start.

    A run of an earlier version has recorded nothing, and is believed.

    Raises:
        PalsykitError: names new and changed photographs, and counts those that are gone.
    """
    file = run.path / "data.json"
    _compare(run, json.loads(file.read_text(encoding="utf-8")).get(KEY) if file.is_file() else None, data)


def fit_record(run: RunFolder, name: str) -> Path:
    """The file that records the data of a fit until the network is fitted."""
    return run.path / "checkpoints" / f"fit-{name}.data.json"


def require_same_fit(run: RunFolder, name: str, data: Data) -> None:
    """Record the data on which a network is fitted; if this run has recorded them before, refuse others.

    Raises:
        PalsykitError: names new and changed photographs, and counts those that are gone.
    """
    file = fit_record(run, name)
    if file.is_file():
        try:
            before = read_object(file)
        except (OSError, ValueError) as error:
            raise PalsykitError(
                f"{file}: cannot be read ({error}); if the data of the fit of {name} are as they were, delete this "
                "file and run the recipe again; else start again with --fresh"
            ) from error
        _compare(run, before, data)
    elif run.writes:
        write_text(file, json.dumps(recorded(data), indent=1) + "\n")


def _compare(run: RunFolder, before: dict[str, str] | None, data: Data) -> None:
    now = recorded(data)
    if not before or before == now:
        return
    keys = {_hash(record.key): printable(record.key) for group in data.splits.values() for record in group}
    new = [keys[one] for one in now if one not in before]
    other = [keys[one] for one in now if one in before and now[one] != before[one]]
    found = [
        f"{len(items)} {what} ({names(items)})"
        for items, what in ((new, "are new"), (other, "have another photograph, label or split"))
        if items
    ]
    if gone := len(before.keys() - now.keys()):
        found.append(f"{gone} are gone")
    raise PalsykitError(
        f"{run.path}: its data are not those it began with: of {len(now)} photographs, {', '.join(found)}; people that "
        "it was trained on could be measured as people it has not seen. Put the data back as they were, or train on "
        "the new ones: another --output, or --fresh"
    )


def _facts(record: FaceRecord, split: str) -> list[Any]:
    labels = record.labels
    words = [labels.subject, labels.expression, labels.side, labels.severity, labels.group]
    return [*(None if word is None else str(word) for word in words), split, record.digest]


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode("utf-8", "surrogatepass")).hexdigest()[:20]
