"""Refuses files that are small and cost much: pixels without content, or passes without end."""

import re

from PIL import Image

from palsykit.photographs.files import UnreadablePicture

MOST_PIXELS_A_BYTE, EVEN = 200, 10_000_000
"""A photograph has a byte for fewer pixels; what has less is of one colour. Small pictures may be, they cost little."""

MOST_VALUES = 2_000_000_000
"""Pixels times passes of a progressive JPEG, which takes about ten passes: up to two seconds."""

_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""The end of a pass's data, in which 0xFF stands before 0 or a restart only."""


def refuse_bomb(opened: Image.Image, data: bytes) -> None:
    """Refuse an opened picture, before it is decoded, that no photograph is like.

    Args:
        opened: at the page that will be decoded.
        data: the bytes of its file.

    Raises:
        UnreadablePicture: with what was found and what is expected.
    """
    pixels = opened.width * opened.height
    most = 2 * (Image.MAX_IMAGE_PIXELS or pixels)  # as Pillow's own bound, which does not hold for further pages
    if pixels > most:
        raise UnreadablePicture(f"cannot be read as a picture: found {pixels} pixels, expected {most} at most")
    if pixels > EVEN and pixels > MOST_PIXELS_A_BYTE * len(data):
        raise UnreadablePicture(
            f"cannot be read as a picture: found {pixels} pixels in {len(data)} bytes, which is one colour or a file "
            "made to use up the memory; expected a photograph"
        )
    if opened.format in ("JPEG", "MPO") and (passes := _passes(data)) * pixels > max(MOST_VALUES, 20 * pixels):
        raise UnreadablePicture(
            f"cannot be read as a picture: found a JPEG of {passes} passes over {pixels} pixels, expected about ten; "
            "save it anew"
        )


def _passes(data: bytes) -> int:
    """How often a JPEG goes over its pixels: its starts of scan, up to the end of the first picture."""
    place, count = 2, 0
    while data[place : place + 1] == b"\xff" and (kind := data[place + 1 : place + 2]) not in (b"", b"\xd9"):
        if kind == b"\xff":
            place += 1  # a byte to fill up
            continue
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        if kind == b"\xda":
            count += 1
            found = _MARKER.search(data, place)
            place = len(data) if found is None else found.start()
    return count
