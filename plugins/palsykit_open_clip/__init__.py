"""Image towers of open_clip, read from a folder on this machine; extra ``clip``."""

from palsykit import hookimpl
from palsykit.hookspecs import Register


@hookimpl
def palsykit_register_networks(register: Register) -> None:
    register("open_clip", "palsykit_open_clip.network:OpenClipNetwork")
