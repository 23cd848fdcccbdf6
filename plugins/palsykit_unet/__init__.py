"""diffusers' conditional U-Net as a denoiser, and PyTorch's own attention as a backend that runs on every device."""

from palsykit import hookimpl
from palsykit.hookspecs import Register


@hookimpl
def palsykit_register_denoisers(register: Register) -> None:
    register("unet", "palsykit_unet.denoiser:UNet")


@hookimpl
def palsykit_register_attention(register: Register) -> None:
    register("sdpa", "palsykit_unet.attention:Sdpa")
