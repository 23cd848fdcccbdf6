"""Finds the licence of a folder of published weights and prints it once."""

from functools import cache
from pathlib import Path

import yaml

from palsykit.progress import say

UNKNOWN = "not stated in its folder: see where the weights came from before using or passing on what they make"


def licence(folder: Path) -> str:
    """The licence of the weights in ``folder``: from its model card, else the first line of a licence file."""
    card = folder / "README.md"
    if card.is_file() and (stated := _from_card(card.read_text(encoding="utf-8", errors="replace"))):
        return f"{stated} (README.md)"
    for file in sorted([*folder.glob("LICEN[CS]E*"), *folder.glob("licen[cs]e*")]):
        lines = (line.strip() for line in file.read_text(encoding="utf-8", errors="replace").splitlines())
        if first := next((line for line in lines if line), ""):
            return f"{first} ({file.name})"
    return UNKNOWN


@cache
def say_licence(library: str, folder: Path) -> None:
    """One line on standard error, the first time in a process that a folder's weights are used."""
    say(f"{library} weights {folder.name}: licence {licence(folder)}")


def _from_card(card: str) -> str | None:
    """``license_name``, else ``license``, of the YAML block that Hugging Face's model cards begin with."""
    if not card.startswith("---"):
        return None
    try:
        head = yaml.safe_load(card.split("---", 2)[1])
    except (yaml.YAMLError, IndexError):
        return None
    found = (head.get("license_name") or head.get("license")) if isinstance(head, dict) else None
    return str(found) if found else None
