"""Photographs in folders as data sets."""

from palsykit import hookimpl
from palsykit.hookspecs import Register


@hookimpl
def palsykit_register_datasets(register: Register) -> None:
    register("imagefolder", "palsykit_datasets.imagefolder:ImageFolder")
    register("webmorph", "palsykit_datasets.webmorph:WebmorphFolder")
