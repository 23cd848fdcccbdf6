"""From what a file stores to 8-bit sRGB: bit depth, transparency and colour profiles.

An sRGB profile changes no pixel. What an sRGB profile is, its effect says and not its name: profiles have many names.
"""

from functools import lru_cache
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

SAME = 2
"""Levels of 255; a profile that changes no colour by more counts as sRGB."""

NEEDS = {"RGB ": "RGB", "CMYK": "CMYK", "GRAY": "L"}
"""A profile's colour space -> the mode of the pictures that it describes."""


def to_srgb(
    picture: Image.Image, profile: bytes | None, background: str, full: int = 65535
) -> tuple[Image.Image, list[str]]:
    """A decoded picture as 8-bit sRGB, and sentences on what a user should know.

    Args:
        picture: of any of Pillow's modes.
        profile: its ICC profile, or None. One that cannot be used is left out, as viewers do.
        background: colour under transparent parts, by a name or number that Pillow knows.
        full: the value of white in a picture of 16 bits.

    Raises:
        ValueError: for a range of values that is not known, or a colour space that cannot be converted.
    """
    notes: list[str] = []
    if picture.mode.startswith("I;16"):
        picture = _from_sixteen_bits(picture, full, notes)
    elif picture.mode in ("I", "F"):
        picture = _from_32_bits(picture, notes)
    if picture.has_transparency_data:
        return _on_background(picture, profile, background, notes), notes
    return _by_profile(picture, profile, notes), notes


def _from_sixteen_bits(picture: Image.Image, full: int, notes: list[str]) -> Image.Image:
    """Mode I;16 -> L, or LA where a value stands for transparent; Pillow's own conversion cuts values off at 255."""
    values = np.asarray(picture, dtype=np.uint16)
    notes.append("16 bits a channel were reduced to 8")
    if full == 65535 and 0 < int(values.max()) < 4096:
        notes.append(f"no grey value is above {values.max()} of 65535: the picture is nearly black")
    grey = Image.fromarray(_eight_bits(values, full))
    transparent = picture.info.get("transparency")
    if isinstance(transparent, int):
        grey.putalpha(Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8)))
    return grey


def _eight_bits(values: NDArray[np.uint16], full: int) -> NDArray[np.uint8]:
    if full == 65535:
        return (values // 257).astype(np.uint8)
    return (np.minimum(values, full).astype(np.uint32) * 255 // full).astype(np.uint8)


def _from_32_bits(picture: Image.Image, notes: list[str]) -> Image.Image:
    """Modes I and F -> L, where the values tell their range.

    Raises:
        ValueError: if they do not, with the range that was found.
    """
    values = np.asarray(picture)
    low, high = float(values.min()), float(values.max())
    if picture.mode == "F" and 0 <= low <= high <= 1:
        notes.append("32-bit grey values of 0 to 1 were reduced to 8 bits")
        return Image.fromarray(np.rint(values * 255.0).astype(np.uint8))
    if picture.mode == "I" and low >= 0 and 255 < high <= 65535:
        notes.append("32-bit grey values were taken as 16 bits, 0 to 65535, and reduced to 8")
        return Image.fromarray(_eight_bits(values.astype(np.uint16), 65535))
    if picture.mode == "I" and low >= 0 and high <= 255:
        notes.append("32-bit grey values were taken as 8 bits, 0 to 255")
        return Image.fromarray(values.astype(np.uint8))
    expected = "0 to 1" if picture.mode == "F" else "0 to 65535"
    raise ValueError(
        f"found mode {picture.mode} (32 bits a pixel) with values from {low:g} to {high:g}, whose range is not known; "
        f"expected {expected}; save it with 8 or 16 bits a channel"
    )


def _on_background(picture: Image.Image, profile: bytes | None, background: str, notes: list[str]) -> Image.Image:
    """Transparent parts on one colour; the picture's own colours by its profile."""
    colour = picture.convert("RGBA")
    alpha = colour.getchannel("A")
    grey = picture.mode in ("1", "L", "LA")  # whose profile is one for grey
    converted = _by_profile(colour.getchannel("R") if grey else colour.convert("RGB"), profile, notes)
    if alpha.getextrema() == (255, 255):
        return converted
    notes.append(f"transparent parts were put on {background}")
    converted.putalpha(alpha)
    return Image.alpha_composite(Image.new("RGBA", colour.size, background), converted).convert("RGB")


def _by_profile(picture: Image.Image, profile: bytes | None, notes: list[str]) -> Image.Image:
    """RGB by the embedded profile; as Pillow converts without one that fits.

    Raises:
        ValueError: for a colour space that neither can convert.
    """
    if picture.mode in ("P", "PA", "RGBX"):
        picture = picture.convert("RGB")
    if profile and picture.mode in NEEDS.values():
        try:
            transform = _transform(profile, picture.mode)
            changed = None if transform is None else ImageCms.applyTransform(picture, transform)
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):  # viewers, too, show it without
            notes.append("its colour profile cannot be used, and was left out")
            changed = None
        if changed is not None:
            changed.info = {}
            return changed
    if picture.mode == "CMYK" and not profile:
        notes.append("it has CMYK colours without a colour profile: skin may look different")
    try:
        return picture if picture.mode == "RGB" else picture.convert("RGB")
    except ValueError:
        raise ValueError(f"found colours of mode {picture.mode}, expected RGB, CMYK or grey; save it as RGB") from None


@lru_cache(maxsize=8)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From a profile to sRGB; None where that changes nothing that can be seen.

    Raises:
        ImageCms.PyCMSError: if the profile cannot be read, or describes another colour space.
    """
    given = ImageCms.ImageCmsProfile(BytesIO(profile))
    if NEEDS.get(given.profile.xcolor_space) != mode:
        raise ValueError(f"the profile is for {given.profile.xcolor_space}, the picture is {mode}")
    transform = ImageCms.buildTransform(given, ImageCms.createProfile("sRGB"), mode, "RGB")
    if mode == "CMYK":
        return transform
    # Apply it to colours from everywhere in the space.
    levels = np.arange(256, dtype=np.uint8) if mode == "L" else np.linspace(0, 255, 9).astype(np.uint8)
    grid = levels if mode == "L" else np.stack(np.meshgrid(levels, levels, levels), -1).reshape(-1, 3)
    before = Image.fromarray(grid[None])
    after = np.asarray(ImageCms.applyTransform(before, transform), dtype=np.int16)
    return None if np.abs(after - np.asarray(before.convert("RGB"), dtype=np.int16)).max() <= SAME else transform
