"""Lengths in mm by the command ``measure``, and what was asked for in the same lengths."""

import json
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palsykit.commands import typer_command
from palsykit.errors import PalsykitError
from palsykit.faces import measures
from palsykit.faces.measures import Halves
from palsykit.registry import registry

COMMAND = "measure"
DOCUMENT, CSV, OVERLAYS = "measures.json", "measures.csv", "overlays"
SCALES = ("iris", "pupils")

Cells = list[list[str | float]]

ASKED: dict[str, tuple[tuple[str, ...], Callable[..., Halves]]] = {
    "brow_height": (("brow_height",), measures.brow_height),
    "palpebral_fissure": (("palpebral_fissure", "lid_gap"), measures.palpebral_fissure),
    "corner_depth": (("corner_depth",), measures.commissure_depth),
}
"""What the page compares: its name -> the command's names for it, and the length itself."""


def available() -> bool:
    """Whether an installed plugin has the command."""
    return COMMAND in registry().commands


def run_measure(target: Path, output: Path, *options: str) -> dict[str, Any]:
    """Run the command on a photograph or a folder; its document.

    What it prints is not shown: the lengths of a person are nobody's business who reads the terminal.

    Args:
        target: a photograph, or a folder of them.
        output: a folder for results; photographs that it knows already are not read again.
        options: as on the command line.

    Raises:
        PalsykitError: no plugin has the command, or it refuses; ``problems`` are the reasons for each photograph.
    """
    if not available():
        raise PalsykitError(f"no installed plugin has the command {COMMAND}; `palsykit plugins` lists them")
    command = typer_command(registry().commands[COMMAND])
    with redirect_stdout(StringIO()):
        command.main([str(target), "--output", str(output), *options], prog_name=COMMAND, standalone_mode=False)
    document: dict[str, Any] = json.loads((output / DOCUMENT).read_text(encoding="utf-8"))
    return document


def rows_of(photograph: dict[str, Any]) -> Cells:
    """One photograph of the document as rows: name, right, left, difference (mm); what has no halves is left out."""
    rows: Cells = []
    for name, parts in photograph["measures"].items():
        if "right" in parts and "left" in parts:
            rows.append([name, *(_mm(parts[part]["value"]) for part in ("right", "left", "difference"))])
    return rows


def asked_lengths(rest: NDArray[np.float64], asked: NDArray[np.float64]) -> dict[str, Halves]:
    """The lengths of ``asked`` [68, 2] in mm, by the scale of ``rest`` [68, 2]: 63 mm between the pupils."""
    unit = float(measures.px_per_mm(rest))
    return {name: length(asked, unit) for name, (_, length) in ASKED.items()}


def asked_and_measured(asked: dict[str, Halves], photograph: dict[str, Any]) -> Cells:
    """Rows: name, asked right, measured right, asked left, measured left, asked difference, measured difference; mm."""
    rows: Cells = []
    for name, wanted in asked.items():
        found = next((photograph["measures"][key] for key in ASKED[name][0] if key in photograph["measures"]), None)
        if found is None:
            continue
        cells: list[str | float] = [name]
        for part in ("right", "left", "difference"):
            value = float(getattr(wanted, part))
            cells += [_mm(max(value, 0.0) if name == "palpebral_fissure" and part != "difference" else value)]
            cells += [_mm(found[part]["value"])]
        rows.append(cells)
    return rows


def table_of(document: dict[str, Any]) -> tuple[list[str], Cells]:
    """All photographs as one table: heads, and a row for each; the difference is left less right, mm."""
    names = list(dict.fromkeys(name for one in document["photographs"] for name in one["measures"]))
    parts = [(name, part) for name in names for part in ("right", "left", "difference", "whole")]
    used = [(n, p) for n, p in parts if any(p in one["measures"].get(n, {}) for one in document["photographs"])]
    rows: Cells = []
    for one in document["photographs"]:
        lengths = [one["measures"].get(n, {}).get(p, {}).get("value") for n, p in used]
        rows.append([one["file"], one["expression"], *("" if v is None else _mm(v) for v in lengths)])
    return [f"{name} {part}" for name, part in used], rows


def refused(document: dict[str, Any], names: Sequence[str] = ()) -> list[tuple[str, str]]:
    """(file, reason) of the photographs that could not be used."""
    return [(one["path"], one["reason"]) for one in document["rejected"] if not names or one["path"] in names]


def _mm(value: float) -> float:
    return round(float(value), 1) + 0.0  # never -0.0
