"""One reader for every kind of file: the picture that was meant, or one clear line."""

import struct
import time
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageFile

from palsykit.photographs import bombs
from palsykit.photographs.read import UnreadablePicture, count_pictures, read_photograph


def test_the_camera_may_have_been_turned(files):
    pixels = np.zeros((4, 8, 3), np.uint8)
    pixels[0, 0] = 255, 0, 0
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise for viewing
    picture = read_photograph(files.encoded(Image.fromarray(pixels), exif=exif)).picture
    assert picture.size == (4, 8)
    assert picture.getpixel((3, 0)) == (255, 0, 0)


def test_every_mode_becomes_rgb(files):
    grey16 = Image.fromarray(np.full((4, 4), 0x8000, np.uint16))
    transparent = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    palette = Image.new("RGB", (4, 4), (0, 128, 0)).convert("P", palette=Image.Palette.ADAPTIVE)
    cases = {
        "16 bit": (files.encoded(grey16), (127, 127, 127)),
        "transparent": (files.encoded(transparent), (255, 255, 255)),
        "palette": (files.encoded(palette), (0, 128, 0)),
        "bilevel": (files.encoded(Image.new("1", (4, 4), 1)), (255, 255, 255)),
        "cmyk": (files.encoded(Image.new("CMYK", (4, 4), (0, 0, 0, 0)), "TIFF"), (255, 255, 255)),
    }
    for name, (data, colour) in cases.items():
        picture = read_photograph(data).picture
        assert (picture.mode, picture.getpixel((1, 1))) == ("RGB", colour), name


@pytest.mark.parametrize("cut", [0, 10, -20])
def test_broken_files_are_value_errors(files, cut):
    data = files.encoded(Image.effect_noise((64, 64), 50).convert("RGB"), "JPEG")
    with pytest.raises(ValueError, match="cannot be read as a picture"):
        read_photograph(data[:cut])


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
def test_sixteen_bits_a_channel_keep_their_range(files, values, colour_type, colour):
    rows = np.broadcast_to(np.array(values, np.uint16), (4, 4, len(values)))
    assert read_photograph(files.png(rows, colour_type)).picture.getpixel((1, 1)) == colour


@pytest.mark.parametrize("adobe", [True, False])
def test_inverted_cmyk_of_jpeg_is_not_shown_as_a_negative(files, adobe):
    """Photoshop stores CMYK inverted and says so in an Adobe marker; without it, too, viewers take it as inverted."""
    data = files.encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=100)
    assert data.count(b"Adobe") == 1
    picture = read_photograph(data if adobe else data.replace(b"Adobe", b"Other")).picture
    assert picture.getpixel((8, 8)) == pytest.approx((255, 0, 0), abs=3)


def test_a_bomb_is_refused_before_its_pixels_are_read(files, monkeypatch):
    bomb = files.png(np.zeros((4, 4, 3), np.uint16), 2, (60_000, 60_000))
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("its pixels were read"))
    with pytest.raises(ValueError, match="decompression bomb"):
        read_photograph(bomb)


def long_tiff(pages: int, side: int = 1) -> bytes:
    """A TIFF with so many pages, of which the first is a thumbnail and none has data."""
    out, length = b"II*\0" + struct.pack("<I", 8), 2 + 12 * 10 + 4
    for page in range(pages):
        size = side if page else 1
        entries = {
            254: 0 if page else 1,
            256: size,
            257: size,
            258: 8,
            259: 1,
            262: 1,
            273: 0,
            277: 1,
            278: size,
            279: 1,
        }
        out += struct.pack("<H", 10) + b"".join(struct.pack("<HHII", n, 4, 1, v) for n, v in entries.items())
        out += struct.pack("<I", len(out) + 4 if page + 1 < pages else 0)
    assert len(out) == 8 + pages * length
    return out


