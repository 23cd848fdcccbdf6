"""xformers' memory-efficient attention as a backend; extra ``xformers``."""

import logging

from palsykit import hookimpl
from palsykit.hookspecs import Register

# A build of xformers for another torch prints a banner when anything imports it, as diffusers does. The backend asks
# the kernels themselves, so what the banner says reaches the user where it matters.
logging.getLogger("xformers").setLevel(logging.ERROR)


@hookimpl
def palsykit_register_attention(register: Register) -> None:
    register("xformers", "palsykit_xformers.backend:Xformers")
