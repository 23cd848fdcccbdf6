"""Write files atomically: if the process stops, a file is complete or absent."""

import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock

_ONE_AT_A_TIME = Lock()

PARTIAL = ".partial-"
"""The name of what is being written begins with this; after a kill such a file or folder stays."""


PRIVATE = 0o770
"""Rights of a new folder at most: none for users that are not in the group."""


def make_folder(path: Path) -> None:
    """Make a folder, unless it exists, into which other users do not look: what is in it may show patients."""
    path.mkdir(mode=PRIVATE, parents=True, exist_ok=True)


def write_with(path: Path, write: Callable[[Path], object], lasting: bool = True) -> None:
    """Call ``write`` with a temporary file beside ``path``, then rename it to ``path``. Creates the folder.

    Args:
        path: the file.
        write: writes it.
        lasting: wait until the disk has it. Not waiting saves milliseconds where many small files can be made again; a
            loss of power may then leave a file cut off, which its reader must notice.
    """
    make_folder(path.parent)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f"{PARTIAL}{path.stem[:32]}-", suffix=path.suffix)
    os.close(handle)
    partial = Path(name)
    try:
        write(partial)
        if lasting:
            flush(partial)
        else:
            _restrict(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text."""
    write_with(path, lambda partial: partial.write_text(text, encoding="utf-8"))


def is_partial(path: Path) -> bool:
    """Whether a file or folder is one that was being written, by us or by safetensors."""
    return path.name.startswith(PARTIAL) or re.fullmatch(r"\.tmp[A-Za-z0-9]{6}", path.name) is not None


def remove_partials(folder: Path, age: float = 0.0) -> None:
    """Remove what killed writes left in a folder and below it.

    Args:
        folder: the folder.
        age: only what has not changed for so many seconds; where other processes may write meanwhile, more than a write
            takes.
    """
    before = time.time() - age
    for path in [path for path in folder.rglob(".*") if is_partial(path)]:
        if age and path.lstat().st_mtime > before:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)  # it may have gone with its folder


def flush(file: Path) -> None:
    """Flush a file to disk, and let the user and the group read it as the umask says; nobody else.

    It may show a patient. Temporary files are readable for the user alone.
    """
    with file.open("rb+") as handle:
        os.fsync(handle.fileno())
    _restrict(file)


def _restrict(file: Path) -> None:
    file.chmod(PRIVATE & 0o666 & ~_umask())


def _umask() -> int:
    """The process's mask. Asking for it sets it: one thread at a time, and meanwhile nobody else may read new files."""
    with _ONE_AT_A_TIME:
        mask = os.umask(0o077)
        os.umask(mask)
        return mask
