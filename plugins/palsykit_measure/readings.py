"""Readings of many photographs, stored in the output folder, so that a stopped or repeated measurement resumes."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from palsykit.faces.records import Rejected
from palsykit.files.atomic import write_text
from palsykit.photographs.mark import read_mark
from palsykit.photographs.read import Photograph, read_photograph
from palsykit.progress import track
from palsykit_measure.people import Shot
from palsykit_measure.reading import Points, Reader

FOLDER = "readings"


@dataclass(frozen=True, eq=False)
class Entry:
    """One photograph's reading, as it is stored.

    Attributes:
        name: unique in the folder.
        shot: who and what it shows.
        sha256: of the file.
        landmarks: [68, 2] px of the photograph.
        to_frame: [2, 3], px of the photograph -> sides of the face frame.
        px_per_mm: by "pupils" and perhaps "iris".
        pose: degrees by "roll", "yaw" and "pitch", or None.
        mark: what a synthetic picture's file says of itself, or None.
        notes: what a user should know.
    """

    name: str
    shot: Shot
    sha256: str
    landmarks: Points
    to_frame: Points
    px_per_mm: dict[str, float]
    pose: dict[str, float] | None
    mark: dict[str, Any] | None
    notes: tuple[str, ...]


def read_all(
    photographs: Sequence[Shot],
    folder: Path,
    reader: Callable[[], Reader],
    face: int | None = None,
    force: bool = False,
) -> tuple[list[Entry], list[Rejected]]:
    """Read every photograph that is not read yet.

    Args:
        photographs: files, and what they show.
        folder: of the results.
        reader: gives the reader; called only if there is something to read.
        face: number of the face in each photograph, 1 for the largest.
        force: accept faces that are small, turned, cut off or covered.

    Returns:
        The readings in the order given, and the photographs that cannot be used, with reasons.
    """
    entries, rejected = [], []
    names = unique_names([shot.path for shot in photographs])
    with track("measure", len(photographs), "photographs") as work:
        for shot, name in zip(photographs, names, strict=True):
            try:
                entries.append(_read(shot, name, folder, reader, face, force))
            except ValueError as error:
                rejected.append(Rejected(shot.path.name, str(error).removeprefix(f"{shot.path}: ")))
            work.advance()
    return entries, rejected


def unique_names(paths: Sequence[Path]) -> list[str]:
    """A name for each file: its stem; where several files have the same, the whole name with a dash for the dot."""
    stems = [path.stem.lower() for path in paths]
    names = [path.stem if stems.count(path.stem.lower()) == 1 else path.name.replace(".", "-") for path in paths]
    seen = [name.lower() for name in names]
    return [
        name if seen.count(name.lower()) == 1 else f"{path.absolute().parent.name}-{name}"
        for name, path in zip(names, paths, strict=True)
    ]


def _read(shot: Shot, name: str, folder: Path, reader: Callable[[], Reader], face: int | None, force: bool) -> Entry:
    photograph = read_photograph(shot.path)
    file = folder / FOLDER / f"{name}.json"
    facts = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    if facts.get("sha256") != photograph.sha256:
        facts = _facts(photograph, shot.path, reader(), face, force)
        write_text(file, json.dumps(facts, indent=1) + "\n")
    return Entry(
        name,
        shot,
        facts["sha256"],
        np.array(facts["landmarks"]),
        np.array(facts["to_frame"]),
        facts["px_per_mm"],
        facts["pose"],
        facts["mark"],
        tuple(facts["notes"]),
    )


def _facts(photograph: Photograph, path: Path, reader: Reader, face: int | None, force: bool) -> dict[str, Any]:
    found = reader.read(photograph, face, force)
    pose = None if found.framed.detection is None else found.framed.detection.pose
    angles = None if pose is None else {"roll": pose.roll, "yaw": pose.yaw, "pitch": pose.pitch}
    return {
        "sha256": photograph.sha256,
        "landmarks": found.landmarks.tolist(),
        "to_frame": found.framed.to_frame.tolist(),
        "px_per_mm": found.px_per_mm,
        "pose": angles,
        "mark": read_mark(path),
        "notes": list(found.notes),
    }
