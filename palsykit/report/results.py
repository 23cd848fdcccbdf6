"""The page of results: its title, what a figure should reach and what it depends on."""

import hashlib
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from palsykit.files.resources import locate

TITLE = """# Results

Written section by section, each by the command that it names; not edited by hand. A figure has its
95 % bootstrap interval over people, all of a person's pictures together, in brackets. The metrics' definitions are on
the cards in every report.
"""


@dataclass(frozen=True)
class Aim:
    """What a figure should reach: at least or at most a value, or more than another system has.

    Attributes:
        above: the other system.
        lower: whether less of the figure is better, so that to surpass is to be below.
    """

    least: float | None = None
    most: float | None = None
    above: str | None = None
    lower: bool = False

    def words(self) -> str:
        """As a table says it; "" without an aim."""
        said = [f"≥ {self.least:g}"] if self.least is not None else []
        said += [f"≤ {self.most:g}"] if self.most is not None else []
        return " and ".join(said + ([f"{'<' if self.lower else '>'} {self.above}"] if self.above else []))

    def reached(self, value: float, other: float | None = None) -> bool | None:
        """Whether a system's value reaches it; None without an aim, or without the other system's value."""
        if not self.words() or (self.above and other is None):
            return None
        better = other is None or (value < other if self.lower else value > other)
        least, most = self.least is None or value >= self.least, self.most is None or value <= self.most
        return bool(least and most and (not self.above or better))


def commit(root: Path) -> str:
    """The commit that is checked out, or "unknown" outside a clone."""
    command = ["git", "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"


def weights_of(networks: dict[str, dict[str, Any]], beside: Path) -> str:
    """The networks' files, each with the first digits of its SHA-256; "untrained" where none has any.

    Args:
        networks: by name, a recipe's resolved blocks.
        beside: the folder that relative paths start from.
    """
    named = [block.get("weights") for block in networks.values()]
    files = [locate(str(name), beside) for name in named if name is not None]
    said = [f"{file.stem} {hashlib.sha256(file.read_bytes()).hexdigest()[:12]}" for file in files]
    return ", ".join(said) or "untrained"
