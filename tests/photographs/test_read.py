"""Reading and resampling photographs."""

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageFile

from palsykit.photographs.frame import warp
from palsykit.photographs.read import read_photograph


def encoded(picture, form="PNG", **keys):
    stream = BytesIO()
    picture.save(stream, form, **keys)
    return stream.getvalue()


def test_the_camera_may_have_been_turned():
    pixels = np.zeros((4, 8, 3), np.uint8)
    pixels[0, 0] = 255, 0, 0
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise for viewing
    picture = read_photograph(encoded(Image.fromarray(pixels), exif=exif)).picture
    assert picture.size == (4, 8)
    assert picture.getpixel((3, 0)) == (255, 0, 0)


def test_every_mode_becomes_rgb():
    grey16 = Image.fromarray(np.full((4, 4), 0x8000, np.uint16))
    transparent = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    palette = Image.new("RGB", (4, 4), (0, 128, 0)).convert("P", palette=Image.Palette.ADAPTIVE)
    cases = {
        "16 bit": (encoded(grey16), (127, 127, 127)),
        "transparent": (encoded(transparent), (255, 255, 255)),
        "palette": (encoded(palette), (0, 128, 0)),
        "bilevel": (encoded(Image.new("1", (4, 4), 1)), (255, 255, 255)),
        "cmyk": (encoded(Image.new("CMYK", (4, 4), (0, 0, 0, 0)), "TIFF"), (255, 255, 255)),
    }
    for name, (data, colour) in cases.items():
        picture = read_photograph(data).picture
        assert (picture.mode, picture.getpixel((1, 1))) == ("RGB", colour), name


@pytest.mark.parametrize("cut", [0, 10, -20])
def test_broken_files_are_value_errors(cut):
    data = encoded(Image.effect_noise((64, 64), 50).convert("RGB"), "JPEG")
    with pytest.raises(ValueError, match="cannot be read as a picture"):
        read_photograph(data[:cut])


