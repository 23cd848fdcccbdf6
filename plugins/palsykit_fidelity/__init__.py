"""torch-fidelity's Inception v3, the features behind published FID figures; extra ``fidelity``."""

from palsykit import hookimpl
from palsykit.hookspecs import Register


@hookimpl
def palsykit_register_networks(register: Register) -> None:
    register("inception", "palsykit_fidelity.inception:Inception")
