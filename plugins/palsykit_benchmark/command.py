"""``palsykit benchmark``: systems compared on the same people by the same judges."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from palsykit.cli.arguments import Overrides
from palsykit.commands import resumable
from palsykit.errors import PalsykitError

if TYPE_CHECKING:
    from palsykit_benchmark.write import Written

DEFAULT = Path("recipes/benchmark.yaml")

Names = list[str] | None


def command(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="A benchmark's recipe: a YAML file.")] = DEFAULT,
    overrides: Overrides = None,
    systems: Annotated[
        Names, typer.Option("--system", metavar="NAME", help="Only this system; may be repeated. Default: all.")
    ] = None,
    data: Annotated[
        Names, typer.Option("--data", metavar="NAME", help="Only this data set; may be repeated. Default: all.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="DIR", help="Runs, pictures and results. Default: runs/benchmarks/NAME."),
    ] = None,
    runs: Annotated[
        Path | None,
        typer.Option("--runs", metavar="DIR", help="Another benchmark's folder, whose runs and pictures are reused."),
    ] = None,
    measure_only: Annotated[bool, typer.Option("--measure-only", help="Train nothing; show what is finished.")] = False,
    page: Annotated[
        Path | None, typer.Option("--page", metavar="FILE", help="Put the tables into this Markdown page, too.")
    ] = None,
) -> None:
    """Train and compare systems: tables, tests and pictures in one report. The same command resumes.

    If a job fails, it is reported, the others are done, and the exit code is 1.
    """
    if output is not None and output.exists() and not output.is_dir():
        raise PalsykitError(f"--output {output}: a file, expected a new folder or one to resume")
    if runs is not None and not runs.is_dir():
        raise PalsykitError(
            f"--runs {runs}: not a folder, expected that of another benchmark, such as runs/benchmarks/NAME"
        )
    again = _command_line(recipe, overrides, systems, data, output, runs)
    with resumable(f"Finished work is saved; resume with: {again}"):
        written = _run(recipe, overrides or [], systems or [], data or [], output, runs, measure_only, page, again)
    if _show(written):
        raise typer.Exit(1)


def _command_line(recipe: Path, overrides: Names, systems: Names, data: Names, output: Path | None,
          runs: Path | None) -> str:  # fmt: skip
    """The command line that resumes this benchmark."""
    given = [
        ("--set", overrides),
        ("--system", systems),
        ("--data", data),
        ("--output", [str(output)] if output else None),
        ("--runs", [str(runs)] if runs else None),
    ]
    return shlex.join(
        ["palsykit", "benchmark", str(recipe), *(w for flag, of in given for v in of or [] for w in (flag, v))]
    )


def _run(recipe: Path, overrides: list[str], systems: list[str], data: list[str], output: Path | None,
         runs: Path | None, measure_only: bool, page: Path | None, command_line: str) -> "Written":  # fmt: skip
    from palsykit_benchmark.plan import load_benchmark

    # Read the recipe before the import of torch, which takes seconds, so that problems are reported at once.
    plan = load_benchmark(recipe, overrides, systems, data)

    from palsykit_benchmark.write import run_benchmark

    folder = output or Path("runs") / "benchmarks" / plan.name
    return run_benchmark(plan, folder, command_line, measure_only, page, runs)


def _show(written: "Written") -> bool:
    """Print the tables and the failures; True if there are any failures."""
    from palsykit_benchmark.tables import section

    for table in written.tables:
        print(section(table, written.results), end="\n\n")
    for failure in written.results.failed:
        print(f"FAILED {failure.what}: {failure.error}\n  traceback: {failure.trace}")
    print(f"Report: {written.report} (beside it results.jsonl, tables.md, tables.tex, tables.csv)")
    return bool(written.results.failed)
