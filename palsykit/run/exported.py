"""What an exported folder has beside a run's files, and what is asked of it before it is opened."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from palsykit.errors import PalsykitError

INDEX, MODULE, CARD = "model_index.json", "pipeline.py", "README.md"
"""The list of parts that diffusers reads, the module that diffusers runs, and the model card."""


def is_exported(folder: Path) -> bool:
    """Whether ``palsykit export`` wrote the folder."""
    return (folder / INDEX).is_file()


def listed_parts(resolved: Mapping[str, Any]) -> list[dict[str, str]]:
    """The parts that a recipe names and the distributions they come from, for ``require_parts``."""
    from palsykit.files.provenance import parts_of

    names = ("interface", "name", "distribution", "version")
    parts = sorted({tuple(str(getattr(entry, name)) for name in names) for entry in parts_of(resolved)})
    return [dict(zip(names, part, strict=True)) for part in parts]


def require_parts(folder: Path, listed: Any) -> None:
    """Refuse a folder whose parts are not all installed.

    Args:
        folder: for the message.
        listed: ``parts`` of its state.json, which a stranger may have written.

    Raises:
        PalsykitError: parts are missing; one line for each.
    """
    from palsykit.hookspecs import INTERFACES
    from palsykit.registry import SINGULAR, registry

    known, missing = registry(), []
    for part in listed if isinstance(listed, list) else []:
        if not isinstance(part, dict) or part.get("interface") not in INTERFACES:
            continue
        interface, name = str(part["interface"]), str(part.get("name"))
        if known.find(interface, name) is None:
            origin = f"{part.get('distribution')} {part.get('version')}"[:80]
            missing.append(f"{SINGULAR[interface]} {name[:80]!r}: of the package {origin!r}, says the folder")
    if missing:
        raise PalsykitError(
            f"{folder}: made with parts that no plugin has here; install the packages if you trust them, and look at "
            "`palsykit plugins`:",
            missing,
        )
