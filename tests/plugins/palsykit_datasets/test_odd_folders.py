"""Folders as users have them: nothing is lost by a letter, and what fails is said of what is at fault."""

import errno
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from palsykit.data.consistency import doubts_of
from palsykit.errors import PalsykitError
from palsykit.photographs import files as photograph_files
from palsykit_datasets import finding, reading
from palsykit_datasets.cells import read_cells
from palsykit_datasets.expressions import words_of
from palsykit_datasets.folder import folder
from palsykit_datasets.imagefolder import imagefolder
from palsykit_datasets.landmark_files import read_points

SIZE = 64
JOSE = ("Jos\u00e9", "Jose\u0301")
"""As Windows and Linux write a name, and as macOS stores it."""


def dataset(root, **keys):
    return imagefolder(SIZE, root.parent / "cache", root=root, **keys)


def table(root, *rows):
    root.mkdir(exist_ok=True)
    (root / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return root


def photograph(root, drawn, name="a.png", shade=0, **cells):
    """A photograph with its points, as a row of a table."""
    five = drawn.save(root / name, shade=shade)
    return {"file_name": name, "subject": "A", "points5": five.tolist()} | cells


def plain(root, name, side, shade):
    """A square photograph without points, in which no face can be found."""
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (side, side), (90, 80, shade)).save(root / name)
    return {"file_name": name, "subject": name}


# --- what a table says ---


def test_columns_that_nothing_reads_are_named(tmp_path, drawn):
    root = tmp_path / "own"
    rows = [photograph(root, drawn, f"{n}.png", n, affected_side="left", age=n or None) for n in range(2)]
    faces = dataset(table(root, *rows))
    (note,) = faces.notes
    assert "columns that are not read: 2 (affected_side of 2 photographs, age of 1 photographs)" in note
    assert "those that are read: subject, expression, side" in note
    assert doubts_of(faces) == [note]


def test_photographs_outside_the_folder_are_named(tmp_path, drawn):
    root, outside = tmp_path / "own", tmp_path / "elsewhere"
    rows = [
        photograph(root, drawn, "a.png"),
        photograph(outside, drawn, "b.png", 1),
        photograph(outside, drawn, "c.png", 2),
    ]
    (root / "link.png").symlink_to(outside / "b.png")
    (root / "folder").symlink_to(outside)
    (root / "again.png").symlink_to("a.png")
    rows[1]["file_name"], rows[2]["file_name"] = "link.png", "folder/c.png"
    faces = dataset(table(root, *rows))
    assert len(faces.records) == 3
    (note,) = faces.notes
    assert "photographs outside the folder, to which links in it lead: 2 (link.png, folder/c.png)" in note
    assert dataset(root).notes == [note], "from the index, too"
    inside = table(root, rows[0] | {"file_name": "again.png"})
    assert dataset(inside).notes == []


def test_keys_of_a_file_beside_a_photograph_are_read_as_columns_are(tmp_path, drawn):
    five = drawn.save(tmp_path / "clinic/A/1.png")
    beside = tmp_path / "clinic/A/1.json"
    for cells, words in (
        ({"point5": five.tolist()}, r"1\.json: found column 'point5'; did you mean points5\?"),
        ({"points5": five.tolist(), "severty": 3}, r"found column 'severty'; did you mean severity\?"),
    ):
        beside.write_text(json.dumps(cells))
        with pytest.raises(ValueError, match=words):
            folder(SIZE, tmp_path / "cache", root=tmp_path / "clinic")
    beside.write_text(f'{{"points5": {json.dumps(five.tolist())}, "side": "left", "side": "right"}}')
    with pytest.raises(ValueError, match=r"1\.json: found side twice"):
        folder(SIZE, tmp_path / "cache", root=tmp_path / "clinic")
    beside.write_text(json.dumps({"points5": five.tolist(), "age": 40}))
    faces = folder(SIZE, tmp_path / "cache", root=tmp_path / "clinic")
    assert "age of 1 photographs" in faces.notes[0]


