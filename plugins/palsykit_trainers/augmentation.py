"""Augmentation of faces that keeps their labels true: light, position and, if asked, the camera change; no flip.

A flip swaps left and right in the labels. Core does it: the key ``flip`` of a training (palsykit.training.batches), off
by default.
"""

from typing import Literal

import torch
from torch import Tensor

from palsykit.interfaces import FaceBatch, FaceView
from palsykit.seeds import integers, uniform
from palsykit_trainers.camera import photographed

Augment = bool | Literal["camera"]
"""A trainer's key ``augment``: not at all, brightness and contrast and shift, or the whole camera."""

BRIGHTNESS = 0.2
"""Largest value added to or subtracted from a picture in [-1, 1]."""
CONTRAST = 0.25
"""The contrast's factor is 1 plus or minus at most this."""
SHIFT = 0.06
"""Largest shift in each direction, as a fraction of the side; in whole px."""


def truth(batch: FaceBatch) -> FaceView:
    """The photographs on which a network is fitted: the targets, or the drivers if there are no targets."""
    return batch.driver if batch.target is None else batch.target


def augmented(view: FaceView, generator: torch.Generator, augment: Augment = True) -> FaceView:
    """Change brightness and contrast of each row at random, and shift it together with its points.

    Pixels that come in from outside repeat the border. ``generator`` is on the CPU. With "camera", see
    ``palsykit_trainers.camera``; with False nothing changes.
    """
    if augment is False:
        return view
    if augment == "camera":
        return photographed(view, generator)
    count, _, height, width = view.image.shape
    most = round(SHIFT * min(height, width))
    brightness, contrast = (uniform((count, 2, 1, 1, 1), generator) * 2 - 1).to(view.image.device).unbind(1)
    shift = integers(-most, most + 1, (count, 2), generator).to(view.image.device)
    mean = view.image.mean((1, 2, 3), keepdim=True)
    lit = (view.image - mean) * (1 + CONTRAST * contrast) + mean + BRIGHTNESS * brightness
    further = None if view.further is None else view.further + shift[:, None]
    return FaceView(_moved(lit.clamp(-1, 1), shift), view.landmarks + shift[:, None], view.labels, further)


def _moved(image: Tensor, shift: Tensor) -> Tensor:
    """Shift row i of [B, 3, H, W] by shift[i] = (right, down) px."""
    height, width = image.shape[-2:]
    x = (torch.arange(width, device=image.device) - shift[:, :1]).clamp(0, width - 1)
    y = (torch.arange(height, device=image.device) - shift[:, 1:]).clamp(0, height - 1)
    rows = torch.arange(len(image), device=image.device)[:, None, None]
    return image[rows, :, y[:, :, None], x[:, None, :]].permute(0, 3, 1, 2)  # (B, H, W, 3) -> (B, 3, H, W)
