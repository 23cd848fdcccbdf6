"""Results as CSV and as tables on the screen."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from palsykit.cli.table import table
from palsykit.data.rejections import printable
from palsykit.faces.vocabulary import EXPRESSIONS
from palsykit.files.csv_text import csv_text
from palsykit.report import words
from palsykit_measure.lengths import BY_NAME, LENGTHS, has_direction

PARTS = ("right", "left", "difference", "whole")
NOTE = "research; no grade of a patient, no diagnosis"
SHORT = {
    "brow_height": "brow",
    "palpebral_fissure": "fissure",
    "lid_gap": "lid gap",
    "corner_depth": "corner",
    "corner_excursion": "excursion",
    "lower_lip_depression": "lower lip",
    "lip_opening": "opening",
}
"""Columns of the table of the eight; right and left each."""


def csv_of(photographs: Sequence[dict[str, Any]]) -> str:
    """One line per photograph and measure."""
    bounds = [f"{part}{end}" for part in PARTS for end in ("", "_low", "_high")]
    rows = []
    for one in photographs:
        for name, parts in one["measures"].items():
            numbers = [_plain(parts.get(part, {}).get(key)) for part in PARTS for key in ("value", "low", "high")]
            who = [printable(one["file"]), one["subject"] or "", one["expression"], name, "mm"]
            rows.append([*who, *numbers, one["scale"]["by"], NOTE])
    return csv_text(["file", "subject", "expression", "measure", "unit", *bounds, "scale", "note"], rows)


def _plain(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def eight_csv(photographs: Sequence[dict[str, Any]]) -> str:
    """One line per person and expression of the eight, also for those that were not photographed."""
    columns = [(length.name, part) for length in LENGTHS for part in PARTS]
    sided = [(name, part) for name, part in columns if _has(photographs, name, part)]
    rows = []
    for subject, shown in by_person(photographs).items():
        for expression in EXPRESSIONS:
            one = shown.get(expression)
            cells = ["" if one is None else _plain(_value(one, name, part)) for name, part in sided]
            file = "" if one is None else printable(one["file"])
            rows.append([subject, expression, file, *cells, NOTE])
    return csv_text(["subject", "expression", "file", *(f"{name}_{part}" for name, part in sided), "note"], rows)


def by_person(photographs: Sequence[dict[str, Any]]) -> dict[str, dict[str, dict[str, Any]]]:
    """{subject: {expression of the eight: its first photograph}}, in order."""
    people: dict[str, dict[str, dict[str, Any]]] = {}
    for one in photographs:
        shown = people.setdefault(one["subject"] or "", {})
        if one["expression"] in EXPRESSIONS:
            shown.setdefault(one["expression"], one)
    return {subject: shown for subject, shown in people.items() if shown}


def _has(photographs: Sequence[dict[str, Any]], name: str, part: str) -> bool:
    return any(part in one["measures"].get(name, {}) for one in photographs)


def _value(one: dict[str, Any], name: str, part: str) -> float | None:
    value: float | None = one["measures"].get(name, {}).get(part, {}).get("value")
    return value


def of_photograph(one: dict[str, Any]) -> str:
    """All lengths of one photograph."""
    rows = []
    for name, parts in one["measures"].items():
        shown = ("whole",) if "whole" in parts else PARTS[:3]
        cells = [with_bounds(parts.get(part), has_direction(name, part)) for part in shown]
        cells += [""] * (3 - len(cells))
        rows.append((BY_NAME[name].words, *cells))
    who = ", ".join(part for part in (one["subject"], words.expression(one["expression"])) if part)
    head = ("mm", "subject's right", "subject's left", "left - right")
    return f"{one['file']} ({who})\n{table(head, rows)}"


def with_bounds(found: dict[str, float] | None, signed: bool = False) -> str:
    """``9.6 (8.1 to 11.0)``."""
    if found is None:
        return ""
    sign = "+" if signed else ""
    text = f"{_zero(found['value']):{sign}.1f}"
    if "low" in found:
        text += f" ({_zero(found['low']):{sign}.1f} to {_zero(found['high']):{sign}.1f})"
    return text


def _zero(value: float) -> float:
    """The value as it is shown, without "-0.0"."""
    return round(value, 1) + 0.0


def of_people(photographs: Sequence[dict[str, Any]]) -> str:
    """Means over people, an expression and a length a line: of each side, of both with their range, of the difference.

    Every person counts once with each expression, by the first photograph of it.
    """
    people = by_person(photographs)
    rows: list[tuple[str, ...]] = []
    for expression in EXPRESSIONS:
        shown = [shots[expression] for shots in people.values() if expression in shots]
        for name in (length.name for length in LENGTHS):
            cells = _over_people([one["measures"][name] for one in shown if name in one["measures"]])
            if cells:
                rows.append((words.expression(expression), BY_NAME[name].words, *cells))
    head = (
        "expression",
        "mm",
        "n",
        "right",
        "left",
        "both or whole: mean, sd",
        "5 % to 95 %",
        "left - right: mean, sd",
    )
    return f"{len(people)} people\n{table(head, rows)}"


def _over_people(found: Sequence[dict[str, dict[str, float]]]) -> tuple[str, ...]:
    """The cells of one line; empty without anybody."""
    if not found:
        return ()
    values = {part: np.array([one[part]["value"] for one in found if part in one]) for part in PARTS}
    both = values["whole"] if len(values["whole"]) else np.concatenate([values["right"], values["left"]])
    if not len(both):
        return ()
    sides = [f"{values[side].mean():.1f}" if len(values[side]) else "" for side in ("right", "left")]
    apart = values["difference"]
    low, high = np.quantile(both, (0.05, 0.95))
    difference = f"{_zero(apart.mean()):+.1f}, {apart.std():.1f}" if len(apart) else ""
    return str(len(found)), *sides, f"{both.mean():.1f}, {both.std():.1f}", f"{low:.1f} to {high:.1f}", difference


def of_eight(subject: str, shown: dict[str, dict[str, Any]]) -> str:
    """The standard eight of one person: right / left in mm."""
    names = [name for name in SHORT if any(name in one["measures"] for one in shown.values())]
    rows = []
    for expression in EXPRESSIONS:
        one = shown.get(expression)
        if one is None:
            rows.append((words.expression(expression), "not photographed", *[""] * len(names)))
            continue
        cells = []
        for name in names:
            right, left = (_value(one, name, side) for side in ("right", "left"))
            cells.append("" if right is None or left is None else f"{_zero(right):.1f} / {_zero(left):.1f}")
        rows.append((words.expression(expression), one["file"], *cells))
    title = f"{subject or 'the standard eight'}: subject's right / left, mm"
    return f"{title}\n{table(('expression', 'photograph', *(SHORT[name] for name in names)), rows)}"
