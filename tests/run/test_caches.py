"""A cache is a convenience: where it cannot be written, the run does without it and says so."""

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from palsykit.files import arrays, caches
from palsykit_face_space import rendered


@pytest.fixture(autouse=True)
def forgetful() -> None:
    """Each test asks again whether a folder can be written."""
    caches._writable.cache_clear()


def test_a_folder_that_can_be_written_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALSYKIT_CACHE", str(tmp_path / "new" / "cache"))
    assert caches.cache_folder() == tmp_path / "new" / "cache"
    assert [path.name for path in (tmp_path / "new" / "cache").iterdir()] == [caches.STAMP]


def test_what_a_killed_process_was_writing_is_removed_a_day_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PALSYKIT_CACHE", str(tmp_path))
    for name, age in {".partial-old.png": 25, ".tmpAb12Cd": 25, ".partial-now.png": 1, "kept.png": 99}.items():
        (tmp_path / name).write_bytes(b"half")
        os.utime(tmp_path / name, (0, time.time() - 3600 * age))
    caches.cache_folder()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".partial-now.png", "kept.png", caches.STAMP]
    (tmp_path / ".partial-old.png").write_bytes(b"half")
    os.utime(tmp_path / ".partial-old.png", (0, 0))
    caches._writable.cache_clear()
    caches.cache_folder()
    assert (tmp_path / ".partial-old.png").exists(), "a cache is looked through once a day"
    os.utime(tmp_path / caches.STAMP, (0, 0))
    caches._writable.cache_clear()
    caches.cache_folder()
    assert not (tmp_path / ".partial-old.png").exists()


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_a_folder_that_cannot_be_written_is_replaced_for_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: int
) -> None:
    def refuses(*, dir: Path) -> None:
        raise OSError(code, "Refused by the file system", str(dir))

    monkeypatch.setenv("PALSYKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(caches.tempfile, "TemporaryFile", refuses)
    folder = caches.cache_folder()
    assert folder != tmp_path / "cache"
    (folder / "a.png").write_bytes(b"picture")
    assert caches.cache_folder() == folder, "one for the whole process"
    said = capsys.readouterr().err
    assert said.count(f"{tmp_path / 'cache'}: not writable (Refused by the file system)") == 1


def test_rendered_pictures_that_cannot_be_cached_are_there_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(path: Path, write: Callable[[Path], object]) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(arrays, "write_with", full)
    render = lambda shots: np.full((len(shots), 4, 4, 3), 7, np.uint8)  # noqa: E731
    pictures = rendered.Rendered(tmp_path / "cache" / "a.safetensors", [None] * 5, 4, render, "render")  # type: ignore[list-item]
    assert (pictures[4] == 7).all()
    assert "the pictures are not cached ([Errno 28] No space left on device" in capsys.readouterr().err
