"""A lock on a folder: two processes that write into one folder would mix their files."""

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from palsykit.errors import PalsykitError
from palsykit.files.atomic import make_folder
from palsykit.progress import say

LOCK = ".lock"
"""The file in the folder that its process holds. The lock ends with the process, so one that was killed leaves none."""


@contextmanager
def locked(folder: Path, another: str) -> Iterator[None]:
    """Hold a folder for this process; creates the folder.

    Args:
        folder: the folder.
        another: how the user chooses another folder; the end of the message.

    Raises:
        PalsykitError: another process holds the folder; the message names it.
    """
    make_folder(folder)
    file = _acquired(folder / LOCK, another)
    try:
        file.truncate(0)
        held = {"process": os.getpid(), "host": socket.gethostname(), "since": f"{datetime.now():%Y-%m-%d %H:%M:%S}"}
        file.write(json.dumps(held))
        file.flush()
        yield
    finally:
        Path(file.name).unlink(missing_ok=True)
        file.close()


def _acquired(path: Path, another: str) -> IO[str]:
    """The locked file. It may be removed between opening and locking; then the next one is locked."""
    while True:
        file = path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = _holder(file.read())
            file.close()
            raise PalsykitError(
                f"{path.parent}: in use by {holder}; wait until it has finished, stop it, or {another}"
            ) from error
        except OSError as error:  # some network file systems have no locks
            say(f"{path.parent}: cannot be locked ({error.strerror}); start no second process with this folder")
            return file
        if path.exists() and os.path.samestat(path.stat(), os.fstat(file.fileno())):
            return file
        file.close()


def _holder(text: str) -> str:
    try:
        held: dict[str, Any] = json.loads(text)
        return f"process {held['process']} on {held['host']}, since {held['since']}"
    except (ValueError, KeyError, TypeError):  # it has just been created
        return "another process"
