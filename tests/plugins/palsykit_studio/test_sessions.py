"""Each page's folder: only this user can read it, and nothing else is deleted with it."""

import stat
from pathlib import Path

import pytest

from palsykit.errors import PalsykitError
from palsykit_studio.sessions import Sessions, fresh, take


def test_a_page_has_a_folder_of_its_own_that_is_deleted(tmp_path: Path) -> None:
    sessions = Sessions(tmp_path / "sessions")
    one, two = sessions.open(), sessions.open()
    assert one != two
    assert [stat.S_IMODE(path.stat().st_mode) for path in (sessions.root, one, two)] == [0o700] * 3
    (one / "face.jpg").write_bytes(b"x")
    sessions.close(one)
    assert not one.exists()
    assert two.is_dir()
    sessions.close(one)
    sessions.close(None)


def test_no_other_folder_is_deleted(tmp_path: Path) -> None:
    sessions = Sessions(tmp_path / "sessions")
    other = tmp_path / "other"
    other.mkdir()
    for path in (other, sessions.root, tmp_path):
        sessions.close(path)
        assert path.is_dir()


def test_uploads_are_taken_under_their_own_names(tmp_path: Path) -> None:
    uploads = [tmp_path / "a" / "rest.jpg", tmp_path / "b" / "rest.jpg"]
    for upload in uploads:
        upload.parent.mkdir()
        upload.write_bytes(upload.parent.name.encode())
    folder = fresh(tmp_path, "photographs")
    assert [path.name for path in take([str(uploads[0])], folder)] == ["rest.jpg"]
    with pytest.raises(PalsykitError, match=r"rest\.jpg: found twice"):
        take([str(uploads[1])], folder)
    assert (folder / "rest.jpg").read_bytes() == b"a"
    assert list(fresh(tmp_path, "photographs").iterdir()) == []