def test_tables_of_palsykit_have_no_unread_columns():
    written = {"file_name": "a.png", "key": "k", "source": "s", "identity": "i", "driver": "d", "seed": 1}
    assert read_cells("here", {**written, "synthetic": True, "strength": 1.0}, words_of("t", None)).unread == ()


@pytest.mark.parametrize(
    ("column", "value", "hint"),
    [("side", "lefft", "did you mean left"), ("group", "flacid", "did you mean flaccid"),
     ("expression", "smile_ful", r"unknown expression 'smile_ful' \(did you mean smile_full\?\)")],
)  # fmt: skip
def test_a_word_that_is_nearly_ours_is_named(column, value, hint):
    with pytest.raises(ValueError, match=hint):
        read_cells("here", {column: value}, words_of("t", None))


@pytest.mark.parametrize(
    ("stored", "written"),
    [("p1/rest.JPG", "p1/rest.jpg"), ("p1/rest.png", "p1\\rest.png"), (f"{JOSE[1]}/a.png", f"{JOSE[0]}/a.png"),
     (f"{JOSE[0]}/a.png", f"{JOSE[1]}/A.PNG")],
)  # fmt: skip
def test_names_of_another_system_are_understood(tmp_path, drawn, stored, written):
    for layout in (imagefolder, folder):
        root = tmp_path / layout.__name__
        row = photograph(root, drawn, stored) | {"file_name": written}
        row.pop("subject" if layout is folder else "none", None)
        (root / ("labels.jsonl" if layout is folder else "metadata.jsonl")).write_text(json.dumps(row) + "\n")
        given = {"labels": root / "labels.jsonl"} if layout is folder else {}
        faces = layout(SIZE, tmp_path / "cache", root=root, **given)
        assert ([r.key for r in faces.records], faces.rejected) == ([stored], [])


def test_a_name_that_could_mean_two_files_means_neither(tmp_path, drawn):
    root = tmp_path / "own"
    rows = [photograph(root, drawn, name, n) for n, name in enumerate(("a.png", "A.png"))]
    if len(list(root.iterdir())) < 2:
        pytest.skip("this file system does not tell a.png from A.png")
    faces = dataset(table(root, *rows, rows[0] | {"file_name": "A.PNG"}))
    assert [r.key for r in faces.records] == ["a.png", "A.png"]
    assert [Path(r.path).name for r in faces.rejected] == ["A.PNG"]
    assert "there is no such file" in faces.rejected[0].reason


def test_splits_name_people_as_the_photographs_do(tmp_path, drawn):
    root = tmp_path / "own"
    table(root, *(photograph(root, drawn, f"{n}.png", n, subject=s) for n, s in enumerate(("001", "2"))))
    splits = tmp_path / "splits.csv"
    splits.write_text("subject,split\n1,train\n2,test\n,\n")
    with pytest.raises(ValueError, match=r"no split for subject 001 \(001 may be 1, spelt otherwise\); add a line"):
        dataset(root, splits=splits)
    splits.write_text("subject,split\n001,train\n2,test\n9,test\n")
    assert dataset(root, splits=splits).notes == ["subjects of splits.csv without a photograph: 1 (9)"]
    splits.write_text("subject,splitt\n001,train\n")
    with pytest.raises(ValueError, match=r"splits\.csv:1: found column 'splitt'; did you mean split\?"):
        dataset(root, splits=splits)


# --- points ---


@pytest.mark.parametrize("mark", [(0, 0), (-1, -1)])
def test_marks_for_points_that_nobody_saw_are_refused(tmp_path, drawn, points_beside, mark):
    points = drawn.landmarks(drawn.five())
    points[[3, 60]] = mark
    for suffix in (".pts", ".csv"):
        written = points_beside(tmp_path / "a.png", suffix, points - (0.5 if suffix == ".pts" else 0))
        with pytest.raises(ValueError, match=r"a\.\w+: found points that nobody saw \(number 4, 61, marked by"):
            read_points(written)
    with pytest.raises(ValueError, match=r"here: found points that nobody saw \(number 4, 61"):
        read_cells("here", {"landmarks": points.tolist()}, words_of("t", None))


