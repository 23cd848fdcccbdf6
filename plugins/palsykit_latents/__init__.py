"""Codecs: pictures as they are, and the latents of diffusers' autoencoders, of which diffusion needs fewer."""

from palsykit import hookimpl
from palsykit.hookspecs import Register


@hookimpl
def palsykit_register_codecs(register: Register) -> None:
    register("pixels", "palsykit.diffusion.codec:Pixels")
    register("autoencoder", "palsykit_latents.autoencoder:Autoencoder")
