"""Reads a picture of any kind that users have as upright 8-bit sRGB. Every command and data set reads pictures here."""

import hashlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from palsykit.data.imagefolder import FORMATS
from palsykit.photographs.bombs import refuse_bomb
from palsykit.photographs.colours import to_srgb
from palsykit.photographs.exif import EXIF, GPS, ORIENTATION, turned
from palsykit.photographs.files import UnreadablePicture, read_bytes
from palsykit.photographs.kinds import AVIF, HEIF, what_it_is

SUBFILE, BITS, PHOTOMETRIC, DNG = 254, 258, 262, 50706
"""Numbers of TIFF entries."""

DESCRIPTIONS = (270, 271, 272, ORIENTATION, 305, 306, 315, 33432)
"""Entries of a TIFF that say something about the photograph: description, camera, software, date, people."""

REDUCED, MASK = 1, 4
"""Bits of SUBFILE: a thumbnail, and a transparency mask; neither is a page."""

MOST_PAGES = 1000
"""Of a TIFF. The time in which Pillow reads the chain of pages grows with the square of its length."""


@dataclass(frozen=True, eq=False)
class Original:
    """What is needed to write a photograph of the same kind back.

    Attributes:
        picture: as it is stored: its own orientation, mode and colour space, transparency included. What Pillow
            decodes of it: 16 bits a channel of a colour picture are 8.
        icc_profile: the ICC profile's bytes, or None.
        exif: the EXIF data's bytes, or None.
        orientation: EXIF's 1 to 8; 1 is upright.
        format: Pillow's name of the file format, such as "JPEG" or "MPO"; "" for a picture in memory.
        dpi: resolution across and down, or None.
    """

    picture: Image.Image
    icc_profile: bytes | None
    exif: bytes | None
    orientation: int
    format: str
    dpi: tuple[float, float] | None


@dataclass(frozen=True, eq=False)
class Photograph:
    """A picture that can be worked on.

    Attributes:
        picture: 8-bit RGB, upright, sRGB. Do not draw into it: it may be the original's.
        name: for messages.
        sha256: of the file's bytes; of mode, size and pixels for a picture in memory.
        notes: what was done that a user should know, one short sentence each.
        original: what is needed to write it back; None for an array.
    """

    picture: Image.Image
    name: str
    sha256: str
    notes: tuple[str, ...]
    original: Original | None


def read_photograph(
    source: str | Path | bytes | Image.Image | NDArray[np.uint8], *, name: str = "", background: str = "white"
) -> Photograph:
    """The first picture of a file, of a file's bytes, or one in memory.

    Only the formats of ``palsykit/data/imagefolder.py`` are opened, whatever the file is called. EXIF orientation,
    colour profile, bit depth and transparency are applied. Pillow's bound on the number of pixels holds, and a file is
    refused that declares more than its bytes can hold; both before anything is allocated.

    Args:
        source: a path, a file's bytes, a PIL image, or uint8 RGB [H, W, 3].
        name: for messages; a path's own if empty.
        background: colour under transparent parts, by a name that Pillow knows.

    Raises:
        UnreadablePicture: if it cannot be used, with what was found, what was expected and what to do.
    """
    if isinstance(source, str | Path):
        name = name or str(source)
    try:
        if isinstance(source, np.ndarray):
            return _of_array(source, name)
        if isinstance(source, Image.Image):
            with _refusing_nameless():
                digest = _digest_of_pixels(source)
                return _photograph(source, source.getexif(), name, digest, background, [])
        data = source if isinstance(source, bytes) else read_bytes(Path(source))
        with open_picture(data) as opened:
            notes = _go_to_first(opened, data)
            refuse_bomb(opened, data)
            opened.load()
            digest = hashlib.sha256(data).hexdigest()
            photograph = _photograph(opened, opened.getexif(), name, digest, background, notes)
            # What saving would copy into other files by itself goes; a transparent colour belongs to the pixels.
            opened.info = {key: value for key, value in opened.info.items() if key == "transparency"}
            return photograph
    except UnreadablePicture as error:
        raise UnreadablePicture(error.reason, name) from None


def count_pictures(data: bytes) -> int:
    """How many pictures a file's bytes hold: pages of a TIFF, frames of an animation. Only headers are read.

    Raises:
        UnreadablePicture: if it is no picture.
    """
    with open_picture(data) as opened:
        return max(1, len(_pages(opened)))


def note_on_others(count: int) -> str:
    """The sentence on a file that holds several pictures."""
    return (
        f"further pictures of the file are not read: found {count} pictures, of which the first is read; save the "
        "others as files of their own"
    )


