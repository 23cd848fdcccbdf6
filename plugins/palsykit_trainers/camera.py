"""Photograph a batch of pictures again, badly: framing, light, colour, sharpness, noise and JPEG loss change at random.

A landmark network reads the crops of a face finder, made from any photograph. The magnitudes of the framing error are
those of the built-in finder's crops; the others are our own, wide enough for a phone in a dim room.
"""

from io import BytesIO

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from palsykit.interfaces import FaceView
from palsykit.seeds import normal, uniform

SHIFT, SCALE, ROLL = 0.04, 0.09, 7.0
"""Largest error of the framing: of the side, as a fraction, in degrees."""
GAIN, GAMMA, GRADIENT, CAST = 0.35, 0.3, 0.35, 0.12
"""Largest change of the light: of its logarithm, of the logarithm of gamma, to the edge, of a channel's logarithm."""
SHADOWS, DARKEST = 0.25, 0.65
"""Share of pictures with a shadow on one half, and the most light that it takes."""
GREYS, SATURATION = 0.1, 0.5
"""Share of grey pictures, and the largest change of colour in the others."""
SOFT, COARSEST = 0.5, 4.0
"""Share of pictures that come from a smaller one, and how many times smaller."""
NOISES, NOISE = 0.5, 0.06
"""Share of pictures with a sensor's noise, and its largest standard deviation in [0, 1]."""
LOSSY, JPEG = 0.6, (30, 95)
"""Share of pictures with JPEG loss, and the range of its quality."""


def photographed(view: FaceView, generator: torch.Generator) -> FaceView:
    """Photograph each row again at random; its points move with it, its labels stay.

    Pixels that come in from outside repeat the border. ``generator`` is on the CPU, and so is the work.
    """
    device, count = view.image.device, len(view)
    image, moves = _framed(view.image.cpu(), generator)
    image = _lit((image + 1) / 2, generator)
    image = _coloured(image, generator).clamp(0, 1)
    sides = _drawn(generator, count, SOFT, 1.0, COARSEST)
    noise = _drawn(generator, count, NOISES, 0.0, NOISE)
    quality = _drawn(generator, count, LOSSY, *JPEG)
    image = torch.stack([_smaller(row, factor) for row, factor in zip(image, sides, strict=True)])
    grain = normal(image.shape, generator)
    image = (image + torch.tensor([n or 0.0 for n in noise])[:, None, None, None] * grain).clamp(0, 1)
    image = torch.stack([_compressed(row, loss) for row, loss in zip(image, quality, strict=True)])
    landmarks = _moved(view.landmarks, moves, view.image.shape[-1])
    further = None if view.further is None else _moved(view.further, moves, view.image.shape[-1])
    return FaceView((image * 2 - 1).to(device), landmarks, view.labels, further)


def _uniform(generator: torch.Generator, *shape: int) -> Tensor:
    """Numbers from -1 to 1; the first dimension is the batch's."""
    return uniform(shape, generator) * 2 - 1


def _drawn(generator: torch.Generator, count: int, share: float, low: float, high: float) -> list[float | None]:
    """For a ``share`` of the rows a number from ``low`` to ``high``, otherwise None."""
    chance, place = uniform((count, 2), generator).unbind(1)
    return [low + (high - low) * p if c < share else None for c, p in zip(chance.tolist(), place.tolist(), strict=True)]


def _framed(image: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Shift, scale and roll each row: the pictures, and [B, 2, 3] that moves points in sides of the picture."""
    count = len(image)
    roll, scale = torch.deg2rad(ROLL * _uniform(generator, count)), (SCALE * _uniform(generator, count)).exp()
    turn = scale[:, None, None] * torch.stack(
        [torch.stack([roll.cos(), -roll.sin()], -1), torch.stack([roll.sin(), roll.cos()], -1)], 1
    )
    shift = SHIFT * _uniform(generator, count, 2, 1)
    back = torch.linalg.inv(turn)  # from the new picture to the old one, about the middle
    grid = F.affine_grid(torch.cat([back, -2 * back @ shift], 2), list(image.shape), align_corners=False)
    framed = F.grid_sample(image, grid, padding_mode="border", align_corners=False)
    middle = torch.full((2, 1), 0.5)
    return framed, torch.cat([turn, shift + middle - turn @ middle], 2)


def _moved(points: Tensor, moves: Tensor, side: int) -> Tensor:
    """Points [B, N, 2] px of pictures ``side`` px wide, moved by ``moves`` [B, 2, 3]."""
    linear, shift = moves[:, :, :2].to(points), moves[:, :, 2].to(points)
    return points @ linear.transpose(1, 2) + side * shift[:, None]


def _lit(image: Tensor, generator: torch.Generator) -> Tensor:
    """Change gain, gamma and the fall of light, and shade one half of some pictures; [B, 3, H, W] in [0, 1]."""
    count, _, height, width = image.shape
    gain, gamma = (
        (_uniform(generator, count, 2, 1, 1, 1) * torch.tensor([GAIN, GAMMA]).view(2, 1, 1, 1)).exp().unbind(1)
    )
    fall = GRADIENT * _uniform(generator, count, 2, 1, 1)
    direction = torch.pi * _uniform(generator, count, 1, 1)
    edge, soft, dark = ((_uniform(generator, count, 3, 1, 1) + 1) / 2).unbind(1)
    shaded = uniform((count, 1, 1), generator) < SHADOWS
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    light = 1 + fall[:, 0] * x + fall[:, 1] * y
    across = x * direction.cos() + y * direction.sin() - (edge - 0.5)
    shadow = 1 - DARKEST * dark * torch.sigmoid(across / (0.03 + 0.3 * soft))
    light = torch.where(shaded, light * shadow, light)
    return gain * light[:, None] * image.clamp(0, 1) ** gamma


def _coloured(image: Tensor, generator: torch.Generator) -> Tensor:
    """Cast a colour, change the saturation, and make some pictures grey."""
    count = len(image)
    cast = (CAST * _uniform(generator, count, 3, 1, 1)).exp()
    colour = 1 + SATURATION * _uniform(generator, count, 1, 1, 1)
    colour = torch.where(uniform((count, 1, 1, 1), generator) < GREYS, torch.zeros(()), colour)
    grey = image.mean(1, keepdim=True)
    return cast * (grey + colour * (image - grey))


def _smaller(row: Tensor, factor: float | None) -> Tensor:
    """A picture [3, H, W] as it looks when it was ``factor`` times smaller and has been enlarged."""
    if factor is None:
        return row
    side = row.shape[-1]
    small = F.interpolate(row[None], size=max(8, round(side / factor)), mode="bilinear", antialias=True)
    return F.interpolate(small, size=side, mode="bicubic")[0]


def _compressed(row: Tensor, quality: float | None) -> Tensor:
    """A picture [3, H, W] in [0, 1] after JPEG."""
    if quality is None:
        return row
    pixels = (row * 255).round().byte().permute(1, 2, 0).numpy()
    file = BytesIO()
    Image.fromarray(pixels).save(file, format="JPEG", quality=round(quality))
    with Image.open(file) as lossy:
        return torch.from_numpy(np.array(lossy)).permute(2, 0, 1) / 255
