"""Separate a person from the background; the London photographs have a plain, smoothly lit grey one."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_NEAR = 0.06  # a background pixel differs from the fitted surface by less in each channel
_CLOTH, _CLOTH_SPREAD = 0.7, 0.12  # white clothing: lowest value of the darkest channel, largest range of the channels


def _background(image: NDArray[np.float32], y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Largest channel difference [H, W] from a quadratic surface fitted to the background, robustly."""
    basis = np.stack([np.ones_like(x), x, y, x * x, y * y], -1).reshape(-1, 5)
    flat = image.reshape(-1, 3)
    chosen = ((y < -0.1) & (np.abs(x) > 0.36) | (y < -0.42)).ravel()
    distance = np.zeros(len(flat))
    for _ in range(6):
        surface = np.linalg.lstsq(basis[chosen], flat[chosen], rcond=None)[0]
        distance = np.abs(flat - basis @ surface).max(1)
        chosen = (distance < _NEAR) & (y < 0.3).ravel()
    return distance.reshape(y.shape)


def person(image: NDArray[np.float32], chin: float) -> NDArray[np.bool_]:
    """The person's mask [H, W] in a photograph [H, W, 3] in [0, 1], without white clothing below ``chin`` (px)."""
    height, width, _ = image.shape
    rows, columns = np.mgrid[0:height, 0:width]
    plain = _background(image, rows / height - 0.5, columns / width - 0.5) < _NEAR
    regions, _ = ndimage.label(plain)
    edges = np.concatenate([regions[0], regions[: height * 3 // 4, 0], regions[: height * 3 // 4, -1]])
    body = ndimage.binary_fill_holes(~np.isin(regions, np.unique(edges[edges > 0])))
    cloth = (image.min(-1) > _CLOTH) & (np.ptp(image, axis=-1) < _CLOTH_SPREAD) & (rows > chin)
    body = ndimage.binary_opening(body & ~ndimage.binary_opening(cloth, iterations=2), iterations=2)
    regions, _ = ndimage.label(body)
    return np.asarray(ndimage.binary_fill_holes(regions == regions[height // 2, width // 2]), dtype=np.bool_)


def extend(image: NDArray[np.float32], mask: NDArray[np.bool_], blur: float) -> NDArray[np.float32]:
    """Extend the colours under ``mask`` outwards, blurred by ``blur`` px, so that its edge has no fringe."""
    nearest = ndimage.distance_transform_edt(~mask, return_distances=False, return_indices=True)
    filled = image[tuple(nearest)]
    smooth = ndimage.gaussian_filter(filled, (blur, blur, 0))
    return np.where(mask[..., None], image, smooth).astype(np.float32)


def signed_distance(mask: NDArray[np.bool_], limit: float) -> NDArray[np.float32]:
    """Distance to the outline in px, positive inside, clipped to +-``limit``."""
    inside, outside = ndimage.distance_transform_edt(mask), ndimage.distance_transform_edt(~mask)
    return np.clip(inside - outside, -limit, limit).astype(np.float32)
