"""Hashes of pictures, by which caches know them."""

import hashlib

from torch import Tensor


def row_keys(images: Tensor) -> tuple[bytes, ...]:
    """One hash per row of pictures [B, 3, H, W], of pixels and size; that of the view they are from, if it has them."""
    if (known := getattr(images, "row_keys", None)) is not None:
        found: tuple[bytes, ...] = known
        return found
    pixels = images.detach().cpu().contiguous()
    size = repr(pixels.shape[1:]).encode()
    return tuple(hashlib.blake2b(size + row.numpy().tobytes(), digest_size=16).digest() for row in pixels)
