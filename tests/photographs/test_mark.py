"""A synthetic picture says so in its file, in every format; the photograph's own secrets do not come along."""

import json
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from palsykit import __version__
from palsykit.errors import PalsykitError
from palsykit.photographs.files import UnreadablePicture
from palsykit.photographs.mark import read_mark, write_marked
from palsykit.photographs.read import read_photograph
from palsykit.photographs.visible import add_visible_mark

FACTS = {"recipe": "a<b>&\"'", "seed": 3, "side": "left", "severity": 4.0, "source": "ff" * 32, "subject": "Zoë"}
FORMATS = ["a.png", "a.jpg", "a.JPEG", "a.webp", "a.tif"]


def camera_exif(thumbnail):
    """What a phone writes: date, position, a maker's note and a thumbnail of the photograph."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E], exif[0x010F] = 6, "as it was", "camera"
    exif.get_ifd(0x8769).update({0x9003: "2020:01:01 00:00:00", 0x927C: b"maker's secret", 0xA002: 4000})
    exif.get_ifd(0x8825)[2] = (51.0, 30.0, 0.0)
    data = exif.tobytes()
    link = 14 + 12 * int.from_bytes(data[14:16], "big" if data[6:8] == b"MM" else "little") + 2
    order = "big" if data[6:8] == b"MM" else "little"
    start = len(data) - 6
    second = (2).to_bytes(2, order)
    for tag, value in ((0x0201, start + 30), (0x0202, len(thumbnail))):
        second += tag.to_bytes(2, order) + (4).to_bytes(2, order) + (1).to_bytes(4, order) + value.to_bytes(4, order)
    return data[:link] + start.to_bytes(4, order) + data[link + 4 :] + second + b"\0" * 4 + thumbnail


@pytest.mark.parametrize("name", FORMATS)
def test_the_mark_is_read_back_and_standards_are_kept(name, noise, tmp_path):
    path = tmp_path / "new" / name
    write_marked(noise, path, FACTS)
    assert read_mark(path) == {"synthetic": True, "palsykit": __version__, **FACTS}
    data = path.read_bytes()
    assert b"digitalsourcetype/compositeWithTrainedAlgorithmicMedia" in data
    with Image.open(path) as opened:
        exif = opened.getexif()
        assert exif[0x0131] == f"palsykit {__version__}"
        assert exif[0x010E].startswith("A photograph with a synthetic face, made by palsykit")
        if opened.format == "PNG":
            assert opened.text["Software"] == f"palsykit {__version__}"
            assert "synthetic" in opened.text["Description"]
    write_marked(noise, path, FACTS)
    assert path.read_bytes() == data, "the same call writes the same bytes"
    assert [file.name for file in path.parent.iterdir()] == [name]


@pytest.mark.parametrize("facts", [{"seed": 1}, {"source": "ff", "composite": False}])
def test_a_picture_without_a_part_of_a_photograph_is_generated(facts, noise, tmp_path):
    write_marked(noise, tmp_path / "a.jpg", facts)
    data = (tmp_path / "a.jpg").read_bytes()
    assert b"digitalsourcetype/trainedAlgorithmicMedia" in data
    assert b"composite" not in data.replace(b'"composite": false', b"")


@pytest.mark.parametrize("name", FORMATS)
def test_pixels_profile_resolution_and_exif_are_kept_but_what_shows_the_photograph(name, noise, files, tmp_path):
    thumbnail = files.encoded(noise.resize((8, 6)), "JPEG")
    exif = camera_exif(thumbnail)
    check = Image.Exif()
    check.load(exif)
    assert check.get_ifd(-1)[0x0202] == len(thumbnail), "the thumbnail is where readers look for it"
    profile = files.rgb_profile(((0.6, 0.3, 0.02), (0.2, 0.6, 0.06), (0.15, 0.06, 0.74)), 2.2)
    path = tmp_path / name
    write_marked(noise, path, FACTS, icc_profile=profile, exif=exif, dpi=(300, 300))
    data = path.read_bytes()
    assert not any(secret in data for secret in (thumbnail, b"maker's secret", b"as it was"))
    with Image.open(path) as opened:
        own = opened.getexif()
        assert (own[0x010F], own[0x0112], opened.info["icc_profile"]) == ("camera", 6, profile)
        assert own.get_ifd(0x8769)[0x9003] == "2020:01:01 00:00:00"
        assert own.get_ifd(0x8769)[0xA002] == noise.width
        assert own.get_ifd(0x8825) == own.get_ifd(-1) == {}
        if name != "a.webp":  # which has no place for it
            assert opened.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        opened.load()
        if "j" not in name.lower() and "tif" not in name:
            assert opened.tobytes() == noise.tobytes()
    upright = read_photograph(path).picture
    assert upright.size == noise.size[::-1]


def test_damaged_exif_is_no_hindrance(noise, tmp_path):
    for exif in (b"Exif\0\0II*\0nonsense", b"nonsense", b""):
        write_marked(noise, tmp_path / "a.jpg", FACTS, exif=exif)
    with Image.open(tmp_path / "a.jpg") as opened:
        assert opened.getexif()[0x010E].startswith("A photograph")


def test_what_pillow_remembers_of_a_photograph_is_not_written(noise, files, tmp_path):
    """Its text chunks and its own mark, XMP and Photoshop's data, of which some hold a thumbnail."""
    packet = b"<x>a photographer's words</x>"
    stored = [
        files.encoded(noise, "TIFF", tiffinfo={700: packet, 34377: b"8BIM of Photoshop"}),
        files.encoded(noise, "JPEG", xmp=packet, comment=b"a photographer's words"),
    ]
    for data in stored:
        original = read_photograph(data).original
        for name in FORMATS:
            write_marked(original.picture, tmp_path / name, FACTS)
            written = (tmp_path / name).read_bytes()
            assert b"photographer" not in written
            assert b"8BIM" not in written


