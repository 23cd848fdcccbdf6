"""Files of kinds that Pillow does not write: 16 bits a channel, TIFFs of any layout, colour profiles."""

import struct
import zlib
from collections.abc import Callable, Mapping
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

Matrix = tuple[tuple[float, float, float], ...]


def encoded(picture: Image.Image, form: str = "PNG", **keys: Any) -> bytes:
    stream = BytesIO()
    picture.save(stream, form, **keys)
    return stream.getvalue()


def png(rows: NDArray[Any], colour_type: int, size: tuple[int, int] | None = None, trns: bytes = b"") -> bytes:
    """A 16-bit PNG of [H, W, C] values; ``size`` is what the header says."""
    height, width = rows.shape[:2]
    wide, high = size or (width, height)
    body = b"".join(b"\0" + row.astype(">u2").tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", wide, high, 16, colour_type, 0, 0, 0)
    chunks = [(b"IHDR", header), *([(b"tRNS", trns)] if trns else []), (b"IDAT", zlib.compress(body)), (b"IEND", b"")]
    packed = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def tiff(pixels: bytes, size: tuple[int, int], bits: tuple[int, ...], photometric: int, **tags: int) -> bytes:
    """An uncompressed little-endian TIFF of one strip; further entries by number, as t254=1."""
    entries = {256: [size[0]], 257: [size[1]], 258: [*bits], 259: [1], 262: [photometric], 277: [len(bits)]}
    entries |= {278: [size[1]], 279: [len(pixels)], **{int(name[1:]): [value] for name, value in tags.items()}}
    start = 8 + 2 + 12 * (len(entries) + 1) + 4
    extra, body = b"", b""
    entries[273] = [0]
    for number in sorted(entries):
        values = entries[number]
        if len(values) > 2:
            body += struct.pack("<HHII", number, 3, len(values), start + len(extra))
            extra += struct.pack(f"<{len(values)}H", *values)
        elif number == 273:
            body += b"%strip"
        else:
            body += struct.pack("<HHII", number, 4, 1, values[0])
    body = body.replace(b"%strip", struct.pack("<HHII", 273, 4, 1, start + len(extra)))
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(entries)) + body + b"\0" * 4 + extra + pixels


def icc(space: bytes, kind: bytes, pcs: bytes, tags: Mapping[bytes, bytes]) -> bytes:
    """An ICC profile, version 2 (ICC.1:2001-04)."""
    table, body, start = b"", b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += name + struct.pack(">II", start + len(body), len(content))
        body += content + b"\0" * (-len(content) % 4)
    head = struct.pack(">I4sI4s4s4s", start + len(body), b"test", 0x02200000, kind, space, pcs)
    head += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + b"\0" * 28 + xyz((0.9642, 1.0, 0.8249))[8:]
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))


def gamma_curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))


def text(kind: bytes, words: bytes) -> bytes:
    return b"desc\0\0\0\0" + struct.pack(">I", len(words) + 1) + words + b"\0" * 79 if kind == b"desc" else (
        b"text\0\0\0\0" + words + b"\0"
    )  # fmt: skip


COMMON = {b"desc": text(b"desc", b"test"), b"cprt": text(b"cprt", b"none"), b"wtpt": xyz((0.9642, 1.0, 0.8249))}


def rgb_profile(colorants: Matrix, gamma: float) -> bytes:
    """By the XYZ (D50) of red, green and blue, and one gamma."""
    places = dict(zip((b"rXYZ", b"gXYZ", b"bXYZ"), map(xyz, colorants), strict=True))
    curves = dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), gamma_curve(gamma))
    return icc(b"RGB ", b"mntr", b"XYZ ", {**COMMON, **places, **curves})


def grey_profile(gamma: float) -> bytes:
    return icc(b"GRAY", b"mntr", b"XYZ ", {**COMMON, b"kTRC": gamma_curve(gamma)})


def black_ink_profile() -> bytes:
    """A CMYK profile in which cyan, magenta and yellow are invisible, and lightness falls evenly with black."""
    ramp = bytes(range(256))
    nodes = b"".join(bytes([0 if node & 1 else 255, 128, 128]) for node in range(16))  # black is the last channel
    head = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + struct.pack(">9i", *(65536 * (i % 4 == 0) for i in range(9)))
    return icc(b"CMYK", b"prtr", b"Lab ", {**COMMON, b"A2B0": head + ramp * 4 + nodes + ramp * 3})


@pytest.fixture(scope="session")
def files() -> SimpleNamespace:
    """Makers of files and profiles."""
    makers: list[Callable[..., bytes]] = [encoded, png, tiff, rgb_profile, grey_profile, black_ink_profile]
    return SimpleNamespace(**{maker.__name__: maker for maker in makers})


@pytest.fixture(scope="session")
def noise() -> Image.Image:
    """64 x 48 px, RGB."""
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8))
