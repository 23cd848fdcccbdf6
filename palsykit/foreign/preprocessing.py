"""Prepares palsykit's pictures as another library's network expects them."""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from palsykit.faces.alignment import ARCFACE_CROP
from palsykit.faces.cropping import crop_square

Crop = Literal["config", "frame", "arcface"]
"""The part of a picture that a network sees: its own preprocessing's crop, the whole frame, or the ArcFace crop."""

Interpolation = Literal["nearest", "bilinear", "bicubic", "box"]

_ANTIALIASED = ("bilinear", "bicubic")


@dataclass(frozen=True)
class Preprocessing:
    """Resize, centre crop, rescale and normalise, as a model's configuration says; differentiable in the picture.

    Pillow's resampling is reproduced on tensors (with antialiasing, bicubic with a = -0.5), without its rounding to
    8 bits; a test holds the two together. Pictures in palsykit are square, so there is no aspect ratio to keep.

    Attributes:
        side: px that the network reads.
        resized: px that the picture is resized to before the centre crop to ``side``.
        interpolation: Pillow's name of the filter.
        mean: of each channel, subtracted from values that are multiplied by ``scale``.
        std: of each channel, divides the difference.
        scale: of 8-bit values; 1/255 for values from 0 to 1.
        crop: "config" for this; "frame" and "arcface" resize the whole picture or its ArcFace crop to ``side``.

    Raises:
        ValueError: for impossible sizes or an unknown filter.
    """

    side: int
    resized: int
    interpolation: Interpolation
    mean: tuple[float, ...]
    std: tuple[float, ...]
    scale: float = 1 / 255
    crop: Crop = "config"

    def __post_init__(self) -> None:
        if not 1 <= self.side <= self.resized:
            raise ValueError(f"a crop of {self.side} px from {self.resized} px; expected a crop inside the picture")
        if self.interpolation not in get_args(Interpolation):
            known = ", ".join(get_args(Interpolation))
            raise ValueError(f"interpolation {self.interpolation!r} is not reproduced here; expected one of {known}")
        if len(self.mean) != 3 or len(self.std) != 3:
            raise ValueError(
                f"mean {self.mean} and std {self.std}: expected three values each, for red, green and blue"
            )

    def __call__(self, image: Tensor) -> Tensor:
        """image [B, 3, H, W] in [-1, 1] -> [B, 3, side, side] in float32, as the network expects it."""
        picture = self._part((image.float() + 1) / 2).clamp(0, 1)  # bicubic overshoots; 8-bit pictures do not
        mean, std = (torch.tensor(v, device=image.device)[:, None, None] for v in (self.mean, self.std))
        seen: Tensor = (picture * 255 * self.scale - mean) / std
        return seen

    def _part(self, picture: Tensor) -> Tensor:
        if self.crop == "arcface":
            return crop_square(picture, *ARCFACE_CROP, size=self.side)
        if self.crop == "frame":
            return _resize(picture, self.side, self.interpolation)
        start = (self.resized - self.side) // 2
        whole = _resize(picture, self.resized, self.interpolation)
        return whole[..., start : start + self.side, start : start + self.side]


def _resize(picture: Tensor, side: int, interpolation: Interpolation) -> Tensor:
    if picture.shape[-2:] == (side, side):
        return picture
    if interpolation in _ANTIALIASED:
        return F.interpolate(picture, size=(side, side), mode=interpolation, antialias=True)
    return F.interpolate(picture, size=(side, side), mode="area" if interpolation == "box" else "nearest-exact")
