"""Provenance of results: palsykit and its commit, the libraries, the machine, and the code of every plugin used.

``provenance`` returns it as JSON, ``as_facts`` as lines for a page; ``record`` stores it in a run. It has no paths.
"""

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from palsykit import __version__
from palsykit.files.atomic import write_text
from palsykit.files.hashes import sha256
from palsykit.hookspecs import INTERFACES
from palsykit.registry import Entry, registry

if TYPE_CHECKING:
    import torch

LIBRARIES = ("torch", "diffusers", "accelerate", "torchmetrics", "scipy", "numpy", "pillow")
UNKNOWN = "unknown"
SHOWN = 12
"""Digits of a SHA-256 shown on a page; the JSON has all of them."""

_INTERFACE = {
    **{name.removesuffix("s"): name for name in INTERFACES},
    **{name: name for name in INTERFACES},
    "data": "datasets",
    "conditions": "encoders",
}
"""A recipe key -> the interface of the parts inside it."""


def provenance(recipe: Any, device: "torch.device | None" = None, command: str = "") -> dict[str, Any]:
    """Collect what a result depends on, apart from its recipe and data.

    Args:
        recipe: a resolved recipe, a section of one, or a list of them; their plugins are included.
        device: used for the computation; None without torch.
        command: the plugin command that made the result; its plugin is included, too.
    """
    entries = list(parts_of(recipe))
    if command in registry().commands:
        entries.append(registry().commands[command])
    plugins = {entry.plugin: entry for entry in entries}
    return {
        "palsykit": {
            "version": __version__,
            "commit": commit(Path(__file__).parents[1]),
            "sha256": package_sha256("palsykit"),
        },
        "python": platform.python_version(),
        "machine": _machine(device),
        "libraries": {name: importlib.metadata.version(name) for name in LIBRARIES},
        "plugins": {
            name: {
                "distribution": entry.distribution,
                "version": entry.version,
                "sha256": package_sha256(entry.module),
            }
            for name, entry in sorted(plugins.items())
        },
    }


def as_facts(origin: dict[str, Any]) -> dict[str, str]:
    """Format a ``provenance`` as lines for a page, name -> value."""
    own = origin["palsykit"]
    plugins: dict[str, list[str]] = {}
    for name, plugin in origin["plugins"].items():
        title = f"plugins of {plugin['distribution']} {plugin['version']}, SHA-256"
        plugins.setdefault(title, []).append(f"{name} {plugin['sha256'][:SHOWN]}")
    return {
        "made with": f"palsykit {own['version']}, commit {own['commit']}, SHA-256 {own['sha256'][:SHOWN]}",
        "machine": origin["machine"],
        "libraries": ", ".join(
            f"{name} {v}" for name, v in {"Python": origin["python"], **origin["libraries"]}.items()
        ),
        **{title: ", ".join(names) for title, names in plugins.items()},
    }


def record(file: Path, stage: str, origin: dict[str, Any]) -> None:
    """Record the provenance of a stage in a file. Successive stages with the same provenance share one entry."""
    entries = [{**entry, "stages": [s for s in entry["stages"] if s != stage]} for entry in recorded(file)]
    entries = [entry for entry in entries if entry["stages"]]
    if entries and same(entries[-1], origin):
        entries[-1]["stages"].append(stage)
    else:
        entries.append({"stages": [stage], **origin})
    write_text(file, json.dumps(entries, indent=1) + "\n")


def recorded(file: Path) -> list[dict[str, Any]]:
    """Read the entries of ``record``, oldest first; empty if the file does not exist."""
    entries: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else []
    return entries


def same(entry: dict[str, Any], origin: dict[str, Any]) -> bool:
    """Whether an entry of ``record`` has the provenance ``origin``."""
    return {**entry, "stages": []} == {**origin, "stages": []}


def parts_of(recipe: Any, interface: str = "") -> Iterator[Entry]:
    """Find the registered parts that a resolved recipe names in blocks ``{use: NAME, ...}``, at any depth.

    If the key of a block does not determine the interface, every part of that name is returned.
    """
    if isinstance(recipe, list | tuple):
        for item in recipe:
            yield from parts_of(item, interface)
    elif isinstance(recipe, dict):
        known, name = registry().entries, recipe.get("use")
        if (interface, str(name)) in known:
            yield known[interface, str(name)]
        else:
            yield from (entry for (_, other), entry in known.items() if other == name)
        for key, item in recipe.items():
            yield from parts_of(item, _INTERFACE.get(str(key), interface))


@cache
def commit(folder: Path) -> str:
    """The commit that is checked out; "unknown" if no repository tracks the folder."""

    def git(*arguments: str) -> str:
        result = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
        return result.stdout.strip()

    try:  # the folder may be inside another project's repository that does not track it
        return (git("ls-files", ".") and git("describe", "--always", "--dirty")) or UNKNOWN
    except OSError:
        return UNKNOWN


@cache
def package_sha256(module: str) -> str:
    """``files_sha256`` of the package that contains a module; "unknown" for a package without files."""
    names = module.partition(":")[0].split(".")
    for end in range(1, len(names) + 1):
        try:
            spec = importlib.util.find_spec(".".join(names[:end]))
        except (ImportError, ValueError):
            return UNKNOWN
        if spec is None or (spec.origin is not None and not Path(spec.origin).is_file()):
            return UNKNOWN
        if spec.origin is not None:  # a namespace package has no origin: continue with its subpackage
            return files_sha256(Path(spec.origin).parent if spec.submodule_search_locations else Path(spec.origin))
    return UNKNOWN


def files_sha256(root: Path) -> str:
    """SHA-256 of a file, or of the names and bytes of all files in a folder except compiled Python."""
    names = [root.name] if root.is_file() else sorted(_names(root))
    folder = root.parent if root.is_file() else root
    digest = hashlib.sha256()
    for name in names:
        digest.update(name.encode() + b"\0" + bytes.fromhex(sha256(folder / name)))
    return digest.hexdigest()


def _names(root: Path) -> Iterator[str]:
    for folder, _, names in os.walk(root, followlinks=True):  # a symbolic link in a clone is a real folder in a wheel
        relative = Path(folder).relative_to(root)
        if "__pycache__" not in relative.parts:
            yield from ((relative / name).as_posix() for name in names if not name.endswith(".pyc"))


def _machine(device: "torch.device | None") -> str:
    processor = platform.processor() or platform.machine()
    if device is None:
        return f"{processor}, {os.cpu_count()} cores"
    import torch

    name = torch.cuda.get_device_name(device) if device.type == "cuda" else processor
    return f"{name}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, {device.type}"
