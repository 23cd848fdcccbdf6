"""Light augmentation of faces that leaves their labels true: light and position change, left and right never do.

Flips turn labels round, so they are core's: a training's key ``flip`` (palsykit.training.batches), off by default.
"""

import torch
from torch import Tensor

from palsykit.interfaces import FaceBatch, FaceView

BRIGHTNESS = 0.2
"""Added to a picture in [-1, 1], at most, either way."""
CONTRAST = 0.25
"""A picture's contrast is multiplied by 1 plus or minus at most this."""
SHIFT = 0.06
"""A picture is moved by at most this fraction of its side, in whole px, either way."""


def truth(batch: FaceBatch) -> FaceView:
    """The photographs a network is fitted on: the targets, or the drivers where there are none."""
    return batch.driver if batch.target is None else batch.target


def augmented(view: FaceView, generator: torch.Generator) -> FaceView:
    """Each row brighter or darker, with more or less contrast, and moved together with its landmarks.

    Pixels moved in from outside repeat the border. ``generator`` is on the CPU.
    """
    count, _, height, width = view.image.shape
    most = round(SHIFT * min(height, width))
    brightness, contrast = (torch.rand(2, count, 1, 1, 1, generator=generator) * 2 - 1).to(view.image.device)
    shift = torch.randint(-most, most + 1, (count, 2), generator=generator).to(view.image.device)
    mean = view.image.mean((1, 2, 3), keepdim=True)
    lit = (view.image - mean) * (1 + CONTRAST * contrast) + mean + BRIGHTNESS * brightness
    return FaceView(_moved(lit.clamp(-1, 1), shift), view.landmarks + shift[:, None], view.labels)


def _moved(image: Tensor, shift: Tensor) -> Tensor:
    """Row i of [B, 3, H, W] moved by shift[i] = (right, down) px."""
    height, width = image.shape[-2:]
    x = (torch.arange(width, device=image.device) - shift[:, :1]).clamp(0, width - 1)
    y = (torch.arange(height, device=image.device) - shift[:, 1:]).clamp(0, height - 1)
    rows = torch.arange(len(image), device=image.device)[:, None, None]
    return image[rows, :, y[:, :, None], x[:, None, :]].permute(0, 3, 1, 2)  # (B, H, W, 3) -> (B, 3, H, W)
