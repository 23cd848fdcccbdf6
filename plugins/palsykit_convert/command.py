"""``palsykit convert``: convert other projects' files to palsykit's formats."""

from pathlib import Path
from typing import Annotated

import typer

from palsykit.errors import PalsykitError

app = typer.Typer(
    help="Convert other projects' files to palsykit's formats.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def options() -> None:
    """Options of all conversions: none. This makes ``weights`` a subcommand, although it is the only one."""


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
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing DEST.")] = False,
) -> None:
    """Convert a checkpoint's weights to safetensors. Only tensors are read; no code in the file is run."""
    if target.suffix != ".safetensors":
        raise PalsykitError(f"{target}: suffix {target.suffix or 'missing'}, expected .safetensors")
    if target.exists() and not force:
        raise PalsykitError(f"{target}: already exists; choose another name, or overwrite it with --force")

    from palsykit_convert.conversion import convert_weights

    result = convert_weights(source, target, layout)
    dropped = ", ".join(result.dropped) or "nothing"
    print(f"{target}: {result.tensors} tensors. Left out: {dropped}. Card: {result.card}")
    print(f"Licence: {result.layout.licence}.")
    print(f"For a recipe (replace NAME by the network's name):\n\n{result.recipe(str(target.resolve()))}", end="")
