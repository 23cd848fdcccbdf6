"""The folders of the people who use the page: each has one, only this user can read it, and it is deleted."""

import secrets
import shutil
from pathlib import Path

from palsykit.errors import PalsykitError


class Sessions:
    """Makes and deletes a folder for each open page.

    Args:
        root: where they are.
    """

    def __init__(self, root: Path):
        self.root = root
        root.mkdir(mode=0o700, parents=True, exist_ok=True)

    def open(self) -> Path:
        """A new, empty folder, mode 0700."""
        folder = self.root / secrets.token_hex(16)
        folder.mkdir(mode=0o700)
        return folder

    def close(self, folder: Path | None) -> None:
        """Delete a folder with everything in it; no folder is no fault."""
        if folder is not None and Path(folder).parent == self.root:
            shutil.rmtree(folder, ignore_errors=True)


def fresh(folder: Path, name: str) -> Path:
    """An empty folder of that name in a session's; what was there is deleted."""
    path = folder / name
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(mode=0o700, parents=True)
    return path


def take(uploads: list[str], folder: Path) -> list[Path]:
    """Copies of uploaded files in ``folder``, under their own names.

    Raises:
        PalsykitError: two files have the same name.
    """
    taken: list[Path] = []
    for upload in map(Path, uploads):
        target = folder / upload.name
        if target.exists():
            raise PalsykitError(f"{upload.name}: found twice; expected files of different names")
        shutil.copyfile(upload, target)
        taken.append(target)
    return taken
