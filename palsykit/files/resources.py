"""Find the files that a recipe names: a path, or a file inside an installed package."""

import importlib.util
import os
import re
from pathlib import Path

PACKAGED = re.compile(r"(?P<package>[A-Za-z_]\w+(\.[A-Za-z_]\w*)*):(?P<path>[^\\/:].*)")
"""``import_package:relative/path``; at least two letters, so that a drive letter does not match."""


class OutsideFile(ValueError):
    """A path of a stranger's recipe that leaves the folder in which it may name files."""


def locate(value: str, base: Path, within: Path | None = None) -> Path:
    """The absolute path of the file or folder that ``value`` names; a relative path starts at ``base``.

    Args:
        value: a path, or a file of an installed package.
        base: where a relative path starts.
        within: a folder that a path must not leave, links followed; None: no bound. Files of packages have none.

    Raises:
        OutsideFile: it leaves ``within``. Nothing is looked up there.
        FileNotFoundError: there is no such package, file or folder; the message gives the full path.
    """
    match = PACKAGED.fullmatch(value)
    target = _in_package(match["package"], match["path"]) if match else _on_disk(value, base)
    if within is not None and match is None and not is_inside(target, within):
        raise OutsideFile(f"{target} is outside {within}")
    try:
        exists = target.exists()
    except (OSError, ValueError) as error:  # a name that is too long, or with a null character
        reason = error.strerror if isinstance(error, OSError) else error
        raise FileNotFoundError(f"no file or folder {str(target)[:200]!r} ({reason})") from error
    if not exists:
        raise FileNotFoundError(f"no file or folder {target}")
    return target


def is_inside(path: Path, folder: Path) -> bool:
    """Whether a path is in a folder, after all links are followed."""
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # links in a circle
        return False


def canonical(value: str, base: Path) -> str:
    """``value`` as written in a resolved recipe: a package's file unchanged, every other path absolute."""
    return value if PACKAGED.fullmatch(value) else str(_on_disk(value, base))


def _on_disk(value: str, base: Path) -> Path:
    # do not resolve links: the target may have another suffix
    return Path(os.path.abspath(base / Path(value).expanduser()))  # noqa: PTH100


def _in_package(package: str, path: str) -> Path:
    """A file of a package, which is found but not imported: a recipe of a stranger must not run code by a name."""
    name, *parts = package.split(".")
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError) as error:
        raise FileNotFoundError(f"no importable package {package!r} ({error})") from error
    folders = [] if spec is None else list(spec.submodule_search_locations or [])
    inside = [folder for folder in (Path(root, *parts) for root in folders) if folder.is_dir()]
    if not inside:
        raise FileNotFoundError(f"no importable package {package!r}")
    found = [target for target in (folder / path for folder in inside) if target.exists()]
    target = (found or [inside[0] / path])[0]
    if not any(Path(os.path.abspath(target)).is_relative_to(folder.absolute()) for folder in inside):  # noqa: PTH100
        raise FileNotFoundError(f"{package}:{path} leaves the package's folder")
    return target
