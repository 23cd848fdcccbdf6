"""``palsykit generate``: one picture from a trained run."""

from pathlib import Path
from typing import Annotated

import typer

from palsykit.cli.arguments import RunFolderArgument, existing_picture, existing_run
from palsykit.errors import PalsykitError


def command(
    run: RunFolderArgument,
    identity: Annotated[
        Path, typer.Option("--identity", metavar="IMAGE", help="Whose face: a square face crop.", show_default=False)
    ],
    driver: Annotated[
        Path, typer.Option("--driver", metavar="IMAGE", help="Whose expression: likewise.", show_default=False)
    ],
    seed: Annotated[int, typer.Option("--seed", help="Of the noise; the same seed gives the same picture.")] = 0,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="PNG", help="IDENTITY-DRIVER-SEED.png here if omitted.")
    ] = None,
    guidance: Annotated[
        float | None, typer.Option("--guidance", help="Classifier-free guidance; the recipe's if omitted, 1 is none.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over an existing output file.")] = False,
) -> None:
    """Synthesise one picture: this person, that face."""
    existing_run(run)
    existing_picture("--identity", identity)
    existing_picture("--driver", driver)
    target = writable(output or Path(f"{identity.stem}-{driver.stem}-{seed}.png"), force)

    from palsykit.run.front import load

    picture = load(run).generate(identity=identity, driver=driver, seed=seed, guidance=guidance)
    picture.save(target, format="PNG")
    print(target)


def writable(target: Path, force: bool) -> Path:
    """``target``, where a PNG may be written.

    Raises:
        PalsykitError: no PNG, no such folder, or a file that is there already and no ``--force``.
    """
    if target.suffix.lower() != ".png":
        raise PalsykitError(f"--output {target}: suffix {target.suffix or 'missing'}, expected .png")
    if not target.parent.is_dir():
        raise PalsykitError(f"--output {target}: there is no folder {target.parent}; make it first")
    if target.is_dir() or (target.exists() and not force):
        step = "choose another name" if target.is_dir() else "choose another --output, or write over it with --force"
        raise PalsykitError(f"--output {target}: is there already; {step}")
    return target