def test_a_damaged_exif_entry_is_a_value_error():
    """Text under the number of a numeric entry: Pillow raises struct.error when it turns the picture."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "words"
    data = encoded(Image.new("RGB", (8, 8)), "JPEG", exif=exif)
    assert data.count(b"\x01\x0e\x00\x02") == 1
    with pytest.raises(ValueError, match="cannot be read as a picture"):
        read_photograph(data.replace(b"\x01\x0e\x00\x02", b"\x01\x00\x00\x02"))


def test_float_pictures_have_no_known_range():
    with pytest.raises(ValueError, match="mode F"):
        read_photograph(encoded(Image.new("F", (4, 4), 0.5), "TIFF"))


def test_the_identity_transform_changes_nothing():
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    matrix = np.array([[1.0, 0, 0], [0, 1, 0]])
    np.testing.assert_array_equal(warp(Image.fromarray(pixels), matrix, 32), pixels)


def test_fine_structure_does_not_alias():
    rows = (np.arange(512) // 3 % 2 * 255).astype(np.uint8)  # stripes of 3 px: far beyond what 64 px can show
    stripes = np.repeat(np.tile(rows, (512, 1))[..., None], 3, axis=2)
    small = warp(Image.fromarray(stripes), np.array([[0.125, 0, 0], [0, 0.125, 0]]), 64)
    assert small[4:-4, 4:-4].std() < 3
    assert abs(small.mean() - 127.5) < 2


@settings(max_examples=25, deadline=None)
@given(st.floats(0.3, 1.8), st.floats(-0.5, 0.5), st.floats(-20, 40), st.floats(-20, 40))
def test_a_spot_moves_as_its_point_does(scale, angle, dx, dy):
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.column_stack([linear, [dx, dy]])
    y, x = np.mgrid[:128, :128] + 0.5
    spot = np.array([60.0, 70.0])
    width = max(4.0, 2 / scale)
    light = 255 * np.exp(-((x - spot[0]) ** 2 + (y - spot[1]) ** 2) / (2 * width**2))
    moved = warp(Image.fromarray(light.astype(np.uint8)).convert("RGB"), matrix, 64)[..., 0].astype(float)
    expected = linear @ spot + matrix[:, 2]
    if not ((expected > 4 * width * scale) & (expected < 64 - 4 * width * scale)).all():
        return  # the spot leaves the picture
    v, u = np.mgrid[:64, :64] + 0.5
    centre = np.array([(moved * u).sum(), (moved * v).sum()]) / moved.sum()
    np.testing.assert_allclose(centre, expected, atol=0.25)


@pytest.mark.parametrize("matrix", [[[1, 0, 20], [0, 1, -20]], [[0.2, 0, 10], [0, 0.2, 10]]])
def test_beyond_the_edge_its_pixels_repeat(matrix):
    picture = Image.new("RGB", (64, 64), (10, 200, 30))
    assert (warp(picture, np.array(matrix, float), 32) == (10, 200, 30)).all()


def png(rows, colour_type, size=None):
    """A 16-bit PNG of [H, W, C] values; ``size`` is what the header says."""
    height, width = rows.shape[:2]
    wide, high = size or (width, height)
    body = b"".join(b"\0" + row.astype(">u2").tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", wide, high, 16, colour_type, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(body)), (b"IEND", b"")]
    packed = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


@pytest.mark.parametrize(
    ("values", "colour_type", "colour"),
    [
        ((0xFF00, 0x8000, 0x1000), 2, (255, 128, 16)),
        ((0xFF00, 0x8000, 0x1000, 0xFFFF), 6, (255, 128, 16)),
        ((0x8000, 0xFFFF), 4, (128, 128, 128)),
        ((0x8000, 0x0000), 4, (255, 255, 255)),
    ],
    ids=["RGB", "RGBA", "grey and opaque", "grey and transparent"],
)
def test_sixteen_bits_a_channel_keep_their_range(values, colour_type, colour):
    rows = np.broadcast_to(np.array(values, np.uint16), (4, 4, len(values)))
    assert read_photograph(png(rows, colour_type)).picture.getpixel((1, 1)) == colour


@pytest.mark.parametrize("adobe", [True, False])
def test_inverted_cmyk_of_jpeg_is_not_shown_as_a_negative(adobe):
    """Photoshop stores CMYK inverted and says so in an Adobe marker; without it, too, viewers take it as inverted."""
    data = encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=100)
    assert data.count(b"Adobe") == 1
    picture = read_photograph(data if adobe else data.replace(b"Adobe", b"Other")).picture
    assert picture.getpixel((8, 8)) == pytest.approx((255, 0, 0), abs=3)


def test_colours_are_taken_to_srgb_by_the_embedded_profile():
    """A profile with the primaries of red and blue exchanged says that what is stored as red is blue."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exchanged = srgb.replace(b"rXYZ", b"tmp_").replace(b"bXYZ", b"rXYZ").replace(b"tmp_", b"bXYZ")
    picture = Image.new("RGB", (8, 8), (200, 100, 50))
    assert read_photograph(encoded(picture, icc_profile=srgb)).picture.getpixel((1, 1)) == (200, 100, 50)
    assert read_photograph(encoded(picture, icc_profile=b"no profile" * 20)).picture.getpixel((1, 1)) == (200, 100, 50)
    assert read_photograph(encoded(picture, icc_profile=exchanged)).picture.getpixel((1, 1)) == pytest.approx(
        (50, 100, 200), abs=2
    )


def test_a_bomb_is_refused_before_its_pixels_are_read(monkeypatch):
    bomb = png(np.zeros((4, 4, 3), np.uint16), 2, (60_000, 60_000))
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("its pixels were read"))
    with pytest.raises(ValueError, match="decompression bomb"):
        read_photograph(bomb)


def test_files_that_other_programs_would_have_to_read_stay_shut():
    with pytest.raises(ValueError, match="found none of BMP, JPEG, PNG, TIFF and WebP"):
        read_photograph(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n")
