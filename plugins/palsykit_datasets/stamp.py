"""What the records of a folder depend on, by names, sizes and times of its files: none of them is opened."""

import errno
import hashlib
import os
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from palsykit import __version__
from palsykit.data.left_alone import is_left_alone
from palsykit.faces.index import code_of

RECENT = 2.0
"""Seconds. File systems with coarse clocks give a file that is changed twice in this time one time for both."""

MISSING = {errno.ENOENT, errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTDIR}
"""What a file may be; any other error is the disk's."""

PACKAGES = ("palsykit_datasets", "palsykit.photographs", "palsykit.faces", "palsykit.data")
"""The code that reads a layout; where it changes, an index is of no use."""


@dataclass(frozen=True)
class Sources:
    """Where a layout's entries come from.

    Attributes:
        layout: the adapter's registered name.
        root: the folder.
        tables: files elsewhere, if any; they need not exist.
        settings: the adapter's keys, whose ``repr`` says all of them.
    """

    layout: str
    root: Path
    tables: tuple[Path | None, ...] = ()
    settings: Mapping[str, object] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The same for the same recipe, whatever the files are now."""
        tables = [None if table is None else str(table.resolve()) for table in self.tables]
        return repr([self.layout, str(self.root.resolve()), tables, sorted(self.settings.items())])


def stamp(sources: Sources) -> str | None:
    """SHA-256 of path, size and times of each file, and of the code that reads them.

    Links are followed; files that no layout reads are left out. The time at which the system itself says a file was
    changed is among them, so a file that was replaced by one of the same size and date has another stamp.

    Returns:
        None if a file was changed just now, or cannot be looked at: then nothing is known for certain.
    """
    digest, newest = hashlib.sha256(f"{sources.name} {__version__} {code_of(*PACKAGES)}".encode()), 0
    began = time.time_ns()
    folders, seen = [sources.root], set[tuple[int, int]]()
    try:
        for table in sources.tables:
            if table is not None:
                line, changed = _line(table, table)
                digest.update(line)
                newest = max(newest, changed)
        while folders:
            folder = folders.pop()
            about = folder.stat()
            if (about.st_dev, about.st_ino) in seen:
                continue
            seen.add((about.st_dev, about.st_ino))
            inside, lines, changed = _listed(folder)
            digest.update(f"{folder} {about.st_mode}\n".encode("utf-8", "surrogateescape") + lines)
            folders += inside
            newest = max(newest, changed)
    except OSError:
        return None
    return None if newest > began - RECENT * 1e9 else digest.hexdigest()


def _listed(folder: Path) -> tuple[list[Path], bytes, int]:
    """The folders in a folder, a line for each file, and the time of the last change in ns."""
    try:
        entries = sorted((e for e in os.scandir(folder) if not is_left_alone(e.name)), key=lambda e: e.name)
    except PermissionError:
        return [], b"closed", 0
    folders, lines, newest = [], [], 0
    for entry in entries:
        if entry.is_dir():
            folders.append(Path(entry.path))
        line, changed = _line(entry, entry.name)
        lines.append(line)
        newest = max(newest, changed)
    return folders, b"".join(lines), newest


def _line(file: "os.DirEntry[str] | Path", name: object) -> tuple[bytes, int]:
    try:
        about = file.stat()
    except OSError as error:
        if error.errno not in MISSING:
            raise
        return f"{name}\0{error.errno}\n".encode("utf-8", "surrogateescape"), 0
    if stat.S_ISDIR(about.st_mode):
        return f"{name}\0folder\n".encode("utf-8", "surrogateescape"), 0
    times = f"{about.st_size} {about.st_mtime_ns} {about.st_ctime_ns} {about.st_ino} {about.st_mode}"
    return f"{name}\0{times}\n".encode("utf-8", "surrogateescape"), max(about.st_mtime_ns, about.st_ctime_ns)
