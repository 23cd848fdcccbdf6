"""Measure photographed faces in mm, side by side, with intervals from a test of the landmark network."""

from palsykit import hookimpl
from palsykit.hookspecs import RegisterCommand


@hookimpl
def palsykit_register_commands(register: RegisterCommand) -> None:
    register(
        "measure",
        "palsykit_measure.command:command",
        help="Measure faces in photographs in mm, side by side; no grade and no diagnosis.",
    )