def of_many_passes(passes: int) -> bytes:
    """A progressive JPEG of 9 megapixels whose last pass is repeated."""
    stream = BytesIO()
    Image.new("L", (3000, 3000), 128).save(stream, "JPEG", progressive=True)
    data = stream.getvalue()
    return data[:-2] + data[data.rfind(b"\xff\xda") : -2] * passes + data[-2:]


BOMBS = {
    "even": (lambda files: files.png(np.zeros((4, 4, 3), np.uint16), 2, (13_000, 13_000)), "169000000 pixels in"),
    "pages": (lambda files: long_tiff(20_000), "found more than 1000 pages in a TIFF"),
    "a later page": (lambda files: long_tiff(2, 60_000), "found 3600000000 pixels, expected"),
    "passes": (lambda files: of_many_passes(1000), r"a JPEG of 1\d\d\d passes over 9000000 pixels"),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_what_costs_much_and_holds_little_is_refused_at_once(kind, files, monkeypatch):
    make, words = BOMBS[kind]
    bomb = make(files)
    assert len(bomb) < 3_000_000
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("its pixels were read"))
    began = time.process_time()
    with pytest.raises(ValueError, match=words) as error:
        read_photograph(bomb)
    assert time.process_time() - began < 2
    assert "\n" not in str(error.value)


def test_many_pages_and_passes_are_read(files, noise):
    """A progressive JPEG with a thumbnail, and a TIFF of some pages."""
    data = files.encoded(noise, "JPEG", progressive=True)
    assert 5 < bombs._passes(data) < 20
    thumbnail = b"\xff\xe1" + struct.pack(">H", 2 + len(data)) + data
    assert bombs._passes(data[:2] + thumbnail + data[2:]) == bombs._passes(data)
    assert bombs._passes(files.encoded(noise, "JPEG")) == 1
    pages = files.encoded(noise, "TIFF", save_all=True, append_images=[noise] * 3)
    assert "found 4 pictures" in read_photograph(pages).notes[0]