def test_points_of_the_picture_as_it_is_stored_are_refused(tmp_path, drawn):
    """A telephone held upright stores the picture lying; programs that ignore EXIF mark it so."""
    upright, five = drawn.draw(drawn.five()), drawn.five()
    exif = Image.Exif()
    exif[0x0112] = 6
    root = tmp_path / "own"
    root.mkdir()
    upright.transpose(Image.Transpose.ROTATE_90).save(root / "a.png", exif=exif)
    as_stored = np.column_stack([five[:, 1], upright.width - five[:, 0]])
    as_stored += (60 - as_stored[:, 0].mean(), 50 - as_stored[:, 1].mean())  # inside the picture either way
    row = {"file_name": "a.png", "subject": "A"}
    with pytest.raises(ValueError, match=r"a face turned by 90 degrees.*EXIF orientation 6.*upright picture"):
        dataset(table(root, row | {"points5": as_stored.tolist()}))
    assert len(dataset(table(root, row | {"points5": five.tolist()})).records) == 1
    upright.save(root / "a.png")  # a head may lie on its side in a picture that no viewer turns
    assert len(dataset(table(root, row | {"points5": as_stored.tolist()})).records) == 1


def test_points_of_another_picture_are_refused_in_a_crop_too(tmp_path, drawn):
    """The points of the whole photograph beside a crop of it."""
    root = tmp_path / "own"
    five = drawn.save(root / "whole.png")
    Image.open(root / "whole.png").crop((20, 20, 84, 84)).save(root / "a.png")
    (root / "whole.png").unlink()
    row = {"file_name": "a.png", "subject": "A"}
    with pytest.raises(ValueError, match="outside the picture of 64 x 64 px"):
        dataset(table(root, row | {"landmarks": drawn.landmarks(five).tolist()}), frame="aligned")
    moved = drawn.landmarks(five - 20).tolist()
    assert len(dataset(table(root, row | {"landmarks": moved}), frame="aligned").records) == 1


def test_small_squares_without_points_are_counted_and_large_ones_refused(tmp_path, drawn):
    root = tmp_path / "own"
    rows = [photograph(root, drawn), plain(root, "small.png", 64, 1), plain(root, "large.png", 200, 2)]
    for _ in range(2):  # afresh and from the cache
        faces = dataset(table(root, *rows))
        assert [r.key for r in faces.records] == ["a.png", "small.png"]
        (note,) = faces.notes
        assert note.startswith("square photographs without points that are taken as crops in the face frame: 1 (small")
        (listed,) = faces.rejected
        assert "no face was found" in listed.reason
        assert listed.reason.endswith("set frame: aligned")
    assert dataset(root, frame="aligned").notes == []


# --- folders that palsykit made ---


@pytest.mark.parametrize(("name", "key"), [("state.json", "recipe_hash"), ("synthesis.json", "settings")])
def test_a_run_among_the_photographs_is_listed_and_not_read(tmp_path, drawn, name, key):
    root = tmp_path / "clinic"
    for number, path in enumerate(("A/1.png", "runs/images/1.png")):
        five = drawn.save(root / path, shade=number)
        (root / path).with_suffix(".json").write_text(json.dumps({"points5": five.tolist()}))
    (root / "runs" / name).write_text(json.dumps({key: {}}))
    faces = folder(SIZE, tmp_path / "cache", root=root)
    assert {r.labels.subject for r in faces.records} == {"A"}
    assert [(Path(r.path).name, "palsykit made this folder" in r.reason) for r in faces.rejected] == [("runs", True)]


