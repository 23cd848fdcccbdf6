"""Crops and enlarges a square part of pictures, for networks that were trained in another frame."""

import torch
import torch.nn.functional as F
from torch import Tensor


def crop_square(image: Tensor, left: float, top: float, side: float, size: int | None = None) -> Tensor:
    """image [B, C, H, W] -> its square part at the same size, bilinear; the edge is repeated beyond the picture.

    Args:
        image: pictures.
        left: left edge of the part, as a fraction of the picture's side.
        top: top edge of the part, likewise.
        side: side of the part, likewise.
        size: side of the result in px, [B, C, size, size]; None for the picture's own.
    """
    if size is not None and size < side * image.shape[-1]:  # bilinear samples would skip pixels
        whole = round(size / side)
        image = F.interpolate(image, size=(whole, whole), mode="bilinear", antialias=True)
    # affine_grid's coordinates of the picture are [-1, 1]: scale, then the centre of the part
    rows = [[side, 0.0, 2 * left + side - 1], [0.0, side, 2 * top + side - 1]]
    theta = torch.tensor(rows, dtype=image.dtype, device=image.device).expand(len(image), 2, 3)
    shape = list(image.shape) if size is None else [*image.shape[:2], size, size]
    grid = F.affine_grid(theta, shape, align_corners=False)
    return F.grid_sample(image, grid, padding_mode="border", align_corners=False)
