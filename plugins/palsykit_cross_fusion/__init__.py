"""The fusion ``cross``: CFCPalsy's ring of cross-attentions between conditions."""

from palsykit import hookimpl
from palsykit.hookspecs import Register


@hookimpl
def palsykit_register_fusions(register: Register) -> None:
    register("cross", "palsykit_cross_fusion.fusion:CrossFusion")
