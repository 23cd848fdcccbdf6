"""Preprocessing on tensors against Pillow's, which the models were trained with."""

import numpy as np
import pytest
import torch
from PIL import Image

from palsykit.faces.alignment import ARCFACE_CROP
from palsykit.foreign.preprocessing import Preprocessing

MEAN, STD = (0.48, 0.46, 0.41), (0.27, 0.26, 0.28)
FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "box": Image.Resampling.BOX,
}


def pixels(side: int) -> np.ndarray:
    """[side, side, 3] uint8: smooth shapes and a hard edge."""
    y, x = np.mgrid[:side, :side] / side
    channels = [np.sin(9 * x + 3 * y), np.cos(7 * y * x), np.where(x > 0.6, 1.0, -1.0) * y]
    return np.uint8(127.5 + 127 * np.stack(channels, -1))


def view(picture: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 127.5 - 1


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "nearest"])
@pytest.mark.parametrize("side", [40, 112, 200])
def test_it_is_pillows_resize_and_centre_crop(side: int, interpolation: str) -> None:
    picture = pixels(side)
    expected = Image.fromarray(picture).resize((80, 80), FILTERS[interpolation]).crop((8, 8, 72, 72))
    expected = (np.asarray(expected) / 255 - MEAN) / STD
    seen = Preprocessing(64, 80, interpolation, MEAN, STD)(view(picture))
    assert seen.shape == (1, 3, 64, 64)
    # Pillow rounds to 8 bits after each of two passes
    difference = np.abs(seen[0].permute(1, 2, 0).numpy() - expected) * STD * 255
    assert difference.max() < 2.0
    assert difference.mean() < 0.6


def test_box_is_pillows_where_it_shrinks() -> None:
    picture = pixels(128)
    expected = np.asarray(Image.fromarray(picture).resize((32, 32), FILTERS["box"])) / 255
    seen = Preprocessing(32, 32, "box", (0, 0, 0), (1, 1, 1))(view(picture))
    np.testing.assert_allclose(seen[0].permute(1, 2, 0), expected, atol=1.1 / 255)


def test_a_picture_of_the_right_size_keeps_its_pixels() -> None:
    picture = pixels(32)
    seen = Preprocessing(32, 32, "bicubic", (0, 0, 0), (1, 1, 1), scale=1.0)(view(picture))
    np.testing.assert_allclose(seen[0].permute(1, 2, 0), picture, atol=1e-4)


def test_the_parts_of_a_picture() -> None:
    size = 200
    ramp = torch.linspace(-1, 1, size).expand(1, 3, size, size)  # grows with x
    ends = {}
    for crop in ("config", "frame", "arcface"):
        seen = Preprocessing(64, 80, "bilinear", (0, 0, 0), (1, 1, 1), crop=crop)(ramp)
        ends[crop] = (float(seen[0, 0, 32, 0]), float(seen[0, 0, 32, -1]))
    left, _, side = ARCFACE_CROP
    assert ends["frame"] == pytest.approx((0.0, 1.0), abs=0.01)
    assert ends["config"] == pytest.approx((0.1, 0.9), abs=0.01), "64 of 80 px, from the middle"
    assert ends["arcface"] == pytest.approx((left, left + side), abs=0.01)


@pytest.mark.parametrize("crop", ["config", "frame", "arcface"])
def test_gradients_reach_the_picture(crop: str) -> None:
    image = torch.zeros(2, 3, 48, 48, requires_grad=True)
    Preprocessing(32, 40, "bicubic", MEAN, STD, crop=crop)(image).sum().backward()
    assert image.grad is not None
    inner = image.grad[:, :, 12:36, 12:36]
    assert bool((inner > 0).all())


def test_what_cannot_be_says_what_was_expected() -> None:
    with pytest.raises(ValueError, match=r"crop of 64 px from 32 px; expected a crop inside"):
        Preprocessing(64, 32, "bicubic", MEAN, STD)
    with pytest.raises(ValueError, match=r"'lanczos' is not reproduced here; expected one of nearest, bilinear"):
        Preprocessing(64, 64, "lanczos", MEAN, STD)
    with pytest.raises(ValueError, match=r"expected\s+three values each"):
        Preprocessing(64, 64, "bicubic", (0.5,), STD)
