"""Image towers of open_clip, from a local folder; extra ``clip``."""

from palsykit import hookimpl
from palsykit.hookspecs import Register


@hookimpl
def palsykit_register_networks(register: Register) -> None:
    register("open_clip", "palsykit_open_clip.network:OpenClipNetwork")