def test_the_pictures_of_a_run_are_crops(tmp_path):
    (tmp_path / "state.json").write_text('{"recipe_hash": "1"}')
    faces = dataset(table(tmp_path / "images", plain(tmp_path / "images", "a.png", 200, 1)))
    assert (len(faces.records), faces.notes) == (1, [])


# --- the disk is at fault ---


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS])
def test_a_cache_that_cannot_be_written_stops_and_blames_no_photograph(tmp_path, drawn, monkeypatch, code):
    def refuses(path, *_, **__):
        raise OSError(code, "Refused", str(path))

    root = tmp_path / "own"
    table(root, photograph(root, drawn))
    monkeypatch.setattr(reading, "write_with", refuses)
    with pytest.raises(PalsykitError, match=r"cache: the cache .* cannot be written \(Refused\).*PALSYKIT_CACHE=DIR"):
        dataset(root)


def test_results_of_a_detector_that_cannot_be_kept_stop_as_well(tmp_path, drawn, detector, monkeypatch):
    def refuses(path, _):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    drawn.save(tmp_path / "own" / "a.png")
    table(tmp_path / "own", {"file_name": "a.png", "subject": "A"})
    monkeypatch.setattr(finding, "write_text", refuses)
    with pytest.raises(PalsykitError, match=r"cannot be written \(No space left on device\)"):
        dataset(tmp_path / "own", detector=detector)


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENOTCONN])
def test_a_disk_that_fails_stops_the_reading(tmp_path, drawn, monkeypatch, code):
    def fails(self):
        raise OSError(code, "Failed", str(self))

    root = tmp_path / "own"
    table(root, photograph(root, drawn))
    text = (root / "metadata.jsonl").read_bytes()
    monkeypatch.setattr(
        photograph_files.Path, "read_bytes", lambda self: text if self.suffix == ".jsonl" else fails(self)
    )
    with pytest.raises(PalsykitError, match=r"a\.png: cannot be read \(Failed\); the disk, .* not the photograph"):
        dataset(root)


def test_a_photograph_that_may_not_be_read_is_listed(tmp_path, drawn, monkeypatch):
    root = tmp_path / "own"
    table(root, *(photograph(root, drawn, f"{n}.png", n) for n in range(2)))
    read = Path.read_bytes

    def refuses(self):
        if self.name == "0.png":
            raise PermissionError(errno.EACCES, "Permission denied")
        return read(self)

    monkeypatch.setattr(Path, "read_bytes", refuses)
    faces = dataset(root)
    assert ([r.key for r in faces.records], len(faces.rejected)) == (["1.png"], 1)
    assert "may not be read (permission denied)" in faces.rejected[0].reason


def test_a_damaged_cache_is_made_again(tmp_path, drawn, detector):
    drawn.save(tmp_path / "own" / "a.png")
    root = table(tmp_path / "own", {"file_name": "a.png", "subject": "A"})
    first = dataset(root, detector=detector)
    whole = first.image(first.records[0])
    for kept in (tmp_path / "cache").iterdir():
        kept.write_bytes(b"{")
    again = dataset(root, detector=detector)
    assert detector.asked == 2, "the damaged answer of the detector was not believed"
    with pytest.raises(PalsykitError, match=r"aligned picture of a\.png is gone from the cache, or damaged"):
        again.image(again.records[0])
    third = dataset(root, detector=detector)
    np.testing.assert_array_equal(third.image(third.records[0]), whole)


def test_a_link_to_itself_is_listed_among_photographs_that_can_be_read(tmp_path, drawn):
    rows = [photograph(tmp_path, drawn, name, number) for number, name in enumerate(("a.png", "b.png"))]
    (tmp_path / "b.png").unlink()
    (tmp_path / "b.png").symlink_to("b.png")
    faces = dataset(table(tmp_path, *rows))
    assert [record.key for record in faces.records] == ["a.png"]
    assert [Path(rejected.path).name for rejected in faces.rejected] == ["b.png"]
    assert faces.notes == []
