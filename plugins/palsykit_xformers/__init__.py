"""xformers' memory-efficient attention as a backend; extra ``xformers``."""

import logging

from palsykit import hookimpl
from palsykit.hookspecs import Register

# xformers built for another torch logs a banner whenever it is imported, which diffusers does on its own. The kernels
# that PyTorch brings run all the same, and `backend.py` says which are used, so the banner is hidden. Plugins are
# imported before any part that needs diffusers. Other warnings, and XFORMERS_MORE_DETAILS=1, go through.
logging.getLogger("xformers").addFilter(
    lambda record: bool(record.exc_info) or "can't load C++/CUDA extensions" not in record.getMessage()
)


@hookimpl
def palsykit_register_attention(register: Register) -> None:
    register("xformers", "palsykit_xformers.backend:Xformers")
