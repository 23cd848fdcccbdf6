"""Photographs in folders as data sets."""

from palsykit import hookimpl
from palsykit.hookspecs import Register


@hookimpl
def palsykit_register_datasets(register: Register) -> None:
    register("aflfp", "palsykit_datasets.aflfp:aflfp")
    register("folder", "palsykit_datasets.folder:folder")
    register("imagefolder", "palsykit_datasets.imagefolder:imagefolder")
    register("meei", "palsykit_datasets.meei:meei")
    register("webmorph", "palsykit_datasets.webmorph:webmorph")
