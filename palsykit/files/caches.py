"""The folder for what palsykit keeps between commands: aligned and rendered pictures, and the trusted recipes."""

import atexit
import contextlib
import os
import shutil
import stat
import tempfile
import time
from functools import cache
from pathlib import Path

from palsykit.files.atomic import remove_partials
from palsykit.progress import say

DAY = 24 * 3600.0
"""Seconds."""
STAMP = "looked-through"
"""The file whose time says when a cache was last looked through for what killed processes left."""


def cache_folder() -> Path:
    """$PALSYKIT_CACHE, else $XDG_CACHE_HOME/palsykit, else ~/.cache/palsykit.

    Only its user can read it, because it holds crops of photographs; one that $PALSYKIT_CACHE names and that exists
    keeps its rights. If it cannot be written, for example because the home directory is read-only, a temporary folder
    takes its place until this process ends. What a killed process was writing there is removed a day later.
    """
    named = os.environ.get("PALSYKIT_CACHE")
    folder = Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "palsykit"
    return _writable(folder, bool(named))


@cache
def _writable(folder: Path, keeps_rights: bool) -> Path:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not keeps_rights and stat.S_IMODE(folder.stat().st_mode) & 0o077:
            folder.chmod(0o700)  # an earlier version made it
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        other = tempfile.mkdtemp(prefix="palsykit-cache-")
        atexit.register(shutil.rmtree, other, ignore_errors=True)
        say(f"{folder}: not writable ({error.strerror}); aligned and rendered pictures are not kept for the next run")
        return Path(other)
    with contextlib.suppress(OSError):  # others may use the cache, too
        stamp = folder / STAMP
        # A large cache takes seconds to look through.
        if not stamp.exists() or time.time() - stamp.stat().st_mtime > DAY:
            remove_partials(folder, age=DAY)
            stamp.touch(mode=0o600)
    return folder
