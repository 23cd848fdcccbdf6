"""``palsykit verify``: is a run as it was made?"""

from pathlib import Path
from typing import Annotated

import typer

from palsykit.cli.arguments import RunFolderArgument, existing_run
from palsykit.errors import PalsykitError


def command(
    run: RunFolderArgument,
    images: Annotated[
        int, typer.Option("--images", metavar="N", min=0, help="Also synthesise N of its pictures again and compare.")
    ] = 0,
) -> None:
    """Compare a run's files with the hashes of when they were made. Exit code 2 if a file is missing or was changed."""
    existing_run(run)

    from palsykit.run.exported import is_exported
    from palsykit.run.manifest import changed, read, require_model

    hashes = read(run)
    if not hashes:
        raise PalsykitError(
            f"{run}: has no manifest.json to compare with: an earlier version made it, or no stage is finished; resume "
            f"it with palsykit run {run / 'recipe.yaml'} --output {run}"
        )
    if is_exported(run):
        require_model(run)
    elif faults := changed(run):
        raise PalsykitError(
            f"{run}: not as it was made; what can be made again is made again by: palsykit run {run / 'recipe.yaml'} "
            f"--output {run}",
            [f"{name}: {fault}" for files in faults.values() for name, fault in files.items()],
        )
    print(f"{run}: {sum(map(len, hashes.values()))} files are as they were made")
    if images:
        _compare_pictures(run, images)


def _compare_pictures(run: Path, count: int) -> None:
    from palsykit.run import pictures_again

    levels = pictures_again(run, count)
    print(f"{run}: {len(levels)} pictures made again; they differ by at most {max(levels)} of 255")
    if max(levels) > 1:
        raise PalsykitError(
            f"{run}: pictures made again differ by more than 1 of 255: another version of a library or another machine "
            "made them, or its data are others; verify on the machine that made them, or run again with --fresh"
        )
