"""The command line: one module a subcommand; what is heavy is imported when a subcommand runs."""

import sys
from typing import NoReturn

from palsykit.errors import PalsykitError, of_the_system


def main() -> None:
    """Runs the command line; a problem of the user's is one message on standard error and exit code 2."""
    from palsykit.cli.app import app

    try:
        app(prog_name="palsykit")
    except PalsykitError as error:
        _refuse(error)
    except OSError as error:
        if (known := of_the_system(error)) is None:
            raise
        _refuse(known)


def _refuse(error: PalsykitError) -> NoReturn:
    print(f"palsykit: {error}", file=sys.stderr)
    sys.exit(2)
