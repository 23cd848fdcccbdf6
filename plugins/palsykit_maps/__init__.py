"""Maps, conditions with one value per pixel: ``photograph``, ``outlines`` and ``warped``."""

from palsykit import hookimpl
from palsykit.hookspecs import Register


@hookimpl
def palsykit_register_maps(register: Register) -> None:
    register("photograph", "palsykit_maps.maps:Photograph")
    register("outlines", "palsykit_maps.maps:Outlines")
    register("warped", "palsykit_maps.maps:Warped")
