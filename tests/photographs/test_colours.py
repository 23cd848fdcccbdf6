"""Every way of storing colours gives the colours that were meant."""

import numpy as np
import pytest
from PIL import Image, ImageCms

from palsykit.photographs.read import UnreadablePicture, read_photograph

SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.7141))
ADOBE = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
P3 = ((0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407))
PROPHOTO = ((0.79767, 0.28804, 0.0), (0.13519, 0.71188, 0.0), (0.03134, 0.00009, 0.82491))
"""XYZ (D50) of red, green and blue."""

SKIN = (172, 133, 112)


def shown(light):
    """sRGB's own curve: linear light 0 to 1 -> 0 to 255."""
    light = np.clip(light, 0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def in_srgb(colour, colorants, gamma):
    """What a viewer shows: the profile's light, in XYZ, in sRGB."""
    light = (np.array(colour) / 255) ** (round(gamma * 256) / 256)
    return shown(np.linalg.inv(np.array(SRGB).T) @ np.array(colorants).T @ light)


def plain(mode, colour):
    return Image.new(mode, (8, 8), colour)


def colour_of(data, **keys):
    return read_photograph(data, **keys).picture.getpixel((4, 4))


@pytest.mark.parametrize(
    ("colorants", "gamma"), [(ADOBE, 2.2), (P3, 2.2), (PROPHOTO, 1.8)], ids=["Adobe RGB", "Display P3", "ProPhoto"]
)
@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "WEBP", "AVIF"])
def test_colours_of_wide_gamuts_are_shown_as_they_are_meant(files, colorants, gamma, form):
    if form == "AVIF":
        pytest.importorskip("PIL._avif", reason="Pillow was built without AVIF")
    profile = files.rgb_profile(colorants, gamma)
    lossless = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}, "AVIF": {"quality": 100}}
    data = files.encoded(plain("RGB", SKIN), form, icc_profile=profile, **lossless.get(form, {}))
    meant = in_srgb(SKIN, colorants, gamma)
    assert np.abs(meant - SKIN).max() > 5, "the profile matters"
    photograph = read_photograph(data)
    assert photograph.picture.getpixel((4, 4)) == pytest.approx(meant, abs=2.5 if form in ("JPEG", "AVIF") else 1)
    assert photograph.original.icc_profile == profile
    assert photograph.original.picture.getpixel((4, 4)) == pytest.approx(SKIN, abs=2), "stored colours stay"


def test_an_srgb_profile_changes_no_pixel(files, noise):
    """Whatever it is called: what it does tells that it is sRGB."""
    of_pillow = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert b"sRGB" not in of_pillow.replace(b"s\0R\0G\0B", b"")
    for mode in ("RGB", "L"):
        picture = noise.convert(mode)
        read = read_photograph(files.encoded(picture, icc_profile=of_pillow)).picture
        np.testing.assert_array_equal(np.asarray(read), np.asarray(picture.convert("RGB")))


def test_grey_profiles_are_applied(files):
    meant = float(shown((140 / 255) ** 1.8))
    profile = files.grey_profile(1.8)
    assert abs(meant - 140) > 10
    assert colour_of(files.encoded(plain("L", 140), icc_profile=profile)) == pytest.approx([meant] * 3, abs=1)
    deep = Image.fromarray(np.full((8, 8), 140 * 257, np.uint16))
    assert colour_of(files.encoded(deep, icc_profile=profile)) == pytest.approx([meant] * 3, abs=1)
    clear = plain("LA", (140, 255))
    assert colour_of(files.encoded(clear, icc_profile=profile)) == pytest.approx([meant] * 3, abs=1)


def test_cmyk_is_shown_by_its_profile(files):
    profile = files.black_ink_profile()
    inks = {(255, 0, 0, 0): 255, (0, 255, 255, 128): 118.4, (0, 0, 0, 255): 0}
    for ink, grey in inks.items():
        data = files.encoded(plain("CMYK", ink), "TIFF", icc_profile=profile)
        assert colour_of(data) == pytest.approx([grey] * 3, abs=2), ink
    without = read_photograph(files.encoded(plain("CMYK", (255, 0, 0, 0)), "TIFF"))
    assert without.picture.getpixel((4, 4)) == (0, 255, 255)
    assert "CMYK colours without a colour profile" in without.notes[0]


def test_profiles_of_transparent_pictures_and_palettes_are_applied(files):
    profile, meant = files.rgb_profile(ADOBE, 2.2), in_srgb(SKIN, ADOBE, 2.2)
    for picture in (plain("RGBA", (*SKIN, 255)), plain("RGB", SKIN).quantize(4)):
        assert colour_of(files.encoded(picture, icc_profile=profile)) == pytest.approx(meant, abs=1)


def test_a_profile_that_does_not_fit_is_left_out_with_a_note(files):
    for profile in (files.grey_profile(1.8), files.black_ink_profile(), b"no profile" * 20):
        photograph = read_photograph(files.encoded(plain("RGB", SKIN), icc_profile=profile))
        assert photograph.picture.getpixel((4, 4)) == SKIN
        assert photograph.notes == ("its colour profile cannot be used, and was left out",)


