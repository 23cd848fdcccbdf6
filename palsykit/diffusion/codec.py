"""The space in which diffusion runs: pictures, or the latents of a codec (Rombach et al., arXiv:2112.10752).

Loss, guess and sampler work in this space; conditions, metrics and results are pictures. ``CodecSpace`` is the codec as
a model has it. Like a shared network it is not an ``nn.Module``, so that no state dict, EMA or optimiser contains the
codec's weights.
"""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from palsykit.diffusion.features import FeatureCache, Features
from palsykit.faces.keys import row_keys
from palsykit.files import weights
from palsykit.interfaces import Codec, Map

PROBE_PX = 64
"""Side of the picture whose latents tell apart codecs with the same weights and other settings, and devices."""


class Pixels:
    """No codec: diffusion runs on the pictures themselves.

    Args:
        image_size: side of the pictures in px; not used.
    """

    channels, factor, bounded, spread = 3, 1, True, 0.5

    def __init__(self, image_size: int = 0):
        pass

    def encode(self, image: Tensor) -> Tensor:
        """The picture itself."""
        return image

    def decode(self, latents: Tensor) -> Tensor:
        """The picture itself."""
        return latents


class CodecSpace:
    """A codec, frozen, with a cache of the latents of pictures.

    A picture's latents are computed for the picture alone, in full precision. So they do not depend on the other rows,
    and latents from the disk equal computed ones to the last bit.

    Args:
        codec: the codec; None: ``Pixels``.
        folder: where latents are kept between runs; None: only in memory. Pictures that are encoded in inference mode,
            such as users' photographs, are never written.
        device: of the codec's weights.
    """

    def __init__(self, codec: Codec | None = None, folder: Path | None = None, device: torch.device | None = None):
        self.codec: Codec = Pixels() if codec is None else codec
        self.is_pixels = isinstance(self.codec, Pixels)
        self._folder, self._device, self._memory = folder, device or torch.device("cpu"), FeatureCache()
        if isinstance(self.codec, nn.Module):
            self.codec.to(self._device).eval().requires_grad_(False)

    def __deepcopy__(self, memo: dict[int, Any]) -> "CodecSpace":
        return self  # a copy of a model (its EMA) has the same frozen codec

    @property
    def channels(self) -> int:
        """Channels of the latents."""
        return self.codec.channels

    @property
    def factor(self) -> int:
        """Side of a picture, divided by the side of its latents."""
        return self.codec.factor

    @property
    def bounded(self) -> bool:
        """Whether latents are in [-1, 1]."""
        return self.codec.bounded

    @property
    def spread(self) -> float:
        """Standard deviation of photographs' latents about 0."""
        return self.codec.spread

    def shape(self, image: Tensor) -> tuple[int, ...]:
        """The shape (C, h, w) of the latents of one of the pictures [B, 3, H, W]."""
        return (self.channels, *(side // self.factor for side in image.shape[-2:]))

    def encode(self, image: Tensor, grad: bool = False) -> Tensor:
        """Pictures [B, 3, H, W] in [-1, 1] -> latents [B, C, h, w]; from the cache, unless ``grad``."""
        if self.is_pixels:
            return image
        if grad:
            with torch.autocast(image.device.type, enabled=False):
                return self.codec.encode(image.float())
        keep = not torch.is_inference_mode_enabled()
        keys = row_keys(image)
        return self._memory.features(image, lambda rows: self._read(rows, keys, keep), keys)["latents"]

    def decode(self, latents: Tensor) -> Tensor:
        """Latents [B, C, h, w] -> pictures [B, 3, H, W] in [-1, 1]; differentiable."""
        if self.is_pixels:
            return latents
        with torch.autocast(latents.device.type, enabled=False):
            return self.codec.decode(latents.float()).clamp(-1, 1)

    def map_channels(self, part: Map, is_guess: bool = False) -> int:
        """The number of channels of a map over the latents."""
        return self.channels if self._is_picture(part, is_guess) else part.channels * self.factor**2

    def lay(self, part: Map, values: Tensor, is_guess: bool = False, grad: bool = False) -> Tensor:
        """A map's channels [B, C, H, W] over the latents, [B, C', h, w].

        A picture is encoded. Of other channels every pixel becomes a channel of its own (pixel-unshuffle, Shi et al.,
        arXiv:1609.05158), so that a line keeps its exact place.
        """
        if self._is_picture(part, is_guess):
            return self.encode(values, grad)
        return values if self.factor == 1 else F.pixel_unshuffle(values, self.factor)

    @cached_property
    def fingerprint(self) -> str:
        """The first 12 digits of the SHA-256 of the weights; "" for pictures and for a codec without weights."""
        module = self.codec if isinstance(self.codec, nn.Module) else None
        return "" if module is None or not module.state_dict() else weights.state_digest({"weights": module})[:12]

    @cached_property
    def _home(self) -> Path | None:
        """The folder of this codec's latents, on this kind of device."""
        if self._folder is None:
            return None
        probe = torch.linspace(-1, 1, 3 * PROBE_PX**2, device=self._device).view(1, 3, PROBE_PX, PROBE_PX)
        found = self.codec.encode(probe).float().cpu().contiguous().numpy().tobytes()
        return self._folder / hashlib.sha256(self.fingerprint.encode() + found).hexdigest()[:16]

    def _read(self, images: Tensor, keys: Sequence[bytes], keep: bool) -> Features:
        """Latents of each picture, from the disk if they are there; ``keep``: write those that are not."""
        home = self._home if keep else None
        return {"latents": torch.cat([self._row(images[i : i + 1], key, home) for i, key in enumerate(keys)])}

    def _row(self, image: Tensor, key: bytes, home: Path | None) -> Tensor:
        file = None if home is None else home / key.hex()[:2] / f"{key.hex()}.safetensors"
        if file is not None and (stored := _stored(file)) is not None:
            return stored.to(image.device)
        latents = self.codec.encode(image.float())
        if file is not None:
            weights.save({"latents": latents}, file)
        return latents

    def _is_picture(self, part: Map, is_guess: bool) -> bool:
        return is_guess or getattr(part, "is_picture", False)


def _stored(file: Path) -> Tensor | None:
    """The latents in a file; None if there is none, or a damaged one, which is then written again."""
    try:
        return weights.load(file)[0]["latents"]
    except (OSError, ValueError, KeyError):
        return None
