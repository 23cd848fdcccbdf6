"""Files by path and files inside packages."""

import sys
from pathlib import Path

import pytest

import palsykit
from palsykit.files.resources import OutsideFile, canonical, locate


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


def test_a_package_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stranger's recipe could otherwise run any installed or nearby module by its name."""
    package = tmp_path / "evil"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('code of a recipe')\n")
    (package / "weights.safetensors").touch()
    (tmp_path / "alone.py").write_text("raise SystemExit('code of a recipe')\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert locate("evil:weights.safetensors", Path()) == package / "weights.safetensors"
    for value in ("alone:weights.safetensors", "evil.part:weights.safetensors"):
        with pytest.raises(FileNotFoundError, match="no importable package"):
            locate(value, Path())
    assert "evil" not in sys.modules


@pytest.mark.parametrize("path", ["../pyproject.toml", "run/../../pyproject.toml"])
def test_a_file_beside_a_package_is_not_in_it(path: str) -> None:
    with pytest.raises(FileNotFoundError, match="leaves the package's folder"):
        locate(f"palsykit:{path}", Path())


def test_canonical_keeps_packages_and_makes_paths_absolute(tmp_path: Path) -> None:
    assert canonical("palsykit:a/b.txt", tmp_path) == "palsykit:a/b.txt"
    assert canonical("../b.txt", tmp_path / "c") == str(tmp_path / "b.txt")


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "blob").touch()
    (tmp_path / "a.safetensors").symlink_to("blob")
    assert locate("a.safetensors", tmp_path).name == "a.safetensors"


@pytest.mark.parametrize("name", ["a" * 5000, "a\0b", "a/" * 3000])
def test_a_name_that_no_file_can_have_is_no_file(name: str, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no file or folder"):
        locate(name, tmp_path)


def test_a_bound_is_kept_by_links_too(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/mine").write_text("x")
    (tmp_path / "other").write_text("x")
    (tmp_path / "run/link").symlink_to(tmp_path / "other")
    assert locate("mine", tmp_path / "run", tmp_path / "run") == tmp_path / "run/mine"
    for name in ("link", "../other", str(tmp_path / "other"), "../run/../other", "~"):
        with pytest.raises(OutsideFile):
            locate(name, tmp_path / "run", tmp_path / "run")
