"""What stays of a photograph's EXIF data in a picture that was made from it, and turning by EXIF's orientation."""

import warnings
from contextlib import suppress
from typing import Any

from PIL import Image, ImageOps

DESCRIPTION, ORIENTATION, SOFTWARE = 0x010E, 0x0112, 0x0131
EXIF, GPS = 0x8769, 0x8825

MAKER_NOTE, WIDTH, HEIGHT, INTEROPERABILITY = 0x927C, 0xA002, 0xA003, 0xA005
"""Entries of the EXIF directory."""

LEFT_OUT = frozenset({0x0201, 0x0202, 0x014A, 0x02BC, 0x83BB, 0x8649, 0x8773, 0xC4A5, EXIF, GPS})
"""Thumbnails and further pictures, packets of XMP, IPTC and Photoshop, the colour profile, print settings."""

INVERSE = {6: 8, 8: 6}
"""The orientations that do not undo themselves."""


def turned(picture: Image.Image, orientation: int) -> Image.Image:
    """A stored picture, upright by EXIF's orientation 1 to 8; 1 returns the picture itself."""
    if orientation == 1:
        return picture
    exif = Image.Exif()
    exif[ORIENTATION] = orientation  # alone: of a photograph's other entries, some may be damaged
    bare = picture.copy()
    bare.info = {"exif": exif.tobytes()}
    result = ImageOps.exif_transpose(bare)
    result.info = {}
    return result


def turned_back(picture: Image.Image, orientation: int) -> Image.Image:
    """An upright picture as it is stored under an orientation: undoes ``turned``."""
    return turned(picture, INVERSE.get(orientation, orientation))


def own_exif(given: bytes | None, size: tuple[int, int], description: str, software: str) -> Image.Exif:
    """EXIF data for a picture made from a photograph.

    Args:
        given: the photograph's, or None. GPS position, thumbnail, maker's note and damaged entries are left out.
        size: of the picture, px.
        description: replaces the photograph's.
        software: likewise.
    """
    own = Image.Exif()
    inner: dict[int, Any] = {}
    if given:
        source = Image.Exif()
        with warnings.catch_warnings(), suppress(Exception):  # damaged data; what was read before the damage stays
            warnings.simplefilter("ignore")
            source.load(given)
            own.update({tag: value for tag, value in source.items() if tag not in LEFT_OUT and _fits(tag, value)})
            inner = {tag: value for tag, value in source.get_ifd(EXIF).items() if _fits(tag, value)}
    own[DESCRIPTION], own[SOFTWARE] = description, software
    for tag in (MAKER_NOTE, INTEROPERABILITY):
        inner.pop(tag, None)
    if WIDTH in inner or HEIGHT in inner:
        inner[WIDTH], inner[HEIGHT] = size
    if inner:
        own.get_ifd(EXIF).update(inner)
        own[EXIF] = inner  # Pillow writes the one into TIFF, the other into the rest
    return own


def _fits(tag: int, value: Any) -> bool:
    """Whether an entry can be written: its value has the type that its number says."""
    one = Image.Exif()
    one[tag] = value
    try:
        return not isinstance(value, dict) and bool(one.tobytes())
    except Exception:
        return False
