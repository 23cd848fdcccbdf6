"""A folder is claimed by what it is made of, and refused with the difference."""

from pathlib import Path

import pytest

from palsykit.errors import PalsykitError
from palsykit.files.claims import Claim, difference


def claimed(folder: Path) -> Claim:
    return Claim(folder, "made.json", "set of pictures", "name another: --output DIR", key="seed")


def test_a_difference_is_listed_by_key() -> None:
    before = {"data": {"use": "a", "keys": [1, 2], "old": 1}, "size": 64, "fits": [{"lr": 1}]}
    now = {"data": {"use": "a", "keys": [1, 3], "detector": {"use": "d"}}, "size": 64, "fits": [{"lr": True}]}
    assert difference(before, now) == [
        "data.keys: [1, 2] -> [1, 3]",
        "data.old: 1 -> (absent)",
        "fits.0.lr: 1 -> true",
        'data.detector.use: (absent) -> "d"',
    ]
    assert difference(now, now) == []
    (line,) = difference({"rows": ["x" * 100, "y" * 100]}, {"rows": []})
    assert len(line) < 200


@pytest.mark.parametrize("make", [lambda folder: None, Path.mkdir])
def test_a_new_or_empty_folder_is_free(tmp_path: Path, make) -> None:
    make(tmp_path / "new")
    assert not claimed(tmp_path / "new").begun()


def test_a_marker_says_whose_the_folder_is(tmp_path: Path) -> None:
    (tmp_path / "made.json").write_text('{"seed": 0}')
    claim = claimed(tmp_path)
    assert claim.begun()
    claim.compare(claim.read(), {"seed": 0})
    with pytest.raises(PalsykitError) as refused:
        claim.compare(claim.read(), {"seed": 1})
    assert str(refused.value) == (
        f"{tmp_path}: made with other settings; name another: --output DIR, or remove it to start again. "
        "Differences:\n  seed: 0 -> 1"
    )


def test_a_marker_of_another_program_is_no_marker(tmp_path: Path) -> None:
    (tmp_path / "made.json").write_text('{"tool": "make"}')
    with pytest.raises(PalsykitError, match="not empty, and holds no set of pictures"):
        claimed(tmp_path).begun()


def test_a_file_and_a_folder_of_something_else_are_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(PalsykitError, match=r"not empty, and holds no set of pictures \(no made.json in it\)"):
        claimed(tmp_path).begun()
    with pytest.raises(PalsykitError, match="a file; expected a folder for the set of pictures"):
        claimed(tmp_path / "mine.txt").begun()


@pytest.mark.parametrize("text", ["", "{", "[]", "\xff"])
def test_a_damaged_marker_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "made.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(PalsykitError, match=r"made.json: cannot be read .*remove it to start again"):
        claimed(tmp_path).read()


def test_a_folder_is_taken_once_and_again_with_the_same_settings_only(tmp_path: Path) -> None:
    claim = claimed(tmp_path / "out")
    claim.take({"seed": 1, "people": ("anna", "ben")})
    marker = (tmp_path / "out" / "made.json").read_bytes()
    claim.take({"seed": 1, "people": ["anna", "ben"]})
    assert (tmp_path / "out" / "made.json").read_bytes() == marker
    with pytest.raises(PalsykitError, match="made with other settings") as refused:
        claim.take({"seed": 2, "people": ["anna", "ben"]})
    assert "seed: 1 -> 2" in str(refused.value)
