"""What commands share: a plugin's command converted for typer, and how a long command is stopped and resumed."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer

from palsykit.errors import PalsykitError, of_the_system
from palsykit.registry import Entry
from palsykit.stopping import stoppable


@contextmanager
def resumable(advice: str) -> Iterator[None]:
    """Run a command that can be resumed: a signal stops it with exit code 128 + its number, and ``advice`` is printed.

    SIGINT, SIGTERM and SIGHUP let a training finish its step and save (palsykit.stopping).

    Raises:
        PalsykitError: the file system refused something, for example because the disk is full.
    """
    try:
        with stoppable():
            yield
    except OSError as error:
        if (known := of_the_system(error, advice)) is None:
            raise
        raise known from error
    except KeyboardInterrupt as stop:
        print(f"\nStopped. {advice}", file=sys.stderr)
        raise typer.Exit(128 + getattr(stop, "number", 2)) from None


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
