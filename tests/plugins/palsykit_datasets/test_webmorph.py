"""A folder of drawn faces with templates, and the London set where it is at hand."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from palsykit.faces.alignment import FRAME, five_points
from palsykit.faces.webmorph import to_ibug68
from palsykit.registry import registry
from palsykit.testing import check
from palsykit_datasets.webmorph import webmorph

LONDON = Path(__file__).parents[4] / "shared" / "data" / "london"
COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255)]


def template_points(shift=(0.0, 0.0), scale=1.0):
    """189 points [189, 2] px of a schematic face about (128, 128): lids, nose and mouth where they must be."""
    points = np.tile([128.0, 150.0], (189, 1)) + np.random.default_rng(0).normal(0, 30, (189, 2))
    for middle, above, below in ((95, range(18, 23), range(28, 31)), (161, range(23, 28), range(31, 34))):
        points[list(above)] = [(middle + x, 110 - y) for x, y in ((-12, 0), (-6, 5), (0, 7), (6, 5), (12, 0))]
        points[list(below)] = [(middle + x, 110 + y) for x, y in ((-6, 5), (0, 7), (6, 5))]
    for side, x in ((range(50, 55), 122), (range(56, 61), 134)):
        points[list(side)] = [(x, y) for y in (110, 120, 130, 138, 146)]
    points[55], points[87], points[93] = (128, 152), (102, 187), (156, 187)
    return (points - 128) * scale + 128 + shift


def draw(path, points, side=256, template=True):
    """Writes a photograph with a coloured spot on each of the five points, and its template."""
    picture = Image.new("RGB", (side, side), (120, 110, 100))
    for (x, y), colour in zip(five_points(to_ibug68(points)), COLOURS, strict=True):
        ImageDraw.Draw(picture).ellipse((x - 7, y - 7, x + 7, y + 7), fill=colour)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)
    if template:
        lines = ["189", *(f"{x:.3f}\t{y:.3f}" for x, y in points), "1", "0", "2", "1 2"]
        path.with_suffix(".tem").write_text("\n".join(lines))


@pytest.fixture
def tree(tmp_path):
    """Two subjects at rest and smiling; the smiles have no template, and the head has moved."""
    root = tmp_path / "faces"
    for number, (subject, shift) in enumerate({"001": (5.0, -8.0), "002": (-9.0, 4.0)}.items()):
        points = template_points(shift, 1 + 0.1 * number)
        draw(root / "neutral" / f"{subject}_03.png", points)
        draw(root / "smiling" / f"{subject}_08.png", points + np.array([6, 11]), template=False)
    return root


def dataset(root, **keys):
    return webmorph(64, root.parent / "cache", root=root, **keys)


def record(faces, key):
    return next(r for r in faces.records if r.key == key)


def splits(root, text):
    path = root.parent / "splits.csv"
    path.write_text(text)
    return path


def test_labels_say_what_the_folder_says_and_no_more(tree):
    faces = dataset(tree, attribution="drawn")
    assert [r.key for r in faces.records] == [
        "neutral/001_03.png",
        "neutral/002_03.png",
        "smiling/001_08.png",
        "smiling/002_08.png",
    ]
    assert [r.labels.subject for r in faces.records] == ["001", "002"] * 2
    assert [r.labels.expression for r in faces.records] == ["rest", "rest", "smiling", "smiling"]
    assert all(r.labels.side is None and r.labels.severity is None and r.split is None for r in faces.records)
    assert (faces.rejected, faces.attribution, faces.image_size) == ([], "drawn", 64)


def test_eyes_nose_and_mouth_land_in_the_frame(tree):
    """With and without a template, at every subject's own place and size."""
    faces = dataset(tree)
    for face in faces.records:
        picture = faces.image(face)
        assert (picture.shape, picture.dtype) == ((64, 64, 3), np.uint8)
        for index, colour in enumerate(COLOURS):
            weight = np.clip(200 - np.abs(picture.astype(float) - colour).sum(-1), 0, None)
            v, u = np.mgrid[:64, :64] + 0.5
            centre = np.array([(weight * u).sum(), (weight * v).sum()]) / weight.sum()
            np.testing.assert_allclose(centre, FRAME[index] * 64, atol=2.5)  # the drawn face is not quite the frame's
            if face.landmarks is not None:
                np.testing.assert_allclose(centre, five_points(face.landmarks)[index], atol=0.3)


