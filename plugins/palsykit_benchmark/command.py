"""``palsykit benchmark``: systems compared on the same people by the same judges."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from palsykit.cli.arguments import Overrides
from palsykit.errors import PalsykitError

if TYPE_CHECKING:
    from palsykit_benchmark.write import Written

DEFAULT = Path("recipes/benchmark.yaml")

Names = list[str] | None


def command(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="A benchmark's recipe: a YAML file.")] = DEFAULT,
    overrides: Overrides = None,
    systems: Annotated[
        Names, typer.Option("--system", metavar="NAME", help="This system; may be given again. All if omitted.")
    ] = None,
    data: Annotated[
        Names, typer.Option("--data", metavar="NAME", help="This data set; may be given again. All if omitted.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="DIR", help="Runs, pictures, results; runs/benchmarks/NAME if omitted."),
    ] = None,
    kept: Annotated[
        Path | None,
        typer.Option("--runs", metavar="DIR", help="Another benchmark's folder, to share its runs and pictures."),
    ] = None,
    measure_only: Annotated[
        bool, typer.Option("--measure-only", help="Train nothing: show what is finished already.")
    ] = False,
    page: Annotated[
        Path | None, typer.Option("--page", metavar="FILE", help="Put the tables into this Markdown page as well.")
    ] = None,
) -> None:
    """Train and compare systems: tables, tests and pictures in one report. A stopped benchmark is gone on with.

    A job that fails is reported, the others go on, and the exit code is 1.
    """
    if output is not None and output.exists() and not output.is_dir():
        raise PalsykitError(f"--output {output}: a file, expected a folder to make or to go on in")
    if kept is not None and not kept.is_dir():
        raise PalsykitError(
            f"--runs {kept}: no folder, expected that of another benchmark, such as runs/benchmarks/NAME"
        )
    said = _said(recipe, overrides, systems, data, output, kept)
    try:
        written = _run(recipe, overrides or [], systems or [], data or [], output, kept, measure_only, page, said)
    except KeyboardInterrupt:
        print(f"\nStopped. What is done is kept; go on with: {said}", file=sys.stderr)
        raise typer.Exit(130) from None
    if _show(written):
        raise typer.Exit(1)


def _said(recipe: Path, overrides: Names, systems: Names, data: Names, output: Path | None,
          kept: Path | None) -> str:  # fmt: skip
    """The command line that does the same again."""
    given = [
        ("--set", overrides),
        ("--system", systems),
        ("--data", data),
        ("--output", [str(output)] if output else None),
        ("--runs", [str(kept)] if kept else None),
    ]
    return shlex.join(
        ["palsykit", "benchmark", str(recipe), *(w for flag, of in given for v in of or [] for w in (flag, v))]
    )


def _run(recipe: Path, overrides: list[str], systems: list[str], data: list[str], output: Path | None,
         kept: Path | None, measure_only: bool, page: Path | None, said: str) -> "Written":  # fmt: skip
    from palsykit_benchmark.plan import load_benchmark

    plan = load_benchmark(
        recipe, overrides, systems, data
    )  # before torch's own seconds: a recipe's problems come first

    from palsykit_benchmark.write import run_benchmark

    folder = output or Path("runs") / "benchmarks" / plan.name
    return run_benchmark(plan, folder, said, measure_only, page, kept)


def _show(written: "Written") -> bool:
    """Prints the tables and what failed; gives whether anything did."""
    from rich.console import Console

    from palsykit_benchmark.tables import terminal_table

    console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
    for table in written.tables:
        console.print(terminal_table(table, written.results))
    for failure in written.results.failed:
        print(f"FAILED {failure.what}: {failure.error}\n  all of it: {failure.trace}")
    print(f"Report: {written.report} (beside it results.jsonl, tables.md, tables.tex, tables.csv)")
    return bool(written.results.failed)
