"""From a photograph's file to the face frame: upright 8-bit RGB, resampled without aliasing."""

import math
import warnings
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from palsykit.data.imagefolder import FORMATS


def decode(data: bytes) -> Image.Image:
    """The photograph in a file's bytes, upright (its EXIF orientation applied), 8-bit RGB; transparency on white.

    Colours are taken to the sRGB space by the profile that a file carries. Pillow's bound on the number of pixels
    holds: a file that declares more is refused before anything is allocated.

    Raises:
        ValueError: if the bytes are not a picture, are cut short, or have an unknown range of values.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of doubtful metadata and of pictures that are merely large
            # whatever the file is called; Pillow's other readers, of which some run programs, stay shut
            with Image.open(BytesIO(data), formats=tuple(FORMATS)) as opened:
                picture = ImageOps.exif_transpose(opened)
                picture.load()
    except UnidentifiedImageError:
        raise ValueError("cannot be read as a picture: found none of BMP, JPEG, PNG, TIFF and WebP") from None
    except Exception as error:  # damaged files make Pillow's readers raise nearly anything
        raise ValueError(f"cannot be read as a picture: {error or type(error).__name__}") from None
    if picture.mode.startswith("I;16"):  # Pillow's own conversion cuts 16 bits off at 255
        grey = np.asarray(picture, dtype=np.uint16)
        return Image.fromarray((grey // 257).astype(np.uint8)).convert("RGB")
    if picture.mode in ("I", "F"):
        raise ValueError(f"found mode {picture.mode}, whose range is not known; expected 8 or 16 bits a channel")
    if picture.has_transparency_data:
        colour = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", colour.size, "white"), colour).convert("RGB")
    return _srgb(picture)


def _srgb(picture: Image.Image) -> Image.Image:
    """By the embedded profile of an RGB or CMYK picture; as Pillow converts without a readable one."""
    profile = picture.info.get("icc_profile")
    if profile and picture.mode in ("RGB", "CMYK"):
        try:
            given = ImageCms.ImageCmsProfile(BytesIO(profile))
            changed = ImageCms.profileToProfile(picture, given, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):  # viewers, too, show it without
            changed = None
        if changed is not None:
            return changed
    return picture.convert("RGB")


def warp(picture: Image.Image, matrix: NDArray[np.floating], size: int) -> NDArray[np.uint8]:
    """The picture under a similarity transform [2, 3] (px to px), [size, size, 3]; the edge is repeated beyond it.

    First sampled at about the photograph's own resolution with a bicubic kernel, then reduced to ``size`` with a
    Lanczos filter of the reduction's width, so that fine structure does not alias.
    """
    scale = math.sqrt(abs(float(np.linalg.det(matrix[:, :2]))))
    factor = max(1, math.ceil(1 / scale))
    picture, shift = _extended(picture, matrix, size)
    inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2]
    inverse = np.column_stack([inverse[:, :2] / factor, inverse[:, 2] + shift])
    side = (size * factor, size * factor)
    fine = picture.transform(side, Image.Transform.AFFINE, tuple(inverse.ravel()), Image.Resampling.BICUBIC)
    if factor > 1:
        fine = fine.resize((size, size), Image.Resampling.LANCZOS)
    return np.asarray(fine, dtype=np.uint8)


def _extended(picture: Image.Image, matrix: NDArray[np.floating], size: int) -> tuple[Image.Image, int]:
    """The picture, its edge repeated as far as the frame reaches (no further than its own side), and how far."""
    corners = np.array([[0, 0], [size, 0], [0, size], [size, size]]) - matrix[:, 2]
    corners = corners @ np.linalg.inv(matrix[:, :2]).T
    beyond = max(float(-corners.min()), float((corners - picture.size).max())) + 2  # the kernel's reach
    if beyond <= 0:
        return picture, 0
    pad = min(math.ceil(beyond), max(picture.size))
    pixels = np.pad(np.asarray(picture), ((pad, pad), (pad, pad), (0, 0)), mode="edge")
    return Image.fromarray(pixels), pad
