"""Files that are whole or absent, whatever stops the process."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def write_with(path: Path, write: Callable[[Path], object]) -> None:
    """``write`` fills a file beside ``path``, which then takes its name; the folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem[:32]}-", suffix=path.suffix)
    os.close(handle)
    partial = Path(name)
    try:
        write(partial)
        settle(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text."""
    write_with(path, lambda partial: partial.write_text(text, encoding="utf-8"))


def settle(file: Path) -> None:
    """Waits until a file is on the disk and gives it the user's usual mode; safetensors lets nobody else read."""
    with file.open("rb+") as handle:
        os.fsync(handle.fileno())
    file.chmod(0o666 & ~_umask())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
