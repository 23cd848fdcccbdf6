"""Arguments that several subcommands take, and their checks that need nothing heavy."""

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
        help="Change one value, as in train.steps=100 or fits.0.steps=10; VALUE is YAML. May be given again.",
        show_default=False,
    ),
]
RunFolderArgument = Annotated[
    Path, typer.Argument(metavar="RUN", help="A run's folder, as in runs/cfcpalsy.", show_default=False)
]


def existing_run(folder: Path) -> Path:
    """``folder``, where it exists.

    Raises:
        PalsykitError: it does not; names the runs beside it.
    """
    if folder.is_dir():
        return folder
    around = folder.parent if folder.parent.is_dir() else Path()
    runs = sorted(state.parent.name for state in around.glob("*/state.json"))
    hint = f"in {around} there is {', '.join(runs)}" if runs else "`palsykit run RECIPE` makes one"
    raise PalsykitError(f"{folder}: {'no folder' if folder.exists() else 'no such folder'}, expected a run; {hint}")


def existing_picture(option: str, path: Path) -> Path:
    """``path``, where there is a file.

    Raises:
        PalsykitError: there is none.
    """
    if not path.is_file():
        found = "a folder" if path.is_dir() else "no such file"
        raise PalsykitError(f"{option} {path}: {found}, expected a picture of a face (PNG or JPEG)")
    return path
