"""Tells from a file's first bytes what it is, for messages, and opens the door to HEIC where its library is there."""

from dataclasses import dataclass
from importlib.util import find_spec

from PIL import Image, features

HEIF, AVIF = "HEIF", "AVIF"
"""Pillow's names."""

READ = "JPEG, PNG, TIFF, WebP, BMP, AVIF or HEIC"
STEP = "save it as JPEG or PNG"

_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_STILL_BRANDS = frozenset({b"mif1", b"msf1", b"mif2", b"miaf"})

_OTHERS = (
    (b"GIF8", "a GIF"),
    (b"%!PS", "an EPS or PostScript file"),
    (b"\xc5\xd0\xd3\xc6", "an EPS file"),
    (b"%PDF", "a PDF"),
    (b"8BPS", "a Photoshop file"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL"),
    (b"\xff\x0a", "a JPEG XL"),
    (b"II*\0\x10\0\0\0CR", "a camera's raw file (CR2)"),
    (b"FUJIFILM", "a camera's raw file (RAF)"),
    (b"<svg", "an SVG drawing"),
    (b"PK\3\4", "an archive or an office document"),
)


@dataclass(frozen=True)
class Kind:
    """What a file is by its first bytes.

    Attributes:
        name: "HEIF", "AVIF", or "" for what Pillow tells itself.
        refused: why it cannot be read here, or "".
        unknown: what to say if no reader knows it.
    """

    name: str = ""
    refused: str = ""
    unknown: str = ""


def what_it_is(data: bytes) -> Kind:
    """What a file is by its bytes; for HEIC, Pillow can open it afterwards if pillow-heif is there."""
    if data[4:8] == b"ftyp":
        return _by_brands(data)
    for start, words in _OTHERS:
        if data.startswith(start):
            return Kind(refused=f"found {words}, expected {READ}; {STEP}")
    text = not set(data[:512]) & (set(range(32)) - set(b"\t\n\f\r"))
    found = "text" if text else "none of these"
    return Kind(unknown=f"found {found}, expected {READ}; {STEP}")


def _by_brands(data: bytes) -> Kind:
    """Of a file in boxes (ISO 14496-12): pictures of phones, and films."""
    size = min(int.from_bytes(data[:4], "big"), 512)
    brands = {data[8:12], *(data[start : start + 4] for start in range(16, size, 4))}
    if data[8:12] in _AVIF_BRANDS or (brands & _AVIF_BRANDS and not brands & _HEIC_BRANDS):
        Image.init()
        if AVIF in Image.OPEN and features.check("avif"):
            return Kind(AVIF, unknown="found a damaged AVIF file; copy it again")
        return Kind(AVIF, f"found an AVIF file, which this Pillow cannot read; update Pillow, or {STEP}")
    if brands & (_HEIC_BRANDS | _STILL_BRANDS):
        if not _can_open_heic():
            return Kind(HEIF, f"found an HEIC file, whose reader is missing; pip install 'palsykit[heif]', or {STEP}")
        return Kind(HEIF, unknown="found a damaged HEIC file; copy it again")
    if data[8:12] == b"crx ":
        return Kind(refused=f"found a camera's raw file (CR3), expected {READ}; {STEP}")
    return Kind(refused=f"found a film, expected {READ}; save one frame of it as JPEG or PNG")


def _can_open_heic() -> bool:
    """Registers pillow-heif's reader with Pillow, if it is installed."""
    if HEIF not in Image.OPEN:
        if find_spec("pillow_heif") is None:
            return False
        import pillow_heif

        pillow_heif.register_heif_opener(thumbnails=False)
    return True
