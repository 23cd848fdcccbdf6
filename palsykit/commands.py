"""Convert a plugin's command for typer; used by the command line and by ``palsykit.testing``."""

from typing import Any

import typer

from palsykit.errors import PalsykitError
from palsykit.registry import Entry


def typer_command(entry: Entry) -> Any:
    """Import a registered command and let typer read its parameters.

    Raises:
        PalsykitError: its module cannot be imported, or typer cannot read the function's parameters.
    """
    command = entry.load()
    try:
        if isinstance(command, typer.Typer):
            return typer.main.get_command(command)
        app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
        app.command(entry.name)(command)
        return typer.main.get_command(app)
    except Exception as error:  # a plugin's function may have any annotations
        raise PalsykitError(f"{entry} cannot be read by typer: {type(error).__name__}: {error}") from error
