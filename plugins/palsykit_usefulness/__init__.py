"""Are synthetic faces useful? A classifier is trained on them and tested on real people that it has not seen."""

from palsykit import hookimpl
from palsykit.hookspecs import RegisterCommand


@hookimpl
def palsykit_register_commands(register: RegisterCommand) -> None:
    register(
        "usefulness",
        "palsykit_usefulness.command:command",
        help="Train a classifier on synthetic faces, real ones or both; test it on unseen people.",
    )
