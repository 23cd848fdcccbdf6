"""Arguments that several subcommands share, and their checks. Nothing here imports torch."""

from pathlib import Path
from typing import Annotated

import typer

from palsykit.errors import PalsykitError

RecipeFile = Annotated[Path, typer.Argument(metavar="RECIPE", help="A recipe: a YAML file.", show_default=False)]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change one value, for example train.steps=100 or fits.0.steps=10. VALUE is YAML. Can be repeated.",
        show_default=False,
    ),
]
RunFolderArgument = Annotated[
    Path, typer.Argument(metavar="RUN", help="A run's folder, for example runs/cfcpalsy.", show_default=False)
]


def existing_run(folder: Path) -> Path:
    """Return ``folder`` if it exists.

    Raises:
        PalsykitError: it does not exist; the message lists the runs beside it.
    """
    if folder.is_dir():
        return folder
    around = folder.parent if folder.parent.is_dir() else Path()
    runs = sorted(state.parent.name for state in around.glob("*/state.json"))
    hint = f"runs in {around}: {', '.join(runs)}" if runs else "`palsykit run RECIPE` creates one"
    problem = "not a folder" if folder.exists() else "no such folder"
    raise PalsykitError(f"{folder}: {problem}, expected a run; {hint}")


def existing_picture(option: str, path: Path) -> Path:
    """Return ``path`` if it is a file.

    Raises:
        PalsykitError: it is not; ``option`` is named in the message.
    """
    if not path.is_file():
        problem = "a folder" if path.is_dir() else "no such file"
        raise PalsykitError(f"{option} {path}: {problem}, expected a picture of a face (PNG or JPEG)")
    return path
