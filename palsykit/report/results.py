"""The page of results: its title, its lines and what a figure depends on."""

import hashlib
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from palsykit.report.tables import WithInterval
from palsykit.resources import locate

TITLE = """# Results

Written by `benchmarks/reference.py` and `benchmarks/ablations.py`, section by section; not edited by hand. A figure
has its 95 % bootstrap interval (1,000 samples of people, all of a person's pictures together; 200 for aFID) in
brackets. The metrics' definitions are on the cards in every run's `report.html`.
"""


@dataclass(frozen=True)
class Aim:
    """What a figure of the model should reach: at least or at most a value, or more than the copy has."""

    least: float | None = None
    most: float | None = None
    above_copy: bool = False

    def words(self) -> str:
        if self.above_copy:
            return "> copy"
        return "" if self.least is self.most else f"≥ {self.least:g}" if self.least is not None else f"≤ {self.most:g}"

    def reached(self, model: WithInterval, copy: WithInterval) -> str:
        if self.above_copy:
            return "yes" if model.value > copy.value else "no"
        if self.least is not None:
            return "yes" if model.value >= self.least else "no"
        return "" if self.most is None else "yes" if model.value <= self.most else "no"


@dataclass(frozen=True)
class Line:
    """A row of the table: a figure, how it is called, its decimal places and what should be reached."""

    figure: str
    label: str
    digits: int = 3
    aim: Aim = Aim()
    lower: bool = False
    """Whether less of it is better."""


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
