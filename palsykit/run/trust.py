"""Runs that may read files outside their folder: those that this user made here, or trusts.

A run folder may come from a stranger. Its recipe could name any file of the user's, as weights or as photographs, and
a link in the folder could lead to one. So a run that was not made here reads nothing outside its folder, except files
of installed packages.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from palsykit.errors import PalsykitError
from palsykit.files.caches import cache_folder
from palsykit.files.hashes import sha256_of
from palsykit.files.resources import is_inside

FOLDER = "trusted"
"""The folder in the cache with an empty file for each trusted run, whose name is a digest."""

NOT_READ = frozenset({"checkpoints", "damaged"})
"""Folders of a run that opening it does not read; users move checkpoints to other disks."""


def remember(identity: str, recipe: str) -> None:
    """Trust the run with this identity as long as it has this recipe.

    Args:
        identity: the key "run" of its state.json.
        recipe: the text of its recipe.yaml.
    """
    folder = cache_folder() / FOLDER
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / _digest(identity, recipe)).touch(mode=0o600)
    except OSError:  # a full disk; the run then reads nothing outside its folder, and says how to trust it
        return


def is_trusted(identity: str, recipe: str) -> bool:
    """Whether this user made the run here, or trusts it."""
    return (cache_folder() / FOLDER / _digest(identity, recipe)).is_file()


def refuse_links_outside(run: Path) -> None:
    """Refuse a run with a link that leads out of its folder.

    Raises:
        PalsykitError: there is one; the message names it.
    """
    for link in _links(run):
        if not is_inside(link, run):
            raise PalsykitError(
                f"{link}: a link to {link.readlink()!s}, outside the run; expected a file of the run, which was not "
                f"made here; copy the run with what its links lead to: cp -rL {run} COPY; or trust it: palsykit trust "
                f"{run}"
            )


def _links(run: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(run):
        if Path(folder) == run:
            folders[:] = [name for name in folders if name not in NOT_READ]
        yield from (path for name in (*folders, *files) if (path := Path(folder, name)).is_symlink())


def _digest(identity: str, recipe: str) -> str:
    return sha256_of(f"{identity}\n{recipe}")
