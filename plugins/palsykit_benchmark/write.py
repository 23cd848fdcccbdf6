"""Run a benchmark and write its results: JSON lines, tables and the page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from palsykit.files.atomic import make_folder, write_text
from palsykit.recipe.yaml_rules import dump
from palsykit.report.tables import put_section
from palsykit_benchmark.facts import facts_of
from palsykit_benchmark.figures import Table, tables
from palsykit_benchmark.inference import TESTS
from palsykit_benchmark.jobs import Results, work_through
from palsykit_benchmark.lines import csv_text, json_lines
from palsykit_benchmark.page import render
from palsykit_benchmark.plan import Plan
from palsykit_benchmark.tables import LEGEND, latex_tables, section


@dataclass(frozen=True)
class Written:
    """A finished benchmark.

    Attributes:
        report: the page's path.
        tables: the tables on it.
        results: what was measured and what failed.
    """

    report: Path
    tables: list[Table]
    results: Results


def run_benchmark(
    plan: Plan, folder: Path, command: str, measure_only: bool = False, page: Path | None = None,
    runs: Path | None = None,
) -> Written:  # fmt: skip
    """Do the unfinished jobs of a plan, and write all results again.

    Args:
        plan: from ``load_benchmark``.
        folder: of runs, pictures and results; the same folder resumes an interrupted benchmark.
        command: the command line that the tables name.
        measure_only: train nothing; show what is finished.
        page: a Markdown page that gets the tables as a section with the benchmark's name.
        runs: the folder of another benchmark, to reuse its runs and pictures; None uses ``folder``.

    Raises:
        PalsykitError: the recipe names a figure that no judge has.
    """
    make_folder(folder)
    write_text(folder / "benchmark.yaml", dump(plan.text))
    results = work_through(plan, folder, runs or folder, measure_only)
    all_tables, facts = tables(plan, results), facts_of(plan)
    text = section_of_page(plan, all_tables, results, command, facts)
    write_text(folder / "results.jsonl", json_lines(plan, all_tables, results))
    write_text(folder / "tables.csv", csv_text(all_tables))
    write_text(folder / "tables.tex", latex_tables(plan, all_tables, results))
    write_text(folder / "tables.md", text + "\n")
    write_text(folder / "report.html", render(plan, all_tables, results, command, facts))
    if page is not None and all_tables:
        put_section(page, plan.name, text)
    return Written(folder / "report.html", all_tables, results)


def section_of_page(
    plan: Plan, all_tables: Sequence[Table], results: Results, command: str, facts: Mapping[str, str]
) -> str:
    """The tables as a section of a page."""
    provenance = "; ".join(f"{name} {value}" for name, value in facts.items())
    parts = [f"## {plan.name}", " ".join(plan.settings.about.split()), f"    {command}", f"Made of: {provenance}."]
    parts += [LEGEND, "Tests: " + "; ".join(f"{kind}: {words}" for kind, words in TESTS.items()) + "."]
    if results.failed:
        lines = [f"- {failure.what}: {failure.error}" for failure in results.failed]
        parts.append("\n".join(["Failed, and not in the tables:", "", *lines]))
    parts += [section(table, results) for table in all_tables]
    return "\n\n".join(part for part in parts if part)
