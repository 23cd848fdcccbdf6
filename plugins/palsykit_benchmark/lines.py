"""Results as data: JSON lines (one per job, failure, figure and comparison) and CSV."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from palsykit.files.csv_text import csv_text as as_csv
from palsykit.report.figures import as_json, finite
from palsykit_benchmark.figures import Comparison, Table
from palsykit_benchmark.jobs import Results
from palsykit_benchmark.plan import TRUTH, Plan


def json_lines(plan: Plan, tables: Sequence[Table], results: Results) -> str:
    """Every line, each with its ``kind``: job, failure, figure or comparison."""
    lines = (*_jobs(plan, results), *_failures(results), *_figures(tables), *_comparisons(tables))
    return "".join(json.dumps({"benchmark": plan.name, **line}, ensure_ascii=False) + "\n" for line in lines)


CSV = ("data", "protocol", "system", "seed", "figure", "value", "low", "high", "count", "people", "unit", "better",
       "bold", "difference", "difference_low", "difference_high", "test", "p", "p_holm", "verdict")  # fmt: skip


def csv_text(tables: Sequence[Table]) -> str:
    """One line per figure, system and seed; an empty seed is the mean over seeds, with interval and test."""
    against = {(c["data"], c["protocol"], c["system"], c["figure"]): c for c in _comparisons(tables)}
    rows = []
    for line in _figures(tables):
        key = (line["data"], line["protocol"], line["system"], line["figure"])
        tested: dict[str, Any] = against.get(key, {}) if line["seed"] is None else {}
        names = {"difference": "value", "difference_low": "low", "difference_high": "high"}
        apart = {name: tested[own] for name, own in names.items()} if tested else {}
        tests = {name: tested[name] for name in ("test", "p", "p_holm", "verdict") if tested}
        cells = {**line, **apart, **tests, "bold": "yes" if line["bold"] else ""}
        rows.append([cells.get(column, "") for column in CSV])
    return as_csv(CSV, rows)


def _jobs(plan: Plan, results: Results) -> Iterator[dict[str, Any]]:
    for job in plan.jobs:
        cost = results.cost.get((job.system, job.data), {}).get(job.seed)
        if cost is None:
            continue
        each = {place[1]: seconds for place, seconds in cost.synthesis.items()}
        yield {"kind": "job", "system": job.system, "data": job.data, "seed": job.seed, "training_images": cost.images,
               "training_seconds": cost.training, "parameters": cost.parameters, "synthesis_seconds_a_picture": each,
               "recipe_hash": cost.recipe_hash}  # fmt: skip


def _failures(results: Results) -> Iterator[dict[str, Any]]:
    for failure in results.failed:
        yield {"kind": "failure", "system": failure.system or None, "data": failure.data, "seed": failure.seed,
               "what": failure.what, "error": failure.error, "trace": str(failure.trace)}  # fmt: skip


def _figures(tables: Sequence[Table]) -> Iterator[dict[str, Any]]:
    """A null ``seed`` is the mean over a system's seeds, with its interval."""
    for table in tables:
        for line in table.lines:
            about = {"kind": "figure", "data": table.data, "protocol": table.protocol.name, "figure": line.figure,
                     "people": table.people, "unit": line.card.unit, "better": line.card.better}  # fmt: skip
            if (truth := table.truth.get(line.figure)) is not None:
                yield {**about, "system": TRUTH, "seed": None, **as_json(truth, finite_bounds=True), "bold": False}
            for system in table.systems:
                figure = table.values[system][line.figure]
                bold = table.bold.get(line.figure) == system
                yield {**about, "system": system, "seed": None, **as_json(figure, finite_bounds=True), "bold": bold}
                for seed, found in table.by_seed[system].items():
                    value = finite(found.get(line.figure))
                    yield {**about, "system": system, "seed": seed, "value": value, "low": None, "high": None,
                           "count": figure.count, "bold": False}  # fmt: skip


def _comparisons(tables: Sequence[Table]) -> Iterator[dict[str, Any]]:
    for table in tables:
        for system, by in table.against.items():
            for name, against in by.items():
                yield {"kind": "comparison", "data": table.data, "protocol": table.protocol.name, "system": system,
                       "reference": table.reference, "figure": name, "people": table.people,
                       **as_json(against.figure, finite_bounds=True), **_tested(against)}  # fmt: skip


def _tested(against: Comparison) -> dict[str, Any]:
    test = against.test
    return {
        "test": None if test is None else test.kind,
        "p": None if test is None else test.p,
        "p_holm": against.p_holm,
        "verdict": against.verdict or None,
    }
