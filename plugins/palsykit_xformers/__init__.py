"""xformers' memory-efficient attention as a backend; extra ``xformers``."""

from palsykit import hookimpl
from palsykit.hookspecs import Register


@hookimpl
def palsykit_register_attention(register: Register) -> None:
    register("xformers", "palsykit_xformers.backend:Xformers")