@contextmanager
def _refusing_nameless() -> Iterator[None]:
    """Turns whatever Pillow raises into an UnreadablePicture: damaged files make its readers raise nearly anything."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of doubtful metadata and of pictures that are merely large
            yield
    except UnreadablePicture:
        raise
    except Image.DecompressionBombError as error:
        raise UnreadablePicture(f"cannot be read as a picture: {error} Make it smaller") from None
    except MemoryError:
        raise UnreadablePicture("cannot be read as a picture: not enough memory; make it smaller") from None
    except Exception as error:
        what = " ".join(str(error).split()) or type(error).__name__
        raise UnreadablePicture(
            f"cannot be read as a picture: {what}; copy the file again, or export it anew"
        ) from None


@contextmanager
def open_picture(data: bytes) -> Iterator[Image.Image]:
    """The picture in a file's bytes, not decoded yet; of the formats that are read, whatever the file is called.

    Raises:
        UnreadablePicture: if the file is of no format that is read, or is damaged; while it is used, too.
    """
    if not data:
        raise UnreadablePicture("cannot be read as a picture: the file is empty; copy it again")
    with _refusing_nameless():
        kind = what_it_is(data)
        if kind.refused:
            raise UnreadablePicture(f"cannot be read as a picture: {kind.refused}")
        formats = [name for name in FORMATS if name == kind.name or name not in (AVIF, HEIF)]
        try:
            opened = Image.open(BytesIO(data), formats=formats)
        except UnidentifiedImageError:
            raise UnreadablePicture(f"cannot be read as a picture: {kind.unknown}") from None
        with opened:
            yield opened


def _go_to_first(opened: Image.Image, data: bytes) -> list[str]:
    """Goes to the first page of a TIFF that is no thumbnail; says so where there are further pictures."""
    if opened.format == "TIFF" and DNG in getattr(opened, "tag_v2", {}):
        raise UnreadablePicture("cannot be read as a picture: it is a camera's raw file (DNG); save it as JPEG or PNG")
    notes = ["16 bits a channel were reduced to 8"] if _has_sixteen_bit_colours(opened, data) else []
    pages = _pages(opened)
    if not pages:
        raise UnreadablePicture(
            "cannot be read as a picture: found a thumbnail alone, as in a camera's raw file; save it as JPEG or PNG"
        )
    opened.seek(pages[0])
    return [*notes, note_on_others(len(pages))] if len(pages) > 1 else notes


def _pages(opened: Image.Image) -> list[int]:
    """Numbers of the pictures in an opened file that stand for themselves."""
    if opened.format == "MPO":  # a phone's: the others are a depth map or the same scene for a second eye
        return [0]
    if opened.format != "TIFF":
        return list(range(getattr(opened, "n_frames", 1)))
    found = []
    try:
        for number in range(MOST_PAGES + 1):
            opened.seek(number)
            if not int(_tag(opened, SUBFILE) or 0) & (REDUCED | MASK):
                found.append(number)
    except EOFError:
        return found
    except (OSError, ValueError, KeyError, SyntaxError):  # the chain of pages is damaged behind the first
        opened.seek(0)
        return [0]
    raise UnreadablePicture(
        f"cannot be read as a picture: found more than {MOST_PAGES} pages in a TIFF; save the photograph as JPEG or PNG"
    )


def _tag(opened: Image.Image, number: int) -> Any:
    value = getattr(opened, "tag_v2", {}).get(number)
    return value[0] if isinstance(value, tuple) and value else value


def _has_sixteen_bit_colours(opened: Image.Image, data: bytes) -> bool:
    """Whether Pillow reads 16 bits a channel as 8; what it reads as 16 is dealt with later."""
    if opened.mode.startswith("I"):
        return False
    return data[24] == 16 if opened.format == "PNG" else opened.format == "TIFF" and _tag(opened, BITS) == 16


def _photograph(
    stored: Image.Image, exif: Image.Exif, name: str, digest: str, background: str, notes: list[str]
) -> Photograph:
    orientation = exif.get(ORIENTATION, 1)
    orientation = orientation if orientation in range(1, 9) else 1
    profile = stored.info.get("icc_profile") or None
    original = Original(
        picture=stored,
        icc_profile=profile,
        exif=_exif_bytes(stored, exif),
        orientation=orientation,
        format=stored.format or "",
        dpi=_dpi(stored),
    )
    try:
        picture, more = to_srgb(_positive(stored), profile, background, _white(stored))
    except ValueError as error:
        raise UnreadablePicture(f"cannot be read as a picture: {error}") from None
    return Photograph(turned(picture, orientation), name, digest, tuple(dict.fromkeys([*notes, *more])), original)


def _positive(stored: Image.Image) -> Image.Image:
    """A TIFF of 16 bits in which 0 is white, turned round; Pillow does so with 8 bits alone."""
    if stored.mode == "I;16" and _tag(stored, PHOTOMETRIC) == 0:
        return Image.fromarray(_white(stored) - np.asarray(stored, dtype=np.uint16))
    return stored


def _white(stored: Image.Image) -> int:
    """The largest value that a pixel of a picture in mode I;16 can have: some TIFFs have 12 bits."""
    bits = _tag(stored, BITS)
    return (1 << bits) - 1 if isinstance(bits, int) and 8 < bits < 16 else 65535


def _exif_bytes(stored: Image.Image, exif: Image.Exif) -> bytes | None:
    """As the file has them; of a TIFF, whose entries lie among the picture's, as Pillow writes them."""
    if isinstance(given := stored.info.get("exif"), bytes):
        return given
    own = Image.Exif()
    try:
        own.update({number: exif[number] for number in DESCRIPTIONS if number in exif})
        for number in (EXIF, GPS):
            if inner := exif.get_ifd(number):
                own.get_ifd(number).update(inner)
        return own.tobytes() if len(own) or own.get_ifd(EXIF) else None
    except Exception:  # an entry that says one type and has another makes Pillow raise nearly anything
        return None


def _dpi(stored: Image.Image) -> tuple[float, float] | None:
    try:
        across, down = (float(value) for value in stored.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return (across, down) if 0 < across < 1e6 and 0 < down < 1e6 else None


def _of_array(pixels: NDArray[np.uint8], name: str) -> Photograph:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise UnreadablePicture(f"{pixels.dtype} {pixels.shape}; expected uint8 RGB [H, W, 3]")
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    return Photograph(picture, name, _digest_of_pixels(picture), (), None)


def _digest_of_pixels(picture: Image.Image) -> str:
    digest = hashlib.sha256(f"{picture.mode} {picture.size}".encode())
    digest.update(picture.tobytes())
    return digest.hexdigest()
