"""The codec ``autoencoder``: the latents of diffusers' AutoencoderKL and AutoencoderTiny."""

from pathlib import Path
from typing import Any, Literal, cast

import torch
from diffusers import AutoencoderKL, AutoencoderTiny
from torch import Tensor, nn

from palsykit.foreign.diffusers_models import load

CLASSES = {"AutoencoderKL": AutoencoderKL, "AutoencoderTiny": AutoencoderTiny}
DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}


class Autoencoder(nn.Module):
    """Latents z = (E(x) - shift) * scale (Rombach et al., arXiv:2112.10752), with shift and scale of the configuration.

    E is the mean of the encoder's distribution, not a draw from it: the same picture has the same latents. Scaled
    latents have a standard deviation of about 1.

    Args:
        image_size: side of the pictures in px; not used.
        weights: the autoencoder's folder, a pipeline's folder that contains it (as ``vae``), or a .safetensors file.
        config: for a file: the folder with its config.json; null: beside the file.
        slicing: decode one picture after another, which needs the memory of one.
        tiling: encode and decode in overlapping tiles, for pictures that do not fit into memory. It changes pixels.
        precision: of decoding. fp16 and bf16 need half the memory. Some decoders (SDXL's) overflow in fp16: a picture
            that is not finite is decoded again in fp32.

    Raises:
        PalsykitError: ``weights`` has no model of this kind.
    """

    bounded, spread = False, 1.0

    def __init__(
        self,
        image_size: int,
        *,
        weights: Path,
        config: Path | None = None,
        slicing: bool = False,
        tiling: bool = False,
        precision: Literal["fp32", "bf16", "fp16"] = "fp32",
    ):
        super().__init__()
        self.model = cast(Any, load(weights, CLASSES, config))
        found = self.model.config
        self.channels = int(found.latent_channels)
        self.shift, self.scale = float(found.get("shift_factor") or 0.0), float(found.scaling_factor)
        self.factor = int(getattr(self.model, "spatial_scale_factor", 2 ** (len(found.block_out_channels) - 1)))
        self.decoding = DTYPES.get(precision)
        if slicing:
            self.model.enable_slicing()
        if tiling:
            self.model.enable_tiling()

    def encode(self, image: Tensor) -> Tensor:
        """image [B, 3, H, W] in [-1, 1] -> latents [B, C, h, w]."""
        result = self.model.encode(image)
        latents = result.latents if hasattr(result, "latents") else result.latent_dist.mode()
        return cast(Tensor, (latents - self.shift) * self.scale)

    def decode(self, latents: Tensor) -> Tensor:
        """latents [B, C, h, w] -> image [B, 3, H, W]."""
        z = latents / self.scale + self.shift
        if self.decoding is None:
            return cast(Tensor, self.model.decode(z).sample)
        with torch.autocast(z.device.type, dtype=self.decoding):
            image = self.model.decode(z).sample.float()
        whole = torch.isfinite(image.detach()).flatten(1).all(1)
        if bool(whole.all()):
            return cast(Tensor, image)
        again = iter(self.model.decode(z[~whole]).sample)
        return torch.stack([row if fine else next(again) for row, fine in zip(image, whole.tolist(), strict=True)])
