"""Folders of one's own photographs: drawn faces with metadata, and what a run has written."""

import csv
import json
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from palsykit.faces.alignment import FRAME, five_points
from palsykit.faces.pairing import grid
from palsykit.faces.vocabulary import EXPRESSIONS, FaceLabels, Group, Side
from palsykit.registry import registry
from palsykit.run.generate import generate
from palsykit.run.parts import Data
from palsykit_datasets.imagefolder import imagefolder

SIZE = 64
COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255)]


def turned(scale=100.0, angle=0.0, at=(80.0, 70.0)):
    """The frame's five points [5, 2] in a photograph with the face ``scale`` px wide, turned and moved."""
    cos, sin = np.cos(angle), np.sin(angle)
    return (FRAME - 0.5) @ np.array([[cos, sin], [-sin, cos]]) * scale + at


def spots(points, size=(180, 150), shade=0):
    """A photograph with a coloured disc, 4 px in radius and anti-aliased, about each of the five points."""
    pixels = np.tile([120.0, 110.0, 100.0 + shade], (size[1], size[0], 1))
    y, x = np.mgrid[: size[1], : size[0]] + 0.5
    for (u, v), colour in zip(points, COLOURS, strict=True):
        cover = np.clip(4.5 - np.hypot(x - u, y - v), 0, 1)[..., None]
        pixels = pixels * (1 - cover) + cover * np.array(colour)
    return Image.fromarray(pixels.round().astype(np.uint8))


def landmarks_of(five):
    """68 landmarks [68, 2] whose five points are these."""
    points = np.tile(five.mean(0), (68, 1))
    points[36:42], points[42:48], points[30], points[48], points[54] = five
    return points


