"""Intervals of measured lengths, from the errors that the network made where the truth is known."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from palsykit.errors import PalsykitError
from palsykit_measure.lengths import BY_NAME

FILE = Path(__file__).with_name("errors.json")
"""Written by benchmarks/landmark_bias.py --errors; names its command and the network's weights."""

KINDS = {"right": "side", "left": "side", "difference": "difference", "whole": "whole"}
"""Part of a measure -> the kind of error in the table."""


@dataclass(frozen=True)
class ErrorTable:
    """Errors of one network, found less true, in mm where the pupils are 63 mm apart.

    Attributes:
        facts: the table as written: ``command``, ``weights``, ``pictures``, ``people``, ``share``, ``measures``.
        weights: fingerprint of the network that is used now.
    """

    facts: dict[str, Any]
    weights: str

    @cached_property
    def fits(self) -> bool:
        """Whether the errors are those of the network that is used."""
        return bool(self.facts.get("weights") == self.weights)

    @cached_property
    def sentence(self) -> str:
        """What the intervals are, for every output."""
        if not self.fits:
            return (
                "No intervals: the errors of this landmark network were not measured (benchmarks/landmark_bias.py "
                "--errors measures them)."
            )
        facts = self.facts
        return (
            f"Intervals: in {100 * facts['share']:g} % of {facts['pictures']} test pictures of {facts['people']} "
            "people, healthy and with simulated palsies (grades III to VI), the true length lay in such an interval. "
            "They hold the network's errors there, not those of scale, head turn or this camera."
        )

    def interval(self, name: str, part: str, value: float) -> tuple[float, float] | None:
        """Lower and upper bound of a measured length in mm; None without a table of this network."""
        bounds = self.facts.get("measures", {}).get(name, {}).get(KINDS[part]) if self.fits else None
        if bounds is None:
            return None
        low, high = value - bounds[1], value - bounds[0]
        if BY_NAME[name].positive and part != "difference":
            low, high = max(0.0, low), max(0.0, high)
        return low, high


def load_errors(weights: str, file: Path = FILE) -> ErrorTable:
    """The table of errors, for the network with these weights.

    Raises:
        PalsykitError: the file cannot be read.
    """
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PalsykitError(f"{file}: cannot be read ({error}); install palsykit again") from error
    return ErrorTable(facts, weights)
