"""The bytes of a picture's file, or one clear line why there are none."""

import errno
import stat
from pathlib import Path

from palsykit.errors import PalsykitError

NO_FILE = "not a regular file but a folder, a device, a pipe or a socket"

MOST_BYTES = 2**30

OF_THE_DISK = frozenset(
    {errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENOTCONN, errno.EHOSTDOWN, errno.EHOSTUNREACH}
    | {errno.ENODEV, errno.ENXIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM}
)
"""Errors of reading that are those of a disk, a network drive or the system: every other file may have them as well."""


def refuse_disk(path: Path, error: OSError) -> None:
    """Stop where the disk fails; returns for an error of the file itself, such as missing rights.

    Raises:
        PalsykitError: with the path and what to look at.
    """
    if error.errno in OF_THE_DISK:
        raise PalsykitError(
            f"{path}: cannot be read ({error.strerror}); the disk, the network drive or the system fails, not the "
            "photograph; see that the folder can be read, then run the command again"
        ) from error


class UnreadablePicture(ValueError):
    """A picture that cannot be used.

    Attributes:
        reason: what was found, what was expected and what to do.
        name: where; "" if the caller says it.
    """

    def __init__(self, reason: str, name: str = "") -> None:
        self.reason, self.name = reason, name
        super().__init__(f"{name}: {reason}" if name else reason)


def read_bytes(path: Path) -> bytes:
    """The bytes of a picture's file.

    Raises:
        UnreadablePicture: for a missing, irregular or empty file, one of more than a gigabyte, and one that may not
            be read; the path is not named.
        PalsykitError: the disk fails, not the file.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UnreadablePicture(f"{NO_FILE}; expected a picture's file")
        if status.st_size > MOST_BYTES:
            raise UnreadablePicture(f"found {status.st_size} bytes, expected {MOST_BYTES} at most; make it smaller")
        data = path.read_bytes()
    except FileNotFoundError:
        if path.is_symlink():
            raise UnreadablePicture("a link that leads nowhere; remove it, or mend what it leads to") from None
        raise UnreadablePicture("there is no such file; check the name") from None
    except PermissionError:
        raise UnreadablePicture("may not be read (permission denied); give yourself the right to read it") from None
    except OSError as error:
        refuse_disk(path, error)
        raise UnreadablePicture(f"cannot be read ({error.strerror or error})") from None
    if not data:
        raise UnreadablePicture("cannot be read as a picture: the file is empty; copy it again")
    return data
