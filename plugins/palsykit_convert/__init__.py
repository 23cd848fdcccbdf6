"""Convert other projects' checkpoints to palsykit's safetensors files."""

from palsykit import hookimpl
from palsykit.hookspecs import RegisterCommand


@hookimpl
def palsykit_register_commands(register: RegisterCommand) -> None:
    register("convert", "palsykit_convert.command:app", help="Convert other projects' files to palsykit's formats.")
