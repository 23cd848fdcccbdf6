"""Files by path and files inside packages."""

from pathlib import Path

import pytest

import palsykit
from palsykit.files.resources import canonical, locate


def test_a_relative_path_starts_from_its_base(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    assert locate("a.txt", tmp_path) == tmp_path / "a.txt"
    assert locate("../a.txt", tmp_path / "b") == tmp_path / "a.txt"
    assert locate(str(tmp_path / "a.txt"), Path("/nowhere")) == tmp_path / "a.txt"


def test_a_file_in_a_package() -> None:
    assert locate("palsykit:recipe/schema.py", Path("/nowhere")) == Path(palsykit.__file__).parent / "recipe/schema.py"
    assert locate("palsykit.recipe:schema.py", Path()).name == "schema.py"


def test_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.txt").touch()
    assert locate("~/a.txt", Path("/nowhere")) == tmp_path / "a.txt"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("b.txt", r"no file or folder .*/b.txt"),
        ("palsykit:nothing.txt", r"no file or folder .*palsykit/nothing.txt"),
        ("not_a_package:a.txt", "no importable package 'not_a_package'"),
    ],
)
def test_a_missing_file_is_named(tmp_path: Path, value: str, message: str) -> None:
    with pytest.raises(FileNotFoundError, match=message):
        locate(value, tmp_path)


def test_canonical_keeps_packages_and_makes_paths_absolute(tmp_path: Path) -> None:
    assert canonical("palsykit:a/b.txt", tmp_path) == "palsykit:a/b.txt"
    assert canonical("../b.txt", tmp_path / "c") == str(tmp_path / "b.txt")


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "blob").touch()
    (tmp_path / "a.safetensors").symlink_to("blob")
    assert locate("a.safetensors", tmp_path).name == "a.safetensors"