def test_landmarks_are_given_or_unknown(tree):
    faces = dataset(tree)
    given, unknown = record(faces, "neutral/001_03.png"), record(faces, "smiling/001_08.png")
    assert (given.landmarks.shape, given.landmarks.dtype, given.landmarks_source) == ((68, 2), np.float32, "given")
    assert (unknown.landmarks, unknown.landmarks_source) == (None, None)


def test_expressions_can_be_mapped_and_chosen(tree):
    faces = dataset(tree, expressions={"neutral": "repose", "smiling": "big smile"})
    assert {r.labels.expression for r in faces.records} == {"rest", "smile_full"}
    assert len(dataset(tree, expressions={"neutral": "rest"}).records) == 2


def test_splits_are_prescribed_by_the_file(tree):
    faces = dataset(tree, splits=splits(tree, "subject,split\n001,train\n002,test\n003,train\n"))
    assert [r.split for r in faces.records] == ["train", "test"] * 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("subject,split\n001,train\n", "no split for subject 002"),
        ("subject,split\n001,train\n002,exam\n", r"splits.csv:3: found split 'exam', expected one of train"),
        ("subject,split\n001,train\n001,test\n", r"splits.csv:3: subject '001' is in train and in test"),
        ("person,split\n001,train\n", r"found columns \['person', 'split'\]"),
    ],
)
def test_a_faulty_splits_file_stops(tree, text, message):
    with pytest.raises(ValueError, match=message):
        dataset(tree, splits=splits(tree, text))


def test_one_bad_photograph_is_listed_and_the_rest_used(tree):
    (tree / "neutral" / "003_03.png").write_bytes(b"no picture")
    (tree / "neutral" / "003_03.tem").write_text((tree / "neutral" / "001_03.tem").read_text())
    draw(tree / "neutral" / "004_03.png", template_points())
    (tree / "neutral" / "004_03.tem").write_text("189\n1 2\n")
    draw(tree / "smiling" / "005_08.png", template_points(), template=False)
    draw(tree / "neutral" / "006_03.png", template_points(scale=0.08))
    draw(tree / "neutral" / "face.png", template_points())
    Image.new("RGB", (256, 100)).save(tree / "smiling" / "001_09.png")
    Image.new("RGB", (256, 256), "gray").save(tree / "smiling" / "002_09.png")
    (tree / "neutral" / "notes.txt").write_text("not a photograph")
    faces = dataset(tree)
    assert len(faces.records) == 4
    reasons = {Path(r.path).name: r.reason for r in faces.rejected}
    assert "cannot be read as a picture" in reasons.pop("003_03.png")
    assert "the file ends after 1 points" in reasons.pop("004_03.png")
    assert "no face was found" in reasons.pop("005_08.png")
    assert "the face is too small" in reasons.pop("006_03.png")
    assert "does not say the subject" in reasons.pop("face.png")
    assert "256 x 256 px where this is 256 x 100: not one camera set-up" in reasons.pop("001_09.png")
    assert "the eyes of neutral/002_03.png are not found in it" in reasons.pop("002_09.png")
    assert reasons == {}


def test_a_borrowed_template_is_scaled_with_the_photograph(tree):
    small = Image.open(tree / "smiling" / "001_08.png").resize((128, 128), Image.Resampling.BOX)
    small.save(tree / "smiling" / "001_10.png")
    faces = dataset(tree)
    full, half = (faces.image(record(faces, f"smiling/001_{n}.png")).astype(float) for n in ("08", "10"))
    assert np.abs(full - half).mean() < 3


