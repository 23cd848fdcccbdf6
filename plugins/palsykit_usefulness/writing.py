"""A study on disk: usefulness.jsonl (one line per point), usefulness.md (tables) and usefulness.svg (curves)."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from palsykit.files.atomic import write_text
from palsykit.report.figures import as_json
from palsykit.report.tables import cell, markdown, put_section
from palsykit_usefulness.plots import FewShot, Series, few_shot_svg
from palsykit_usefulness.study import BOTH, REAL, SYNTHETIC, Point, Study

LINES = {
    "expression_accuracy": ("expression accuracy", 3),
    "side_accuracy": ("affected side right, grade III up", 3),
    "severity_error": ("severity error, grades (lower is better)", 2),
}
"""Figure -> its label and decimal places, in tables and curves."""


def write(
    study: Study, folder: Path, command: str, facts: Mapping[str, str], about: str, page: Path | None = None
) -> str:
    """Write all three files; returns the tables.

    Args:
        study: the study.
        folder: where the files go.
        command: the command line that the tables name.
        facts: provenance, name -> value.
        about: who the real people are, in the recipe's words.
        page: a Markdown page that gets the tables as a section, too.
    """
    text = tables(study, command, facts, about)
    if page is not None:
        put_section(page, "usefulness", text)
    lines = [json.dumps({**_as_json(point), "command": command, **facts}) for point in study.points]
    write_text(folder / "usefulness.jsonl", "\n".join(lines) + "\n")
    write_text(folder / "usefulness.md", text + "\n")
    write_text(folder / "usefulness.svg", few_shot_svg(panels(study)))
    return text


def tables(study: Study, command: str, facts: Mapping[str, str], about: str) -> str:
    """The tables in Markdown."""
    photographs, people = study.test
    provenance = "; ".join(f"{name} {value}" for name, value in facts.items())
    names = [name for name in LINES if any(name in point.figures for point in study.points)]
    rows = [
        [_trained_on(point), _pictures(point), *(cell(point.figures.get(name), LINES[name][1]) for name in names)]
        for point in _ordered(study)
    ]
    best = [f"{study.constant[name]:.{LINES[name][1]}f}" if name in study.constant else "-" for name in names]
    labels = [LINES[name][0] for name in names]
    parts = [
        "## Are synthetic faces of use?",
        " ".join(about.split()),
        f"    {command}",
        f"Made of: {provenance}.",
        "A classifier is trained on real people, on synthetic ones, or on both, always for the same number of steps, "
        f"and tested on {photographs} photographs of {people} real people that it has not seen. Means over seeds; 95 % "
        "bootstrap intervals over the test people. `best constant` is the one answer that is best for all of them.",
        markdown(["trained on", "pictures", *labels], [*rows, ["best constant", "", *best]]),
    ]
    if gains := [point for point in _ordered(study) if point.gain]:
        rows = [
            [f"{point.people}", *(cell(point.gain.get(name), LINES[name][1], signed=True) for name in names)]
            for point in gains
        ]
        parts.append("What synthetic faces add to the same number of real people, paired over people:")
        parts.append(markdown(["real people", *labels], rows))
    if study.failed:
        parts.append("\n".join(["Not in the tables:", "", *(f"- {name}: {why}" for name, why in study.failed.items())]))
    return "\n\n".join(parts)


def _ordered(study: Study) -> list[Point]:
    order = (SYNTHETIC, REAL, BOTH)
    return sorted(study.points, key=lambda point: (point.people, order.index(point.system)))


def _trained_on(point: Point) -> str:
    if point.system == SYNTHETIC:
        return "synthetic alone (TSTR)"
    return f"{point.people} real people{' + synthetic' if point.system == BOTH else ''}"


def _pictures(point: Point) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in point.pictures.items())


def panels(study: Study) -> list[FewShot]:
    """One panel per figure: curves of real and real + synthetic over the number of real people; a line of synthetic."""
    curves = []
    for name, (label, _) in LINES.items():
        series = []
        for system in (REAL, BOTH, SYNTHETIC):
            points = [p for p in _ordered(study) if p.system == system and name in p.figures]
            if points:
                figures = [p.figures[name] for p in points]
                series.append(
                    Series(
                        system,
                        [p.people for p in points],
                        [f.value for f in figures],
                        [f.value if f.low is None else f.low for f in figures],
                        [f.value if f.high is None else f.high for f in figures],
                    )
                )
        if series:
            curves.append(FewShot(label, series, study.constant.get(name)))
    return curves


def _as_json(point: Point) -> dict[str, Any]:
    return {
        "system": point.system,
        "real_people": point.people,
        "seeds": point.seeds,
        "pictures": point.pictures,
        "figures": {name: as_json(figure) for name, figure in point.figures.items()},
        "gain": {name: as_json(figure) for name, figure in point.gain.items()},
    }