def test_transparent_parts_are_put_on_the_background(files):
    half = plain("RGBA", (200, 0, 100, 0))
    half.paste((200, 0, 100, 128), (0, 0, 8, 4))
    for background, under, above in (("white", (255, 255, 255), (227, 127, 177)), ("black", (0, 0, 0), (100, 0, 50))):
        photograph = read_photograph(files.encoded(half), background=background)
        assert photograph.picture.getpixel((4, 6)) == under
        assert photograph.picture.getpixel((4, 2)) == pytest.approx(above, abs=1)
        assert photograph.notes == (f"transparent parts were put on {background}",)
    assert photograph.original.picture.mode == "RGBA"
    opaque = read_photograph(files.encoded(plain("RGBA", (200, 0, 100, 255))))
    assert (opaque.picture.getpixel((4, 4)), opaque.notes) == ((200, 0, 100), ())


@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP"])
def test_colours_under_transparent_pixels_are_not_seen(files, form):
    keys = {"lossless": True, "exact": True} if form == "WEBP" else {}
    assert colour_of(files.encoded(plain("RGBA", (9, 8, 7, 0)), form, **keys)) == (255, 255, 255)


def test_one_transparent_colour_of_a_palette_of_rgb_and_of_grey(files):
    palette = plain("RGB", SKIN).quantize(4)
    assert colour_of(files.encoded(palette, transparency=palette.getpixel((0, 0)))) == (255, 255, 255)
    assert colour_of(files.encoded(plain("RGB", SKIN), transparency=SKIN)) == (255, 255, 255)
    assert colour_of(files.encoded(plain("L", 7), transparency=7)) == (255, 255, 255)
    deep = np.full((8, 8, 1), 0x1234, np.uint16)
    assert colour_of(files.png(deep, 0, trns=b"\x12\x34"), background="red") == (255, 0, 0)
    assert colour_of(files.png(deep, 0, trns=b"\x12\x35"), background="red") == (18, 18, 18)


def test_sixteen_bits_of_grey_and_of_colour_in_tiff(files):
    grey = np.full((8, 8), 0x8000, "<u2").tobytes()
    assert colour_of(files.tiff(grey, (8, 8), (16,), 1)) == (127, 127, 127)
    light = np.full((8, 8), 0xF000, "<u2").tobytes()
    assert colour_of(files.tiff(light, (8, 8), (16,), 0)) == (15, 15, 15), "0 is white in it"
    colour = np.broadcast_to(np.array([0xFF00, 0x8000, 0x1000], "<u2"), (8, 8, 3)).tobytes()
    photograph = read_photograph(files.tiff(colour, (8, 8), (16, 16, 16), 2))
    assert photograph.picture.getpixel((4, 4)) == (255, 128, 16)
    assert photograph.notes == ("16 bits a channel were reduced to 8",)


def test_twelve_bits_of_grey_reach_white(files):
    white = b"\xff\xff\xff" * 32
    assert colour_of(files.tiff(white, (8, 8), (12,), 1)) == (255, 255, 255)


def test_values_far_below_white_are_pointed_out(files):
    (_, note) = read_photograph(files.encoded(Image.fromarray(np.full((8, 8), 4000, np.uint16)))).notes
    assert note == "no grey value is above 4000 of 65535: the picture is nearly black"


@pytest.mark.parametrize(
    ("mode", "values", "grey"),
    [("F", (0.0, 0.5, 1.0), 128), ("I", (0, 32896, 65535), 128), ("I", (0, 128, 255), 128)],
)
def test_32_bits_whose_range_is_known(files, mode, values, grey):
    pixels = np.array([values], np.float32 if mode == "F" else np.int32)
    photograph = read_photograph(files.encoded(Image.fromarray(pixels), "TIFF"))
    assert np.asarray(photograph.picture)[0, :, 0].tolist() == [0, grey, 255]
    assert "32-bit grey values" in photograph.notes[0]


@pytest.mark.parametrize(
    ("mode", "values", "found"),
    [
        ("F", (0.0, 200.5), "mode F .* from 0 to 200.5, whose range is not known; expected 0 to 1"),
        ("F", (-0.5, 0.5), "from -0.5 to 0.5"),
        ("F", (0.0, np.nan), "from nan to nan"),
        ("I", (0, 70000), "mode I .* from 0 to 70000, whose range is not known; expected 0 to 65535"),
        ("I", (-3, 5), "from -3 to 5"),
    ],
)
def test_32_bits_whose_range_is_not_known(files, mode, values, found):
    pixels = np.array([values], np.float32 if mode == "F" else np.int32)
    with pytest.raises(UnreadablePicture, match=found):
        read_photograph(files.encoded(Image.fromarray(pixels), "TIFF"))


def test_lab_is_converted(files):
    spaces = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    lab = ImageCms.profileToProfile(plain("RGB", SKIN), *spaces, outputMode="LAB")
    assert colour_of(files.encoded(lab, "TIFF")) == pytest.approx(SKIN, abs=1)


def test_colours_that_cannot_be_converted_are_refused_in_one_line():
    with pytest.raises(UnreadablePicture, match=r"^me: cannot be read as a picture: .*La"):
        read_photograph(Image.new("La", (4, 4)), name="me")