def write(root, rows, form="jsonl"):
    """Writes the rows' pictures (under ``picture``) and their metadata."""
    root.mkdir(exist_ok=True)
    lines = []
    for given_row in rows:
        row = dict(given_row)
        if (picture := row.pop("picture", None)) is not None:
            (root / row["file_name"]).parent.mkdir(parents=True, exist_ok=True)
            picture.save(root / row["file_name"])
        lines.append(row)
    if form == "jsonl":
        (root / "metadata.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        return root
    columns = list(dict.fromkeys(column for line in lines for column in line))
    with (root / "metadata.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(lines)
    return root


def dataset(root, size=SIZE, **keys):
    return imagefolder(size, root.parent / "cache", root=root, **keys)


def two(root, form="jsonl"):
    five, other = turned(), turned(120, 0.3, (90, 75))
    rows = [
        {"file_name": "a/1.png", "subject": "A", "expression": "big smile", "side": "left", "severity": 4}
        | {"landmarks": landmarks_of(five).tolist(), "picture": spots(five)},
        {"file_name": "a/2.png", "subject": "A", "points5": other.tolist(), "picture": spots(other)},
        {
            "file_name": "3.png",
            "subject": "B",
            "expression": "rest",
            "picture": spots(turned(64, at=(32, 32)), (64, 64)),
        },
    ]
    return write(root, rows, form)


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_labels_are_what_the_metadata_says_and_no_more(tmp_path, form):
    faces = dataset(two(tmp_path / "own", form), attribution="mine")
    assert [r.key for r in faces.records] == ["a/1.png", "a/2.png", "3.png"]
    assert [r.labels for r in faces.records] == [
        FaceLabels("A", "smile_full", Side.LEFT, 4.0),
        FaceLabels("A"),
        FaceLabels("B", "rest"),
    ]
    assert [r.landmarks_source for r in faces.records] == ["given", None, None]
    assert [r.split for r in faces.records] == [None] * 3
    assert (faces.rejected, faces.attribution, faces.image_size) == ([], "mine", SIZE)


@settings(max_examples=15, deadline=None)
@given(
    st.floats(60, 130),
    st.floats(-1.5, 1.5),
    st.sampled_from(list(Side)),
    st.sampled_from(["landmarks", "points5"]),
)
def test_points_lead_to_the_frame_and_sides_stay(tmp_path_factory, scale, angle, side, column):
    """The spot that is image-left, the subject's right, stays there, and so does the label."""
    root = tmp_path_factory.mktemp("turned") / "own"
    five = turned(scale, angle, (95.0, 85.0))
    points = five if column == "points5" else landmarks_of(five)
    row = {"file_name": "f.png", "subject": "S", "side": side.value, column: points.tolist()}
    faces = dataset(write(root, [row | {"picture": spots(five, (190, 170))}]))
    (face,) = faces.records
    picture = faces.image(face)
    assert (picture.shape, picture.dtype, face.labels.side) == ((SIZE, SIZE, 3), np.uint8, side)
    for index, colour in enumerate(COLOURS):
        weight = np.clip(200 - np.abs(picture.astype(float) - colour).sum(-1), 0, None)
        v, u = np.mgrid[:SIZE, :SIZE] + 0.5
        centre = np.array([(weight * u).sum(), (weight * v).sum()]) / weight.sum()
        np.testing.assert_allclose(centre, FRAME[index] * SIZE, atol=0.35)
    if column == "landmarks":
        np.testing.assert_allclose(five_points(face.landmarks), FRAME * SIZE, atol=1e-3)
        assert face.landmarks.dtype == np.float32


def test_what_generate_writes_is_read_back(tmp_path):
    """images/ with its metadata, from the writer itself: same pixels, same labels, landmarks unknown."""
    source = dataset(two(tmp_path / "own"))
    knobs = SimpleNamespace(split="train", identities=2, batch_size=2, seed=1)
    data = Data(source, 0)
    pairs = grid(data.splits["train"], 0)
    settings_of_run = SimpleNamespace(generate=knobs, seed=0)
    parts = SimpleNamespace(
        recipe=SimpleNamespace(hash="0", name="own"),
        settings=settings_of_run,
        data=lambda: data,
        device="cpu",
        chosen_pairs=pairs,
    )
    mirror = SimpleNamespace(generate=lambda faces, seeds: faces.target.image)
    generate(SimpleNamespace(images=tmp_path / "images"), parts, mirror, {})
    again = dataset(tmp_path / "images")
    originals = {record.key: record for record in source.records}
    lines = [json.loads(line) for line in (tmp_path / "images/metadata.jsonl").read_text().splitlines()]
    assert len(again.records) == len(lines) >= 2
    assert again.rejected == []
    for record, line in zip(again.records, lines, strict=True):
        original = originals[line["driver"]]
        np.testing.assert_array_equal(again.image(record), source.image(original))
        assert (record.labels, record.landmarks) == (original.labels, None)


def test_frame_says_what_points_are_for(tmp_path):
    five = turned(80, at=(60.0, 60.0))
    row = {"subject": "A", "landmarks": landmarks_of(five).tolist()}
    plain = {"file_name": "p.png", "subject": "B", "picture": Image.new("RGB", (90, 90), "gray")}
    root = write(tmp_path / "own", [row | {"file_name": "f.png", "picture": spots(five, (128, 128))}, plain])
    for _ in range(2):  # afresh and from the cache
        kept = dataset(root, frame="aligned").records[0]
        np.testing.assert_allclose(five_points(kept.landmarks), five / 2, atol=1e-3)
        np.testing.assert_allclose(five_points(dataset(root).records[0].landmarks), FRAME * SIZE, atol=1e-3)
    strict = dataset(root, frame="points")
    assert [r.key for r in strict.records] == ["f.png"]
    assert "no face was found" in strict.rejected[0].reason


def test_what_cannot_be_used_is_listed_with_its_reason(tmp_path, monkeypatch):
    root, row = two(tmp_path / "own"), {"subject": "A"}
    five = turned()
    more = [
        row | {"file_name": "oblong.png", "picture": Image.new("RGB", (64, 50))},
        row | {"file_name": "tiny.png", "picture": Image.new("RGB", (15, 15))},
        row | {"file_name": "far.png", "points5": turned(12).tolist(), "picture": spots(five, shade=1)},
        row | {"file_name": "out.png", "points5": (five + 100).tolist(), "picture": spots(five, shade=2)},
        row | {"file_name": "missing.png"},
        row | {"file_name": "broken.png"},
        row | {"file_name": "cut.png"},
        row | {"file_name": "copy.png"},
        row | {"file_name": "bomb.png", "picture": Image.new("L", (700, 700))},
    ]
    old = (root / "metadata.jsonl").read_text()
    write(root, more)
    (root / "metadata.jsonl").write_text(old + "\n" + (root / "metadata.jsonl").read_text())
    (root / "broken.png").write_bytes(b"no picture")
    (root / "cut.png").write_bytes((root / "a/1.png").read_bytes()[:-200])
    (root / "copy.png").write_bytes((root / "3.png").read_bytes())
    Image.new("RGB", (64, 64)).save(root / "unnamed.png")
    Image.new("RGB", (64, 64)).save(root / ".hidden.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 200_000)
    faces = dataset(root)
    assert len(faces.records) == 3
    reasons = {Path(r.path).name: r.reason for r in faces.rejected}
    expected = {
        "oblong.png": "no face was found",
        "tiny.png": "too small: found 15 x 15 px",
        "far.png": "the face is too small: its frame is 12 px wide",
        "out.png": "outside the picture of 180 x 150 px",
        "missing.png": "there is no such file",
        "broken.png": "cannot be read as a picture",
        "cut.png": "cannot be read as a picture",
        "copy.png": "the same picture as 3.png of subject B",
        "bomb.png": "decompression bomb",
        "unnamed.png": "the metadata has no row for it",
    }
    assert reasons.keys() == expected.keys()
    assert [name for name, words in expected.items() if words not in reasons[name]] == []


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_damage_to_a_file_is_an_exception(tmp_path_factory, data):
    root = tmp_path_factory.mktemp("damaged") / "own"
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8))
    stream, exif = BytesIO(), Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "words"
    noise.save(stream, data.draw(st.sampled_from(["PNG", "JPEG", "TIFF", "WEBP", "BMP"])), exif=exif)
    damaged = bytearray(stream.getvalue())
    for place in data.draw(st.lists(st.integers(0, len(damaged) - 1), min_size=1, max_size=6)):
        damaged[place] = data.draw(st.integers(0, 255))
    rows = [
        {"file_name": "sound.png", "subject": "A", "picture": Image.new("RGB", (20, 20))},
        {"file_name": "hurt.png", "subject": "A"},
    ]
    write(root, rows)
    (root / "hurt.png").write_bytes(bytes(damaged[: data.draw(st.integers(0, len(damaged)))]))
    faces = dataset(root, 16)
    assert len(faces.records) + len(faces.rejected) == 2


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"subject": ""}, "found no subject, expected one for every picture"),
        ({"subject": True}, "found subject True, expected text"),
        ({"side": "L"}, "found side 'L', expected one of left, right, bilateral, none"),
        ({"severity": 7}, "found severity 7, expected a House-Brackmann grade, a number from 1 to 6"),
        ({"severity": "III"}, "found severity 'III', expected a House-Brackmann grade"),
        ({"severity": float("nan")}, "found severity nan, expected"),
        ({"split": "val"}, "found split 'val', expected one of train, validation, test"),
        ({"split": "test"}, "found split 'test' where .*:1 has None; expected one for every picture or for none"),
        (
            {"expression": "grin"},
            r"unknown expression 'grin'; expected one of rest, .*expressions: \{grin: smile_full\}",
        ),
        ({"points5": [[1, 2]]}, r"found points5 \[\[1, 2\]\], expected 5 pairs"),
        ({"landmarks": "some"}, "found landmarks 'some', expected 68 pairs"),
        ({"points5": FRAME.tolist()}, "found eyes 0.25 px apart .*; give points in px, not as fractions"),
        ({"points5": turned()[[1, 0, 2, 4, 3]].tolist()}, "found a mirrored face"),
        ({"points5": turned()[[0, 1, 2, 4, 3]].tolist()}, "found a mirrored face"),
        ({"file_name": "../b.png"}, r"found file_name '\.\./b.png', expected a path below"),
        ({"file_name": "a.png"}, "found 'a.png' again, expected one row a picture"),
        ({"Side": "left"}, "found column 'Side', expected 'side'"),
    ],
)
def test_malformed_metadata_stops_with_file_and_line(tmp_path, cells, message):
    rows = [{"file_name": "a.png", "subject": "A", "picture": Image.new("RGB", (20, 20))}]
    root = write(tmp_path / "own", [*rows, {"file_name": "b.png", "subject": "A"} | cells])
    with pytest.raises(ValueError, match=rf"metadata\.jsonl:2: {message}"):
        dataset(root)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("metadata.jsonl", b'{"file_name": "a.png"', "jsonl:1: found no JSON"),
        ("metadata.jsonl", b"[]", "jsonl:1: found .*, expected an object"),
        ("metadata.jsonl", b'\n{"subject": "A"}', "jsonl:2: found columns .'subject'., expected file_name"),
        ("metadata.jsonl", b'{}\n"\xff"', "jsonl:2: found bytes that are not text"),
        ("metadata.csv", b"file_name,subject\na.png,A,left\n", "csv:2: found another number of cells"),
        ("metadata.csv", b"file_name,subject\na.png\n", "csv:2: found another number of cells"),
        ("metadata.csv", b"path,subject\na.png,A\n", "csv:1: found columns"),
        ("metadata.csv", b"", "csv:1: found columns"),
        ("metadata.csv", b"file_name,side,side\na,left,right\n", "csv:1: found column 'side', expected 'side', once"),
        ("metadata.csv", b'file_name,subject\na.png,"A\n', "csv:2: found no CSV"),
        ("metadata.jsonl", b"", "no picture in .* can be used .the metadata has no rows"),
        ("other.jsonl", b"", "found neither of metadata.jsonl and metadata.csv"),
    ],
)
def test_files_that_are_no_metadata_stop(tmp_path, name, content, message):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        dataset(tmp_path / "own")


