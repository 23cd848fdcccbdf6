"""Vision models of Hugging Face transformers, from a local folder; extra ``transformers``."""

from palsykit import hookimpl
from palsykit.hookspecs import Register


@hookimpl
def palsykit_register_networks(register: Register) -> None:
    register("transformers", "palsykit_transformers.network:TransformersNetwork")
