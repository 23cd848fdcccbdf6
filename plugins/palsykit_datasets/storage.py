"""Errors of the disk, which say nothing about a photograph: they stop the reading instead of rejecting it."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from palsykit.errors import PalsykitError


@contextmanager
def cache_written(cache: Path) -> Iterator[None]:
    """Wraps what is written into a cache.

    Raises:
        PalsykitError: it cannot be written, with its place and the cure.
    """
    try:
        yield
    except OSError as error:
        what = error.strerror or str(error)
        cure = "free some of your quota" if error.errno == errno.EDQUOT else "free some space there"
        raise PalsykitError(
            f"{cache}: the cache of aligned photographs cannot be written ({what}); {cure}, or name another folder "
            "with PALSYKIT_CACHE=DIR, and run the command again; no photograph is at fault"
        ) from error
