"""``palsykit run``: a recipe from data to report."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from palsykit.cli.arguments import Overrides, RecipeFile
from palsykit.errors import PalsykitError


def command(
    recipe: RecipeFile,
    overrides: Overrides = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="DIR", help="The run's folder; runs/NAME if omitted.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew, even where a run is in the folder.")] = False,
) -> None:
    """Train, synthesise, measure and report. A stopped run is gone on with where it left off."""
    if output is not None and output.exists() and not output.is_dir():
        raise PalsykitError(f"--output {output}: a file, expected a folder to make or to go on in")
    try:
        _run(recipe, overrides or [], output, fresh)
    except KeyboardInterrupt:
        words = ["palsykit", "run", str(recipe), *(word for value in overrides or [] for word in ("--set", value))]
        words += [] if output is None else ["--output", str(output)]
        print(f"\nStopped. The run goes on from its last checkpoint with: {shlex.join(words)}", file=sys.stderr)
        raise typer.Exit(130) from None


def _run(path: Path, overrides: list[str], output: Path | None, fresh: bool) -> None:
    from palsykit.progress import speaks
    from palsykit.recipe.load import load_recipe, read_written
    from palsykit.run.folder import RunFolder, nothing_to_do

    name, written = read_written(path, overrides)
    folder = output or Path("runs") / name
    if not fresh and nothing_to_do(folder, written):  # known without torch's own seconds
        if speaks():
            _say_finished(RunFolder(folder).report)
        return
    recipe = load_recipe(path, overrides)  # before torch's own seconds: a recipe's problems come first

    from palsykit.run import run_recipe

    summary = run_recipe(recipe, output or Path("runs") / recipe.name, fresh)
    if not speaks():
        return
    if summary.already_done:
        _say_finished(summary.report)
    else:
        print(f"Report: {summary.report}")


def _say_finished(report: Path) -> None:
    print(f"Nothing to do: this run is finished. Its report: {report}")