def test_folders_that_cannot_serve_say_what_is_expected(tmp_path):
    with pytest.raises(ValueError, match="is not a folder; set the key root"):
        dataset(tmp_path / "nowhere")
    root = two(tmp_path / "own")
    (root / "metadata.csv").write_text("file_name,subject\n")
    with pytest.raises(ValueError, match="found both of"):
        dataset(root)


def test_own_words_are_mapped_or_kept(tmp_path):
    words = ["grin", "snarl", "neutral", *EXPRESSIONS]
    rows = [
        {"file_name": f"{i}.png", "subject": 7, "expression": word, "picture": Image.new("RGB", (20, 20), (i, 0, 0))}
        for i, word in enumerate(words)
    ]
    root = write(tmp_path / "own", rows)
    faces = dataset(root, expressions={"grin": "LargeSmile", "snarl": "snarl"})
    assert [r.labels.expression for r in faces.records] == ["smile_full", "snarl", "rest", *EXPRESSIONS]
    assert {r.labels.subject for r in faces.records} == {"7"}
    with pytest.raises(ValueError, match=r"\{grin: laugh\}: unknown expression 'laugh'.*\{grin: grin\} to keep it"):
        dataset(root, expressions={"grin": "laugh"})


def test_splits_are_prescribed_by_the_column(tmp_path):
    row = {"subject": "A", "split": "train"}
    rows = [row | {"file_name": f"{i}.png", "picture": Image.new("RGB", (20, 20), (i, 0, 0))} for i in range(3)]
    rows[2] |= {"subject": "B", "split": "test"}
    assert [r.split for r in dataset(write(tmp_path / "own", rows)).records] == ["train", "train", "test"]
    rows[1] |= {"split": "test"}
    with pytest.raises(ValueError, match="jsonl:2: found subject 'A' in test and, above, in train; expected one"):
        dataset(write(tmp_path / "own", rows))


