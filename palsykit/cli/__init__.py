"""The command line: one module a subcommand; what is heavy is imported when a subcommand runs."""

import sys

from palsykit.errors import PalsykitError


def main() -> None:
    """Runs the command line; a problem of the user's is one message on standard error and exit code 2."""
    from palsykit.cli.app import app

    try:
        app(prog_name="palsykit")
    except PalsykitError as error:
        print(f"palsykit: {error}", file=sys.stderr)
        sys.exit(2)
