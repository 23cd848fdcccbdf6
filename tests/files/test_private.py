"""What palsykit writes may show patients: users outside the group do not read it, and caches are the user's alone."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from palsykit.files import caches
from palsykit.files.atomic import make_folder, write_text
from palsykit.files.locks import locked


@pytest.fixture(params=[0o022, 0o077, 0o002])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def rights(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_files_and_folders_are_not_for_others(tmp_path: Path, umask: int) -> None:
    write_text(tmp_path / "new/a.json", "{}")
    make_folder(tmp_path / "made")
    with locked(tmp_path / "run", "name another"):
        assert rights(tmp_path / "run") == 0o770 & ~umask
    assert rights(tmp_path / "new/a.json") == 0o660 & ~umask
    assert rights(tmp_path / "new") == rights(tmp_path / "made") == 0o770 & ~umask


def test_a_cache_is_the_users_alone(tmp_path: Path, umask: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PALSYKIT_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    caches._writable.cache_clear()
    assert rights(caches.cache_folder()) == 0o700
    (tmp_path / "palsykit").chmod(0o755)  # as an earlier version made it
    caches._writable.cache_clear()
    assert rights(caches.cache_folder()) == 0o700
    monkeypatch.setenv("PALSYKIT_CACHE", str(tmp_path / "shared"))
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o770)
    assert rights(caches.cache_folder()) == 0o770, "shared on purpose"
