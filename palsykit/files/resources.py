"""Files that a recipe names: a path, or a file shipped inside an installed package."""

import importlib.resources
import os
import re
from pathlib import Path

PACKAGED = re.compile(r"(?P<package>[A-Za-z_]\w+(\.[A-Za-z_]\w*)*):(?P<path>[^\\/:].*)")
"""``import_package:relative/path``; two letters at least, so that a drive letter is none."""


def locate(value: str, base: Path) -> Path:
    """The existing file or folder that ``value`` names, absolute; a relative path starts from ``base``.

    Raises:
        FileNotFoundError: there is no such package, file or folder; the message says where it was looked for.
    """
    match = PACKAGED.fullmatch(value)
    found = _in_package(match["package"], match["path"]) if match else _on_disk(value, base)
    if not found.exists():
        raise FileNotFoundError(f"no file or folder {found}")
    return found


def canonical(value: str, base: Path) -> str:
    """``value`` as a resolved recipe keeps it: a package's file as written, every other path absolute."""
    return value if PACKAGED.fullmatch(value) else str(_on_disk(value, base))


def _on_disk(value: str, base: Path) -> Path:
    # a link stays a link: what it points to may have another suffix
    return Path(os.path.abspath(base / Path(value).expanduser()))  # noqa: PTH100


def _in_package(package: str, path: str) -> Path:
    try:
        root = importlib.resources.files(package)
    except (ImportError, TypeError) as error:
        raise FileNotFoundError(f"no importable package {package!r} ({error})") from error
    return Path(str(root.joinpath(path)))
