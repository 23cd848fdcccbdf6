"""Errors that the user can correct."""

import errno
from collections.abc import Sequence


class PalsykitError(Exception):
    """A problem that the user can correct. The command line prints it without a traceback and exits with code 2.

    Attributes:
        message: one line: where, what was found, what was expected, the next step.
        problems: more lines, one per problem.
    """

    def __init__(self, message: str, problems: Sequence[object] = ()):
        self.message = message
        self.problems = tuple(problems)
        super().__init__("\n".join([message, *(f"  {problem}" for problem in self.problems)]))


_OF_THE_SYSTEM = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some of your quota",
    errno.EROFS: "name a folder that can be written",
    errno.EACCES: "name a folder that can be written",
    errno.EPERM: "name a folder that can be written",
    errno.EIO: "look at the disk, or name a folder on another one",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOENT: "name a file or folder that is there, or one that can be made",
    errno.ENOTDIR: "name a folder: a file is where a folder is expected",
    errno.EEXIST: "name another place: a file is where a folder is expected",
    errno.EISDIR: "name a file: a folder is where a file is expected",
    errno.ELOOP: "remove the link that leads back to itself",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f), or name a folder without one",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
}
"""Errors of the file system that are not a fault of the program -> what the user can do."""


def of_the_system(error: OSError, then: str = "Then run the command again") -> PalsykitError | None:
    """The message for an error of the file system, such as a full disk or a folder that cannot be made; else None.

    Files are written atomically, so those that were written before are whole.

    Args:
        error: the error.
        then: a sentence: what the user does after the cure.
    """
    if (cure := _OF_THE_SYSTEM.get(error.errno or 0)) is None:
        return None
    where = f"{error.filename}: " if error.filename else ""
    return PalsykitError(f"{where}{error.strerror}; {cure}. {then.rstrip('.')}. What was written before is whole")