def test_a_damaged_exif_entry_does_not_matter(files):
    """Text under the number of a numeric entry: Pillow raises struct.error when it writes such data."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "words"
    data = files.encoded(Image.new("RGB", (8, 4)), "JPEG", exif=exif)
    assert data.count(b"\x01\x0e\x00\x02") == 1
    assert read_photograph(data.replace(b"\x01\x0e\x00\x02", b"\x01\x00\x00\x02")).picture.size == (4, 8)


UPRIGHT = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
"""Two rows of three grey values, as a viewer shows them."""

AS_STORED = {
    1: UPRIGHT,
    2: np.fliplr(UPRIGHT),
    3: np.rot90(UPRIGHT, 2),
    4: np.flipud(UPRIGHT),
    5: UPRIGHT.T,
    6: np.rot90(UPRIGHT, 1),
    7: np.rot90(UPRIGHT, 2).T,
    8: np.rot90(UPRIGHT, -1),
}
"""What a camera stores under each orientation (Exif 3.0, table 6): 6 is shown turned by 90 degrees clockwise."""


@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP", "JPEG", "AVIF"])
@pytest.mark.parametrize("orientation", AS_STORED)
def test_every_orientation_of_the_camera_is_undone(files, orientation, form):
    if form == "AVIF":
        pytest.importorskip("PIL._avif", reason="Pillow was built without AVIF")
    exif = Image.Exif()
    exif[0x0112] = orientation
    keys = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100}, "AVIF": {"quality": 100}}.get(form, {})
    stored = Image.fromarray(AS_STORED[orientation].repeat(8, 0).repeat(8, 1)).convert("RGB")
    photograph = read_photograph(files.encoded(stored, form, exif=exif, **keys))
    np.testing.assert_allclose(np.asarray(photograph.picture)[4::8, 4::8, 1].astype(int), UPRIGHT, atol=3)
    original = photograph.original
    if form != "TIFF":  # Pillow turns TIFFs itself
        assert original.orientation == orientation
        assert original.picture.size == stored.size
    assert original.format == form


def test_what_is_needed_to_write_it_back_is_there(files, noise):
    exif = Image.Exif()
    exif[0x010F] = "camera"
    photograph = read_photograph(files.encoded(noise, "JPEG", exif=exif, dpi=(300, 300)), name="me")
    original = photograph.original
    again = Image.Exif()
    again.load(original.exif)
    assert (again[0x010F], original.dpi, original.format, photograph.name) == ("camera", (300, 300), "JPEG", "me")
    assert photograph.picture.tobytes() == original.picture.tobytes()
    bare = read_photograph(files.encoded(noise, "BMP")).original
    assert (bare.exif, bare.icc_profile, bare.orientation) == (None, None, 1)
    of_tiff = read_photograph(files.encoded(noise, "TIFF", exif=exif)).original.exif
    again.load(of_tiff)
    assert dict(again) == {0x010F: "camera"}, "and nothing of how the pixels are stored"


def test_pictures_in_memory(noise):
    read = read_photograph(np.asarray(noise))
    np.testing.assert_array_equal(np.asarray(read.picture), np.asarray(noise))
    assert (read.original, read.notes) == (None, ())
    of_pillow = read_photograph(noise)
    assert of_pillow.original.picture is noise
    assert of_pillow.sha256 == read.sha256 != read_photograph(noise.rotate(90)).sha256
    see_through = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    assert read_photograph(see_through).picture.getpixel((1, 1)) == (255, 255, 255)
    for wrong in (np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(UnreadablePicture, match=r"^who: .*; expected uint8 RGB \[H, W, 3\]"):
            read_photograph(wrong, name="who")


def several(noise, form, **keys):
    more = [noise.rotate(90 * turn) for turn in (1, 2)]
    return {"save_all": True, "append_images": more, **keys}


@pytest.mark.parametrize("form", ["TIFF", "WEBP", "PNG", "AVIF"])
def test_of_several_pictures_the_first_is_read_and_a_note_says_so(files, noise, form):
    if form == "AVIF":
        pytest.importorskip("PIL._avif", reason="Pillow was built without AVIF")
    keys = {"WEBP": {"lossless": True}, "AVIF": {"quality": 100, "subsampling": "4:4:4"}}.get(form, {})
    data = files.encoded(noise, form, **several(noise, form, **keys))
    photograph = read_photograph(data)
    assert photograph.notes == (
        "further pictures of the file are not read: found 3 pictures, of which the first is read; save the others "
        "as files of their own",
    )
    far = np.abs(np.asarray(photograph.picture).astype(int) - np.asarray(noise)).max()
    assert far <= (12 if form == "AVIF" else 0)
    assert count_pictures(data) == 3
    assert count_pictures(files.encoded(noise, form)) == 1


def test_the_second_picture_of_a_phone_is_no_page(files, noise):
    data = files.encoded(noise, "MPO", save_all=True, append_images=[noise.rotate(180)])
    photograph = read_photograph(data)
    assert (photograph.original.format, photograph.notes, count_pictures(data)) == ("MPO", (), 1)


def test_a_thumbnail_in_a_tiff_is_no_page(files, noise):
    small = noise.resize((8, 6))
    small.encoderinfo = {"tiffinfo": {254: 1}}
    data = files.encoded(noise, "TIFF", save_all=True, append_images=[small])
    assert read_photograph(data).notes == ()
    first = files.encoded(small, "TIFF", save_all=True, append_images=[noise], tiffinfo={254: 1})
    with pytest.raises(UnreadablePicture, match=r"found a thumbnail alone, as in a camera's raw file; save it as JPEG"):
        read_photograph(files.tiff(b"\0" * 64, (8, 8), (8,), 1, t254=1))
    assert count_pictures(first) >= 1


NAMED = {
    "empty": (b"", "the file is empty; copy it again"),
    "text": (b"not a picture", "found text, expected JPEG, PNG, TIFF, WebP, BMP, AVIF or HEIC; save it as JPEG or PNG"),
    "bytes": (bytes(range(256)), "found none of these, expected JPEG, PNG"),
    "eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "found an EPS or PostScript file"),
    "gif": (b"GIF89a\1\0\1\0", "found a GIF, expected JPEG.*save it as JPEG or PNG"),
    "pdf": (b"%PDF-1.7", "found a PDF"),
    "film": (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "found a film.*save one frame of it"),
    "CR3": (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "camera's raw file .CR3."),
    "avif": (b"\0\0\0\x18ftypavif\0\0\0\0mif1miaf" + b"\0" * 40, "AVIF"),
}


@pytest.mark.parametrize("kind", NAMED)
def test_what_is_no_picture_is_named(kind, tmp_path):
    data, words = NAMED[kind]
    path = tmp_path / "face.png"
    path.write_bytes(data)
    with pytest.raises(UnreadablePicture, match=words) as raised:
        read_photograph(path)
    assert str(raised.value).startswith(f"{path}: cannot be read as a picture: ")
    assert len(str(raised.value).splitlines()) == 1
    assert raised.value.reason in str(raised.value)


def test_a_picture_is_read_whatever_it_is_called(files, noise, tmp_path):
    (tmp_path / "face.txt").write_bytes(files.encoded(noise))
    assert read_photograph(tmp_path / "face.txt").picture.size == (64, 48)
    assert read_photograph(str(tmp_path / "face.txt"), name="who").name == "who"


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "WEBP", "BMP", "AVIF"])
@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_files_that_are_cut_short_are_refused(files, noise, form, share):
    if form == "AVIF":
        pytest.importorskip("PIL._avif", reason="Pillow was built without AVIF")
    data = files.encoded(noise, form)
    with pytest.raises(UnreadablePicture, match=r"^me: cannot be read as a picture: .*(again|save it as JPEG)"):
        read_photograph(data[: int(share * len(data))], name="me")


def test_places_without_a_file_are_named(tmp_path, monkeypatch):
    (tmp_path / "loop.png").symlink_to("gone.png")
    cases = {
        tmp_path: "not a regular file but a folder",
        tmp_path / "loop.png": "a link that leads nowhere; remove it",
        tmp_path / "none.png": "there is no such file; check the name",
    }
    for path, words in cases.items():
        with pytest.raises(UnreadablePicture, match=rf"^{path}: {words}"):
            read_photograph(path)
    (tmp_path / "mine.png").write_bytes(b"x")

    def denied(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_bytes", denied)
    with pytest.raises(UnreadablePicture, match=r"mine\.png: may not be read \(permission denied\)"):
        read_photograph(tmp_path / "mine.png")


def test_heic_of_a_phone(files, noise):
    pillow_heif = pytest.importorskip("pillow_heif", reason="the extra heif is not installed")
    exif = Image.Exif()
    exif[0x0112] = 6
    stream = BytesIO()
    pillow_heif.from_pillow(noise).save(stream, quality=-1, exif=exif.tobytes())
    photograph = read_photograph(stream.getvalue())
    assert photograph.original.format == "HEIF"
    assert photograph.notes == ()
    assert photograph.picture.size in ((64, 48), (48, 64))


def test_without_its_reader_heic_is_explained(monkeypatch):
    monkeypatch.setattr("palsykit.photographs.kinds.find_spec", lambda name: None)
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)
    with pytest.raises(
        UnreadablePicture, match=r"an HEIC file, whose reader is missing; pip install 'palsykit\[heif\]'"
    ):
        read_photograph(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 40)


def test_what_pillow_says_stays_on_one_line(files, noise, monkeypatch):
    def fails(*arguments, **keys):
        raise ValueError("two\nlines\n")

    monkeypatch.setattr("palsykit.photographs.read.Image.open", fails)
    with pytest.raises(UnreadablePicture, match=r"^me: cannot be read as a picture: two lines; copy the file again"):
        read_photograph(files.encoded(noise), name="me")
