"""Every file is found once; links, odd names and strays have their reasons."""

import os
import re
import tempfile
from pathlib import Path

import pytest

from palsykit.data.rejections import printable
from palsykit_datasets.files import files_below, legible, strays

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


def put(path, content=b"words"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_links_are_followed_once_and_never_up(tmp_path):
    root = tmp_path / "data"
    put(root / "b" / "1.png")
    elsewhere = put(tmp_path / "elsewhere" / "2.png").parent
    (root / "a").symlink_to("b")  # in the order of names before what it leads to
    (root / "c").symlink_to(elsewhere)
    (root / "b" / "up").symlink_to("..")
    (root / "b" / "out").symlink_to(tmp_path)
    (root / "self.png").symlink_to("self.png")
    (root / "gone.png").symlink_to("nowhere.png")
    found = files_below(root)
    assert found.paths == [root / "b" / "1.png", root / "c" / "2.png"]
    reasons = {Path(r.path).relative_to(root).as_posix(): r.reason for r in found.rejected}
    assert reasons.keys() == {"a", "b/up", "b/out", "self.png", "gone.png"}
    assert all("read already" in reasons[name] for name in ("a", "b/up", "b/out"))
    assert all("leads nowhere" in reasons[name] for name in ("self.png", "gone.png"))


def test_pipes_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    (rejected,) = files_below(tmp_path).rejected
    assert "not a regular file" in rejected.reason


def test_hidden_files_and_those_of_systems_are_not_there(tmp_path):
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", "._a.png"):
        put(tmp_path / name)
    put(tmp_path / ".git" / "a.png")
    put(tmp_path / "p1" / "@eaDir" / "rest.jpg" / "SYNOPHOTO_THUMB_M.jpg")
    put(tmp_path / "__MACOSX" / "rest.jpg")
    found = files_below(tmp_path)
    assert (found.paths, found.rejected) == ([], [])


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("s/a.txt", PNG, "a picture or a film by its first bytes"),
        ("s/a.hif", b"\0\0\0\x18ftypheic", "found extension '.hif'.*convert it to JPEG or PNG"),
        ("s/a.gif", b"GIF89a\0", "a picture or a film"),
        ("s/a", b"\xff\xd8\xff\xe0\0", "found extension ''"),
        ("s/a.mov", b"film", "found extension '.mov', expected one of .avif, .bmp, .heic"),
        ("s/a.pts", b"1 2", "found extension '.pts'"),
        ("a.csv", b"\0\1\2", "found extension '.csv'"),
    ],
)
def test_pictures_by_another_name_are_listed(tmp_path, name, content, reason):
    path = put(tmp_path / name, content)
    (rejected,) = strays([path], (), tmp_path)
    assert rejected.path == path.as_posix()
    assert re.search(reason, rejected.reason)


def test_documents_are_left_alone(tmp_path):
    names = ["README", "README.md", "info.csv", "BMI.txt", "s/notes.txt", "s/letter.pdf", "s/table.xlsx", "s/utf16.txt"]
    paths = [put(tmp_path / name, b"BMI of everybody\n") for name in names]
    put(paths[-1], "Blätter".encode("utf-16"))
    put(paths[0], "Grüße".encode("latin-1"))
    assert strays(paths, (), tmp_path) == []
    assert strays([put(tmp_path / "s" / "a.json")], ()) == []


def test_odd_names_can_be_written_as_text():
    raw = Path(os.fsdecode(b"a\xff\n.jpg"))
    assert printable(raw) == "a\\xff\\n.jpg"
    assert printable("\ud800") == "\\ud800"
    assert printable("Zoë/ü.jpg") == "Zoë/ü.jpg"
    for path in (raw, Path("a\nb.jpg"), Path("a\x1b.jpg")):
        with pytest.raises(ValueError, match="cannot say who it shows"):
            legible(path)
    assert legible(Path("Zoë 1/ü.jpg")) == "Zoë 1/ü.jpg"


def test_a_folder_may_hold_names_that_are_no_text():
    with tempfile.TemporaryDirectory() as root:
        put(Path(root) / os.fsdecode(b"\xff") / os.fsdecode(b"\xfe.png"))
        assert [printable(path.relative_to(root)) for path in files_below(Path(root)).paths] == ["\\xff/\\xfe.png"]
