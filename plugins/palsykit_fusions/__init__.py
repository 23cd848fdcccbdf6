"""Ways in which conditions meet, one file each: the plain ones that a new one has to beat."""

from palsykit import hookimpl
from palsykit.hookspecs import Register


@hookimpl
def palsykit_register_fusions(register: Register) -> None:
    register("concatenation", "palsykit_fusions.concatenation:Concatenation")
    register("modulation", "palsykit_fusions.modulation:Modulation")
    register("gated_sum", "palsykit_fusions.gated_sum:GatedSum")
    register("decoupled", "palsykit_fusions.decoupled:Decoupled")
    register("dcface", "palsykit_fusions.dcface:DcFace")
