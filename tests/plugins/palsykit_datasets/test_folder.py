"""A folder a subject: what stands beside photographs or in a table is read, and nothing else."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from palsykit.faces.alignment import FRAME, five_points
from palsykit.faces.vocabulary import FaceLabels, Side
from palsykit.registry import registry
from palsykit.testing import check
from palsykit_datasets.aligned import AlignedPhotographs
from palsykit_datasets.folder import folder

SIZE = 64


def dataset(root, **keys):
    return folder(SIZE, root.parent / "cache", root=root, **keys)


@pytest.fixture
def tree(tmp_path, drawn, points_beside):
    """Two subjects; landmarks in every form; labels beside one photograph and in the table for another."""
    root = tmp_path / "clinic"
    for number, (name, suffix) in enumerate(
        {"A/day 1/rest.png": ".pts", "A/smile_full left.png": ".csv", "B/1.png": ".json"}.items()
    ):
        five = drawn.save(root / name, drawn.five(70, 0.2 * number), number)
        points_beside(root / name, suffix, drawn.landmarks(five) if number < 2 else five)
    five = drawn.save(root / "B" / "2.png", shade=9)
    cells = {"expression": "big smile", "side": "left", "severity": 4, "points5": five.tolist()}
    (root / "B" / "2.json").write_text(json.dumps(cells))
    (root / "labels.csv").write_text("file_name,expression,side\nA/day 1/rest.png,repose,\nB/2.png,,left\n")
    return root


def test_labels_are_only_what_files_state(tree):
    faces = dataset(tree, attribution="mine")
    assert {r.key: r.labels for r in faces.records} == {
        "A/day 1/rest.png": FaceLabels("A", "rest"),
        "A/smile_full left.png": FaceLabels("A"),
        "B/1.png": FaceLabels("B"),
        "B/2.png": FaceLabels("B", "smile_full", Side.LEFT, 4.0),
    }
    assert [r.landmarks_source for r in faces.records] == ["given", "given", None, None]
    assert (faces.rejected, faces.attribution, faces.image_size) == ([], "mine", SIZE)


def test_points_of_every_form_lead_to_the_frame(tree, drawn):
    faces = dataset(tree)
    for face in faces.records:
        np.testing.assert_allclose(drawn.where(faces.image(face)), FRAME * SIZE, atol=0.6)
        if face.landmarks is not None:
            np.testing.assert_allclose(five_points(face.landmarks), FRAME * SIZE, atol=1e-3)


def test_the_table_may_lie_elsewhere_and_give_landmarks(tmp_path, drawn):
    five = drawn.save(tmp_path / "clinic" / "A" / "1.png")
    row = {"file_name": "A/1.png", "subject": "A", "expression": "grin", "points5": five.tolist()}
    (tmp_path / "known.jsonl").write_text(json.dumps(row))
    faces = dataset(tmp_path / "clinic", labels=tmp_path / "known.jsonl", expressions={"Grin": "smile_full"})
    assert [r.labels for r in faces.records] == [FaceLabels("A", "smile_full")]


def test_what_cannot_be_used_is_listed_with_its_reason(tree, drawn, points_beside):
    five = drawn.five()
    drawn.save(tree / "loose.png", shade=20)
    for number, name in enumerate(("unmarked", "twice", "far", "torn", "other", "said")):
        drawn.save(tree / "C" / f"{name}.png", shade=30 + number)
        if name not in ("unmarked", "torn"):
            points_beside(tree / "C" / f"{name}.png", ".csv", five)
    points_beside(tree / "C" / "twice.png", ".pts", five)
    points_beside(tree / "C" / "far.png", ".csv", (five - 60) / 4 + 60)
    (tree / "C" / "torn.json").write_text('{"side": "left"')
    (tree / "C" / "lonely.pts").write_text("")
    (tree / "C" / "copy.png").write_bytes((tree / "B" / "1.png").read_bytes())
    points_beside(tree / "C" / "copy.png", ".csv", five)
    (tree / "C" / "film.mp4").write_bytes(b"film")
    with (tree / "labels.csv").open("a") as table:
        table.write("C/gone.png,rest,\nB/1.png,rest,\n")
    (tree / "B" / "1.json").unlink()
    (tree / "B" / "1.json").write_text(json.dumps({"expression": "smile_full", "points5": five.tolist()}))
    faces = dataset(tree)
    reasons = {r.path.removeprefix(f"{tree}/"): r.reason for r in faces.rejected}
    expected = {
        "loose.png": "lies in no subject's folder",
        "C/unmarked.png": "no face was found; give its points",
        "C/twice.png": "found twice.csv and twice.pts beside it, expected one",
        "C/far.png": "the face is too small: its frame is 16 px wide, expected 32 px",
        "C/torn.png": "found no JSON",
        "C/lonely.pts": "no photograph of this name lies beside it",
        "C/film.mp4": "found extension '.mp4', expected one of .avif",
        "C/gone.png": "there is no such file; ",
        "B/1.png": "found expression rest in ",
    }
    assert reasons.keys() == expected.keys()
    assert [name for name, words in expected.items() if words not in reasons[name]] == []
    assert {r.key for r in faces.records} == {
        "A/day 1/rest.png",
        "A/smile_full left.png",
        "B/2.png",
        "C/copy.png",
        "C/other.png",
        "C/said.png",
    }


def test_further_pictures_of_a_file_are_listed_each_time(tmp_path, drawn, points_beside):
    five = drawn.save(tmp_path / "clinic" / "A" / "1.png")
    with Image.open(tmp_path / "clinic" / "A" / "1.png") as first:
        pages = [first.copy(), first.rotate(90), first.rotate(180)]
    pages[0].save(tmp_path / "clinic" / "A" / "scan.tif", save_all=True, append_images=pages[1:])
    (tmp_path / "clinic" / "A" / "1.png").unlink()
    points_beside(tmp_path / "clinic" / "A" / "scan.tif", ".csv", five)
    for _ in range(2):  # the second time, the aligned picture is cached
        faces = dataset(tmp_path / "clinic")
        assert [face.key for face in faces.records] == ["A/scan.tif"]
        (listed,) = faces.rejected
        assert listed.path.endswith("A/scan.tif")
        assert listed.reason.startswith("further pictures of the file are not read: found 3 pictures, of which the fir")


def test_thumbnails_that_a_drive_makes_are_left_alone(tmp_path):
    root = tmp_path / "clinic"
    for number, name in enumerate(("A/1.png", "A/@eaDir/1.png/SYNOPHOTO_THUMB_M.png")):
        (root / name).parent.mkdir(parents=True)
        Image.new("RGB", (SIZE, SIZE), (number, 0, 0)).save(root / name)
    faces = dataset(root, frame="aligned")
    assert ([face.key for face in faces.records], faces.rejected) == (["A/1.png"], [])


def test_copies_are_listed(tree, drawn, points_beside):
    (tree / "C").mkdir()
    (tree / "C" / "copy.png").write_bytes((tree / "B" / "1.png").read_bytes())
    points_beside(tree / "C" / "copy.png", ".csv", drawn.five())
    (rejected,) = dataset(tree).rejected
    assert rejected.path == f"{tree}/C/copy.png"
    assert rejected.reason == "the same picture as B/1.png of subject B"


def test_the_table_cannot_contradict_the_folder(tree):
    (tree / "labels.csv").write_text("file_name,subject\nB/1.png,A\n")
    (rejected,) = dataset(tree).rejected
    assert "found subject A in" in rejected.reason
    assert "and B in the folder's name" in rejected.reason


@pytest.mark.parametrize(
    ("where", "text", "message"),
    [
        (
            "labels.csv",
            "file_name,expression\nB/1.png,grin\n",
            r"labels\.csv:2: unknown expression 'grin'; expected one",
        ),
        (
            "B/2.json",
            '{"expression": "grin"}',
            r"2\.json: unknown expression 'grin'; .*expressions: \{grin: smile_full",
        ),
        ("labels.csv", "file_name,side\nB/1.png,L\n", r"labels\.csv:2: found side 'L', expected one of left"),
        ("labels.csv", "name\nB/1.png\n", r"labels\.csv:1: found columns \['name'\], expected file_name"),
        ("labels.csv", "file_name,split\nB/1.png,test\n", "found split 'test' where A/day 1/rest.png has None"),
    ],
)
def test_unexplained_words_stop(tree, where, text, message):
    (tree / where).write_text(text)
    with pytest.raises(ValueError, match=message):
        dataset(tree)


def test_splits_come_from_the_file_or_the_labels(tree, tmp_path):
    splits = tmp_path / "splits.csv"
    splits.write_text("subject,split\nA,train\nB,test\n")
    assert [r.split for r in dataset(tree, splits=splits).records] == ["train", "train", "test", "test"]
    splits.write_text("subject,split\nA,train\n")
    with pytest.raises(ValueError, match=r"splits\.csv: no split for subject B; add a line"):
        dataset(tree, splits=splits)
    splits.write_text("subject,split\nA,train\nB,test\n")
    (tree / "labels.csv").write_text("file_name,split\nB/1.png,test\n")
    with pytest.raises(ValueError, match=r"found splits here and in .*labels\.csv:2, expected one"):
        dataset(tree, splits=splits)


def test_names_that_are_no_text_become_text(tmp_path, drawn):
    path = tmp_path / "clinic" / os.fsdecode(b"Z\xff") / "a\nb.png"
    five = drawn.save(path)
    path.with_suffix(".json").write_text(json.dumps(five.tolist()))
    (face,) = dataset(tmp_path / "clinic").records
    assert (face.key, face.labels.subject) == ("Z\\xff/a\\nb.png", "Z\\xff")


def test_aligned_crops_are_taken_as_they_are(tmp_path):
    path = tmp_path / "clinic" / "A" / "1.png"
    path.parent.mkdir(parents=True)
    Image.new("RGB", (SIZE, SIZE), (10, 20, 30)).save(path)
    for frame in ("aligned", "auto"):
        faces = dataset(tmp_path / "clinic", frame=frame)
        assert (faces.image(faces.records[0]) == (10, 20, 30)).all()
    with pytest.raises(ValueError, match=r"folder: no picture in .* can be used .*no face was found"):
        dataset(tmp_path / "clinic")


def test_folders_that_cannot_serve_say_what_is_expected(tmp_path):
    with pytest.raises(
        ValueError, match=r"folder: .* is not a folder; set the key root to the folder that holds a folder"
    ):
        dataset(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"can be used \(there is none\); expected ROOT/SUBJECT/NAME\.jpg"):
        dataset(tmp_path / "empty")


def test_is_registered(tree):
    assert registry().get("datasets", "folder").load() is folder
    assert isinstance(dataset(tree), AlignedPhotographs)


def test_it_keeps_the_contract_of_data_sets(tree):
    results = check("dataset", "folder", image_size=SIZE, root=str(tree))
    assert [str(result) for result in results if result.state != "passed"] == []
