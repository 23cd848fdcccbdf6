"""The command-line app: palsykit's own subcommands by name. Commands of plugins are added after them."""

from typing import Annotated

import typer

from palsykit import __version__
from palsykit.cli import check, doctor, evaluate, export, generate, plugins, run, show, trust, verify, whence
from palsykit.cli.commands import CommandLine

app = typer.Typer(
    cls=CommandLine,
    help="Synthesis of facial-palsy photographs: recipes, trained models, pictures and reports. Not for diagnosis.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"palsykit {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Options before the subcommand."""


for _name, _module in (
    ("run", run),
    ("check", check),
    ("show", show),
    ("generate", generate),
    ("evaluate", evaluate),
    ("verify", verify),
    ("export", export),
    ("trust", trust),
    ("whence", whence),
    ("doctor", doctor),
):
    app.command(_name)(_module.command)

app.add_typer(plugins.app, name="plugins")
