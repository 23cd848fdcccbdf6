"""Finds the files below a folder, each once, and gives a reason for each file that cannot be a photograph."""

import json
import stat
import unicodedata
from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from palsykit.data.imagefolder import SUFFIXES
from palsykit.data.left_alone import is_left_alone
from palsykit.data.rejections import printable
from palsykit.faces.records import Rejected
from palsykit.photographs.files import NO_FILE, refuse_disk

DOCUMENTS = frozenset(
    {".htm", ".html", ".jsonl", ".log", ".md", ".rst", ".tsv", ".txt", ".xml", ".yaml", ".yml"}
    | {".doc", ".docx", ".numbers", ".odt", ".ods", ".pdf", ".rtf", ".xls", ".xlsx", ".zip"}
)
"""Suffixes of documents beside photographs. They are ignored, unless their content is a picture."""

TABLES = frozenset({"", ".csv", ".json", ".pts", ".tem"})
"""Suffixes of documents in the data set's top folder; elsewhere such files are landmarks without a photograph."""

SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"RIFF")
"""First bytes of pictures, among them GIF, which is not read."""

MADE_WITH = {"state.json": "recipe_hash", "synthesis.json": "settings", "data.json": "settings_hash"}
"""Files that say that palsykit made a folder (a run, a synthesis, prepared data), and a key that they have."""

CONTROL = frozenset(range(32)) - frozenset(b"\t\n\f\r")


@dataclass
class Files:
    """Files in the order of their paths, links followed, without hidden ones; and paths that could not be reached."""

    paths: list[Path] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


def legible(path: Path) -> str:
    """A path that gives a subject or an expression, as text.

    Raises:
        ValueError: if it holds bytes that are not UTF-8 text, or a line break: half a name could be another person's.
    """
    text = path.as_posix()
    if printable(text) != text:
        raise ValueError(
            f"the name {printable(path)!r} holds bytes that are not UTF-8 text, or a line break, and cannot say who it "
            f"shows; rename it"
        )
    return text


def reject(path: Path, reason: object) -> Rejected:
    """The entry of a data set's ``rejected``, which can be written as UTF-8 whatever the file's name is."""
    return Rejected(printable(path), printable(str(reason)))


def files_below(root: Path) -> Files:
    """Every file below a folder; a folder that can be reached twice by links is read once.

    Links are followed last, so that a folder is found in its own place. A link to a folder that was read already, or
    that contains ``root``, is listed, and so is a run that lies among the photographs.

    Raises:
        PalsykitError: the disk fails.
    """
    found, seen = Files(), set[tuple[int, int]]()
    above = {_identity(folder) for folder in root.resolve().parents}
    folders, links = deque([root]), deque[Path]()
    while folders or links:
        folder = folders.popleft() if folders else links.popleft()
        try:
            where = _identity(folder)
            if where in seen or where in above:
                raise OSError("a link to a folder that is read already or that contains it; remove the link")
            seen.add(where)
            paths = sorted(folder.iterdir())
        except OSError as error:
            refuse_disk(folder, error)
            found.rejected.append(reject(folder, error))
            continue
        if folder != root and is_palsykits(folder):
            words = "palsykit made this folder, and its pictures are no photographs of anybody; keep it elsewhere"
            found.rejected.append(reject(folder, words))
            continue
        for path in paths:
            if not is_left_alone(path.name):
                _file_away(path, found, folders, links)
    found.paths.sort()
    return found


def _file_away(path: Path, found: Files, folders: deque[Path], links: deque[Path]) -> None:
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        reason = "a link that leads nowhere or back to itself; remove it" if path.is_symlink() else str(error)
        found.rejected.append(reject(path, reason))
        return
    if stat.S_ISDIR(mode):
        (links if path.is_symlink() else folders).append(path)
    elif stat.S_ISREG(mode):
        found.paths.append(path)
    else:
        found.rejected.append(reject(path, NO_FILE))


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def is_palsykits(folder: Path) -> bool:
    """Whether palsykit made a folder: a run, a synthesis or prepared data."""
    for name, key in MADE_WITH.items():
        try:
            if key in json.loads((folder / name).read_text(encoding="utf-8")):
                return True
        except (OSError, ValueError, TypeError):
            continue
    return False


def is_picture(path: Path) -> bool:
    """Whether the extension is a picture's; the content is checked when it is opened."""
    return path.suffix.lower() in SUFFIXES


def meant(root: Path, names: Iterable[str], paths: Collection[Path]) -> dict[str, Path]:
    """The file that each name of a table means, by its name.

    Tables are written on other systems than the one that holds the files: where no file has the very name, the only
    one is meant whose path differs in case, in Unicode form (macOS) or in the direction of its slashes (Windows).
    """
    alike: dict[str, list[Path]] = {}
    for path in paths:
        alike.setdefault(_plain(path.relative_to(root).as_posix()), []).append(path)
    found = {}
    for name in names:
        exact, near = root / name, alike.get(_plain(name), [])
        found[name] = near[0] if exact not in near and len(near) == 1 and not exact.exists() else exact
    return found


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name).replace("\\", "/").casefold()


def strays(paths: Iterable[Path], read: Collection[Path], root: Path | None = None) -> list[Rejected]:
    """A reason for each file that is neither a picture by its extension, nor a document, nor among those ``read``.

    Args:
        paths: the files.
        read: files that are read although they are not pictures.
        root: the folder in which TABLES are documents; None: they are everywhere.
    """
    others = (path for path in paths if not is_picture(path) and path not in read)
    reasons = ((path, _no_picture(path, root in (None, path.parent))) for path in others)
    return [reject(path, reason) for path, reason in reasons if reason]


def _no_picture(path: Path, tables: bool) -> str | None:
    """Why a file without a picture's extension is not read; None for a document."""
    suffix = path.suffix.lower()
    words = f"found extension {suffix!r}, expected one of {', '.join(sorted(SUFFIXES))}"
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as error:
        return str(error)
    if not _is_text(head) and (head.startswith(SIGNATURES) or head[4:8] == b"ftyp"):
        return f"{words}: a picture or a film by its first bytes; rename it, or convert it to JPEG or PNG"
    if suffix in DOCUMENTS or (tables and suffix in TABLES and _is_text(head)):
        return None
    return f"{words}; rename it if it is a picture, else keep it elsewhere"


def _is_text(head: bytes) -> bool:
    """Text has no control characters, in whatever 8-bit encoding; UTF-16 says so in its first bytes."""
    return head.startswith((b"\xff\xfe", b"\xfe\xff")) or not CONTROL & set(head)
