"""Photographs in folders as data sets, and the command that prepares and checks data sets."""

from palsykit import hookimpl
from palsykit.hookspecs import Register, RegisterCommand


@hookimpl
def palsykit_register_datasets(register: Register) -> None:
    register("aflfp", "palsykit_datasets.aflfp:aflfp")
    register("folder", "palsykit_datasets.folder:folder")
    register("imagefolder", "palsykit_datasets.imagefolder:imagefolder")
    register("joined", "palsykit_datasets.joined:joined")
    register("meei", "palsykit_datasets.meei:meei")
    register("webmorph", "palsykit_datasets.webmorph:webmorph")


@hookimpl
def palsykit_register_commands(register: RegisterCommand) -> None:
    register(
        "data",
        "palsykit_datasets.data_command:app",
        help="Data sets: prepare one from photographs or renders, and check what is missing.",
    )
