"""The studio: a page in the browser for synthesis, data sets, runs and measures, for people who write no YAML."""

from palsykit import hookimpl
from palsykit.hookspecs import RegisterCommand


@hookimpl
def palsykit_register_commands(register: RegisterCommand) -> None:
    register(
        "studio",
        "palsykit_studio.command:command",
        help="Open a page in the browser: a photograph in, a palsy out, measured; nothing leaves the machine.",
    )
