"""``palsykit run``: run a recipe, from data to report."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from palsykit.cli.arguments import Overrides, RecipeFile
from palsykit.commands import resumable
from palsykit.errors import PalsykitError


def command(
    recipe: RecipeFile,
    overrides: Overrides = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="DIR", help="The run's folder; default: runs/NAME.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start again, even if the folder holds a run.")] = False,
) -> None:
    """Train, synthesise, measure and report. A stopped run is resumed from its last checkpoint."""
    if output is not None and output.exists() and not output.is_dir():
        raise PalsykitError(f"--output {output}: a file, expected a new folder or a run's folder to resume")
    words = ["palsykit", "run", str(recipe), *(word for value in overrides or [] for word in ("--set", value))]
    words += [] if output is None else ["--output", str(output)]
    with resumable(f"Resume the run from its last checkpoint with: {shlex.join(words)}"):
        _run(recipe, overrides or [], output, fresh)


def _run(path: Path, overrides: list[str], output: Path | None, fresh: bool) -> None:
    from palsykit.progress import speaks
    from palsykit.recipe.light import read_recipe
    from palsykit.run.folder import RunFolder, nothing_to_do

    # Problems of the recipe, and that its run is finished, are said before torch is imported, which takes seconds.
    recipe = read_recipe(path, overrides)
    folder = output or Path("runs") / recipe.name
    if not fresh and nothing_to_do(folder, recipe):
        if speaks():
            _say_finished(RunFolder(folder).report)
        return

    from palsykit.recipe import load_recipe
    from palsykit.run import run_recipe

    summary = run_recipe(load_recipe(path, overrides), folder, fresh)
    if not speaks():
        return
    if summary.already_done:
        _say_finished(summary.report)
    else:
        print(f"Report: {summary.report}")


def _say_finished(report: Path) -> None:
    print(f"Nothing to do: this run is finished. Its report: {report}")
