"""xformers' memory-efficient attention as a backend; extra ``xformers``."""

import logging

from palsykit import hookimpl
from palsykit.hookspecs import Register

# If xformers was built for another torch, it logs a banner when it is imported, and diffusers imports it. PyTorch's own
# kernels still work, and `backend.py` reports which kernels are used, so we hide the banner. This runs in time, because
# plugins are imported before any part that needs diffusers. Other warnings, and XFORMERS_MORE_DETAILS=1, are shown.
logging.getLogger("xformers").addFilter(
    lambda record: bool(record.exc_info) or "can't load C++/CUDA extensions" not in record.getMessage()
)


@hookimpl
def palsykit_register_attention(register: Register) -> None:
    register("xformers", "palsykit_xformers.backend:Xformers")
