"""``palsykit convert``: other people's files as palsykit's own."""

from pathlib import Path
from typing import Annotated

import typer

from palsykit.errors import PalsykitError

app = typer.Typer(help="Turn other people's files into palsykit's own.", no_args_is_help=True)


@app.callback()
def options() -> None:
    """What holds for every conversion."""


@app.command("weights")
def weights(
    source: Annotated[
        Path,
        typer.Argument(metavar="SRC", help="A checkpoint: .ckpt, .pth, .pt or .safetensors.", show_default=False),
    ],
    target: Annotated[Path, typer.Argument(metavar="DEST", help="A .safetensors file.", show_default=False)],
    layout: Annotated[
        str,
        typer.Option(
            "--layout",
            metavar="NAME",
            help="The public layout of SRC; an unknown name lists those that the networks offer.",
            show_default=False,
        ),
    ],
    force: Annotated[bool, typer.Option("--force", help="Write over an existing DEST.")] = False,
) -> None:
    """Convert a checkpoint's weights to safetensors. Tensors are read, nothing in the file is run."""
    if target.suffix != ".safetensors":
        raise PalsykitError(f"{target}: suffix {target.suffix or 'missing'}, expected .safetensors")
    if target.exists() and not force:
        raise PalsykitError(f"{target}: is there already; choose another name, or write over it with --force")

    from palsykit.conversion.convert import convert_weights

    made = convert_weights(source, target, layout)
    print(f"{target}: {made.tensors} tensors. Left out: {', '.join(made.dropped) or 'nothing'}. Card: {made.card}")
    print(f"Licence: {made.layout.licence}.")
    print(f"In a recipe, with the network's name there for NAME:\n\n{made.recipe(str(target.resolve()))}", end="")
