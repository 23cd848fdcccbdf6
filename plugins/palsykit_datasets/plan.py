"""A prepared folder: what it was made of, and whether preparation may resume in it."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from palsykit.errors import PalsykitError
from palsykit.files.atomic import write_text
from palsykit.files.claims import Claim, difference
from palsykit_datasets.data_block import origins

MARKER = "data.json"


@dataclass(frozen=True)
class Plan:
    """The settings of a prepared folder.

    Attributes:
        part: the data set, resolved.
        image_size: px.
        seed: of the splits, if the data set prescribes none.
    """

    part: dict[str, Any]
    image_size: int
    seed: int

    @property
    def settings(self) -> dict[str, Any]:
        return {"data": self.part, "image_size": self.image_size, "seed": self.seed}

    @property
    def hash(self) -> str:
        """SHA-256 of the settings."""
        return hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode()).hexdigest()

    def sources(self) -> list[Path]:
        """Every existing file and folder that a key names."""
        return sorted({Path(text) for text in _texts(self.part) if Path(text).is_absolute() and os.path.exists(text)})  # noqa: PTH110

    def state(self) -> str:
        """SHA-256 of the settings, the plugins' versions, and name, size and time of every file in the sources.

        While it is the same, so are the pictures.
        """
        digest = hashlib.sha256(json.dumps([self.hash, origins(self.part)]).encode())
        for source in self.sources():
            for name, size, time in _listing(source):
                digest.update(b"%s\0%d %d\0" % (os.fsencode(name), size, time))
        return digest.hexdigest()


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(item)


def _listing(source: Path) -> Iterator[tuple[str, int, int]]:
    """(path, bytes, ns) of a file, or of every file below a folder; links are followed to files, not to folders."""
    names = [str(source)] if source.is_file() else []
    for folder, folders, files in os.walk(source):
        folders.sort()
        names += [os.path.join(folder, name) for name in sorted(files)]  # noqa: PTH118 (names need not be UTF-8)
    for name in names:
        try:
            about = os.stat(name)  # noqa: PTH116
        except OSError:
            yield name, -1, -1
        else:
            yield name, about.st_size, about.st_mtime_ns


def claim(dest: Path, plan: Plan) -> dict[str, Any]:
    """The content of DEST/data.json; {} for a new or empty folder.

    Raises:
        PalsykitError: DEST is a file, holds other files or pictures of other settings, or lies inside the data.
    """
    for source in plan.sources():
        if dest.resolve().is_relative_to(source.resolve()):
            raise PalsykitError(f"{dest}: lies in the data itself ({source}), expected a folder elsewhere")
    claimed = Claim(dest, MARKER, "prepared data", "name another folder", key="settings_hash")
    if not claimed.begun():
        return {}
    marker = claimed.read()
    if marker.get("settings_hash") != plan.hash:
        claimed.refuse(difference(marker.get("settings") or {}, plan.settings))
    return marker


def read_marker(folder: Path) -> dict[str, Any]:
    """The content of FOLDER/data.json; {} if there is none, or if it is not ours.

    Raises:
        PalsykitError: it cannot be read.
    """
    path = folder / MARKER
    if not path.is_file():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PalsykitError(f"{path}: cannot be read ({error}); remove the folder and prepare it again") from None
    return value if isinstance(value, dict) and "settings_hash" in value else {}


def write_marker(folder: Path, marker: Mapping[str, Any]) -> None:
    """Writes FOLDER/data.json."""
    write_text(folder / MARKER, json.dumps(marker, indent=1) + "\n")