def test_points_are_those_of_the_upright_picture(tmp_path):
    five = turned()
    upright = spots(five)
    root = write(
        tmp_path / "own", [{"file_name": "f.png", "subject": "A", "points5": five.tolist(), "picture": upright}]
    )
    stored = dataset(root)
    exif = Image.Exif()
    exif[0x0112] = 6
    upright.transpose(Image.Transpose.ROTATE_90).save(root / "f.png", exif=exif)
    turned_camera = dataset(root)
    np.testing.assert_array_equal(stored.image(stored.records[0]), turned_camera.image(turned_camera.records[0]))


def test_aligned_pictures_are_cached_by_content(tmp_path):
    root = two(tmp_path / "own")
    first = dataset(root)
    files = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "cache").glob("*.png")}
    again = dataset(root)
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "cache").glob("*.png")} == files
    for one, other in zip(first.records, again.records, strict=True):
        np.testing.assert_array_equal(first.image(one), again.image(other))
    np.testing.assert_array_equal(again.records[0].landmarks, first.records[0].landmarks)
    assert dataset(root, 32).image(first.records[0]).shape == (32, 32, 3)
    spots(turned(), shade=9).save(root / "a/1.png")
    changed = dataset(root)
    assert not np.array_equal(changed.image(changed.records[0]), again.image(again.records[0]))


def test_is_registered():
    assert registry().get("datasets", "imagefolder").load() is imagefolder


def test_scores_group_and_the_landmarks_source_are_read(tmp_path):
    five = turned()
    cells = {"group": "flaccid", "sunnybrook": 40, "eface": "77.5", "landmarks": landmarks_of(five).tolist()}
    row = {"file_name": "f.png", "subject": "A", "landmarks_source": "predicted", "picture": spots(five)}
    (face,) = dataset(write(tmp_path / "own", [row | cells])).records
    assert face.labels == FaceLabels("A", group=Group.FLACCID, sunnybrook=40.0, eface=77.5)
    assert face.landmarks_source == "predicted"
    for column, value, words in (
        ("group", "nonflaccid", "one of normal, flaccid, synkinetic"),
        ("eface", 101, "a score, a number from 0 to 100"),
        ("landmarks_source", "guessed", "one of given, predicted"),
    ):
        with pytest.raises(ValueError, match=f"found {column} '?{value}'?, expected {words}"):
            dataset(write(tmp_path / "own", [row | cells | {column: value}]))
