"""Pretrained denoisers from the user's disk: U-Nets (Stable Diffusion 1.5, 2.1, Arc2Face) and PixArt's transformer."""

from palsykit import hookimpl
from palsykit.hookspecs import Register


@hookimpl
def palsykit_register_denoisers(register: Register) -> None:
    register("pretrained_unet", "palsykit_pretrained.denoisers:pretrained_unet")
    register("pretrained_dit", "palsykit_pretrained.denoisers:pretrained_dit")
