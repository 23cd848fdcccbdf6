"""SHA-256 of files, as sha256sum prints it."""

import hashlib
from pathlib import Path

from palsykit.files.hashes import sha256


def test_of_one_file_and_of_several(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"ab" * 1_000_000)
    (tmp_path / "empty").write_bytes(b"")
    assert sha256(tmp_path / "empty") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert sha256(tmp_path / "large") == hashlib.sha256(b"ab" * 1_000_000).hexdigest()
    (tmp_path / "c").write_bytes(b"c")
    assert sha256(tmp_path / "large", tmp_path / "c") == hashlib.sha256(b"ab" * 1_000_000 + b"c").hexdigest()