def test_aligned_pictures_are_cached_by_content(tree):
    faces = dataset(tree)
    cache = tree.parent / "cache"
    first = {path.name: path.stat().st_mtime_ns for path in cache.glob("*.png")}
    before = faces.image(faces.records[0])
    again = dataset(tree)
    assert {path.name: path.stat().st_mtime_ns for path in cache.glob("*.png")} == first
    np.testing.assert_array_equal(again.image(again.records[0]), before)
    draw(tree / "neutral" / "001_03.png", template_points((30.0, 10.0)))
    changed = dataset(tree)
    assert {path.name for path in cache.iterdir()} > set(first)
    assert not np.array_equal(changed.image(record(changed, "smiling/001_08.png")), again.image(again.records[2]))
    webmorph(32, cache, root=tree)
    assert dataset(tree).image(changed.records[0]).shape == (64, 64, 3)


def test_folders_that_cannot_serve_say_what_is_expected(tree, tmp_path):
    with pytest.raises(ValueError, match="is not a folder; set the key root"):
        dataset(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"expected ROOT/EXPRESSION/NAME\.jpg with NAME\.tem"):
        dataset(tmp_path / "empty")
    with pytest.raises(ValueError, match=r"expressions names \['frown'\].*its folders are \['neutral', 'smiling'\]"):
        dataset(tree, expressions={"frown": "rest"})
    with pytest.raises(ValueError, match="has no group"):
        dataset(tree, subject=r"\d+")
    with pytest.raises(ValueError, match="is not a regular expression"):
        dataset(tree, subject=r"(\d+")


def test_is_registered():
    assert registry().get("datasets", "webmorph").load() is webmorph


@pytest.mark.skipif(not LONDON.is_dir(), reason=f"the London set is not at {LONDON}")
def test_the_london_set_is_read_whole(tmp_path):
    faces = webmorph(32, tmp_path, root=LONDON)
    assert (len(faces.records), faces.rejected) == (164, [])
    given = [r for r in faces.records if r.landmarks is not None]
    assert len(given) == 82
    assert {r.labels.expression for r in given} == {"rest"}
    mean = np.mean([five_points(r.landmarks) for r in given], axis=0)
    np.testing.assert_allclose(mean, FRAME * 32, atol=1.0)
    looks = np.stack([faces.image(r).astype(float).ravel() for r in faces.records])
    likeness = np.corrcoef(looks)[:82, 82:]  # at rest against smiling
    assert (likeness.argmax(axis=1) == np.arange(82)).mean() > 0.9


def test_it_keeps_the_contract_of_data_sets(tree):
    results = check("dataset", "webmorph", image_size=32, root=str(tree))
    assert [str(result) for result in results if result.state != "passed"] == []


def test_a_template_gives_pupils_and_folds_and_the_second_reading_gives_the_same(tree):
    for _ in range(2):  # from the photograph, then from the cache
        faces = dataset(tree)
        rest, smile = record(faces, "neutral/001_03.png"), record(faces, "smiling/001_08.png")
        template = template_points((5.0, -8.0))
        known = np.vstack([to_ibug68(template), template[[0, 1, 158, 159, 160, 161, 162, 163]]])
        found = np.vstack([rest.landmarks, rest.further])
        # One similarity moves both kinds of points.
        plain = np.c_[known, np.ones(len(known))]
        matrix = np.linalg.lstsq(plain[:68], found[:68], rcond=None)[0]
        assert np.abs(plain[68:] @ matrix - found[68:]).max() < 1e-3
        assert smile.further is None


def test_a_template_in_capitals_is_read(tree):
    for path in (tree / "neutral").glob("*.tem"):
        path.rename(path.with_suffix(".TEM"))
    faces = dataset(tree)
    assert (len(faces.records), faces.rejected) == (4, [])
    assert record(faces, "neutral/001_03.png").landmarks_source == "given"
