"""diffusers' conditional U-Net as a denoiser, and PyTorch's own attention as the backend that runs everywhere."""

from palsykit import hookimpl


@hookimpl
def palsykit_register_denoisers(register):
    register("unet", "palsykit_unet.denoiser:UNet")


@hookimpl
def palsykit_register_attention(register):
    register("sdpa", "palsykit_unet.attention:Sdpa")
