"""Put an edited picture back into the photograph as it was stored: its orientation, colour profile and transparency."""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from palsykit.photographs.exif import turned_back
from palsykit.photographs.read import Photograph


def paste_back(photograph: Photograph, edited: NDArray[np.uint8]) -> Image.Image:
    """The photograph as stored, with the pixels that ``edited`` changed.

    A pixel that was not changed keeps its stored value. A photograph that is not 8-bit RGB or RGBA becomes RGB as it
    was read; the reader's notes say so.

    Args:
        photograph: as it was read.
        edited: [H, W, 3], upright sRGB.
    """
    original = photograph.original
    if original is None:
        return Image.fromarray(edited)
    stored = original.picture
    if stored.mode not in ("RGB", "RGBA"):
        return turned_back(Image.fromarray(edited), original.orientation)
    changed = (edited != np.asarray(photograph.picture)).any(-1)
    rows, columns = changed.any(1).nonzero()[0], changed.any(0).nonzero()[0]
    if not len(rows):
        return stored.copy()
    # Only the box with changes is converted and turned.
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    face = _in_profile(Image.fromarray(edited[top:bottom, left:right]), original.icc_profile)
    whole = np.zeros(changed.shape, np.uint8)
    whole[top:bottom, left:right] = 255 * changed[top:bottom, left:right]
    mask = turned_back(Image.fromarray(whole), original.orientation)
    box = mask.getbbox()
    assert box is not None
    part = turned_back(face, original.orientation)
    result = stored.copy()
    if stored.mode == "RGBA":
        part.putalpha(stored.getchannel("A").crop(box))
    result.paste(part, box[:2], mask.crop(box))
    return result


def _in_profile(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """An sRGB picture in the colour space of ``profile``."""
    if profile is None:
        return picture
    try:
        own = ImageCms.ImageCmsProfile(BytesIO(profile))
        converted = ImageCms.profileToProfile(picture, ImageCms.createProfile("sRGB"), own, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):  # the reader, too, goes on without such a profile
        return picture
    return picture if converted is None else converted
