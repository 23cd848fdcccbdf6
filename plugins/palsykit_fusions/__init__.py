"""Baseline fusions, one file each: simple ways to combine conditions, which a new fusion must beat."""

from palsykit import hookimpl
from palsykit.hookspecs import Register


@hookimpl
def palsykit_register_fusions(register: Register) -> None:
    register("concatenation", "palsykit_fusions.concatenation:Concatenation")
    register("modulation", "palsykit_fusions.modulation:Modulation")
    register("gated_sum", "palsykit_fusions.gated_sum:GatedSum")
    register("decoupled", "palsykit_fusions.decoupled:Decoupled")
    register("dcface", "palsykit_fusions.dcface:DcFace")