@pytest.mark.parametrize(
    ("mode", "names"),
    [("L", FORMATS[:3]), ("RGBA", ["a.png", "a.webp", "a.tif"]), ("CMYK", ["a.jpg", "a.tif"]), ("P", ["a.png"])],
)
def test_modes_of_photographs_stay(mode, names, noise, tmp_path):
    for name in names:
        write_marked(noise.convert(mode), tmp_path / name, FACTS, visible=mode != "P")
        with Image.open(tmp_path / name) as opened:
            assert opened.convert(mode).size == noise.size
            assert opened.mode in (mode, "RGB" if name == "a.webp" else mode), "an opaque WebP has no transparency"


@pytest.mark.parametrize(
    ("name", "mode", "words"),
    [
        ("a.gif", "RGB", r"a\.gif: found suffix '\.gif', expected one of \.png, \.jpg"),
        ("a", "RGB", r"found no suffix, expected one of"),
        ("a.jpg", "RGBA", r"a\.jpg: JPEG cannot hold a picture of mode RGBA; expected one of L, RGB, CMYK; choose"),
        ("a.png", "CMYK", r"PNG cannot hold a picture of mode CMYK"),
    ],
)
def test_what_cannot_be_written_is_refused(name, mode, words, noise, tmp_path):
    with pytest.raises(PalsykitError, match=words):
        write_marked(noise.convert(mode), tmp_path / name, FACTS)
    assert not list(tmp_path.iterdir())


def test_a_mark_that_cannot_be_read_back_is_no_success(noise, tmp_path, monkeypatch):
    monkeypatch.setattr("palsykit.photographs.mark.xmp", lambda facts: b"<x/>")
    with pytest.raises(PalsykitError, match=r"the mark cannot be read back \(found None\); nothing was written"):
        write_marked(noise, tmp_path / "a.jpg", FACTS)
    assert not list(tmp_path.iterdir())


def test_facts_are_json(noise, tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_marked(noise, tmp_path / "a.png", {"severity": float("nan")})


def test_files_without_a_mark_and_with_a_damaged_one(noise, files, tmp_path):
    path = tmp_path / "a.png"
    for form in ("PNG", "JPEG", "TIFF", "WEBP", "BMP"):
        path.write_bytes(files.encoded(noise, form))
        assert read_mark(path) is None
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa">]><x xmlns:palsykit="urn:palsykit:mark/">&a;</x>'
    path.write_bytes(files.encoded(noise, "JPEG", xmp=bomb))
    assert read_mark(path) is None
    whole = BytesIO()
    noise.save(whole, "JPEG", xmp=b'<x xmlns:p="urn:palsykit:mark/" p:mark="{&quot;a&quot;: 1}"/>')
    path.write_bytes(whole.getvalue())
    assert read_mark(path) == {"a": 1}, "another program wrote the packet anew"
    for packet in (b'<x xmlns:p="urn:palsykit:mark/"', b'<x xmlns:p="urn:palsykit:mark/" p:mark="[1"/>'):
        path.write_bytes(files.encoded(noise, "JPEG", xmp=packet))
        with pytest.raises(UnreadablePicture, match=r"a\.png: its .*damaged"):
            read_mark(path)
    path.write_bytes(b"text")
    with pytest.raises(UnreadablePicture, match=r"a\.png: cannot be read as a picture"):
        read_mark(path)


@pytest.mark.parametrize("size", [(40, 40), (64, 64), (600, 400), (400, 600)])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_the_visible_mark_is_in_the_corner_that_is_shown(size, orientation, tmp_path):
    stored = Image.new("RGB", size, (90, 120, 150))
    exif = Image.Exif()
    exif[0x0112] = orientation
    write_marked(stored, tmp_path / "a.png", {}, exif=exif.tobytes(), visible=True)
    shown = np.asarray(read_photograph(tmp_path / "a.png").picture).astype(int)
    changed = np.argwhere((shown != (90, 120, 150)).any(-1))
    assert len(changed) > 50
    height, width = shown.shape[:2]
    (top, left), (bottom, right) = changed.min(0), changed.max(0)
    assert top > height * 0.6, "low"
    assert bottom < height
    assert width - right <= height * 0.1 + 3, "at the right"
    assert shown[changed[:, 0], changed[:, 1]].max() > 200, "white letters"
    assert shown[changed[:, 0], changed[:, 1]].min() < 40, "with a dark edge"
    assert right - left > bottom - top
    assert stored.getcolors() == [(size[0] * size[1], (90, 120, 150))], "the picture given is left alone"


def test_without_being_asked_nothing_is_drawn(noise, tmp_path):
    write_marked(noise, tmp_path / "a.png", {})
    with Image.open(tmp_path / "a.png") as opened:
        assert opened.tobytes() == noise.tobytes()
    assert add_visible_mark(noise.convert("CMYK")).mode == "CMYK"
    assert json.dumps(read_mark(tmp_path / "a.png"))
