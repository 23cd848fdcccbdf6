"""Provenance: what is named, that code that changes is seen, and that no path of the machine is written."""

import json
import os
import sys
from importlib import invalidate_caches
from pathlib import Path

import pytest
import torch

import palsykit
from palsykit.files.provenance import (
    LIBRARIES,
    as_facts,
    commit,
    files_sha256,
    package_sha256,
    parts_of,
    provenance,
    record,
    recorded,
)
from palsykit.registry import registry

RECIPE = {
    "data": {"use": "imagefolder", "root": "/data/of/somebody/faces", "detector": None},
    "fusion": {"use": "cross", "width": 16},
    "denoiser": {"use": "unet", "attention": {"use": "sdpa"}},
    "networks": {"recognition": {"use": "ir"}},
    "metrics": {"psnr": {"use": "psnr"}},
    "fits": [{"network": "recognition", "trainer": {"use": "angular_margin"}, "data": {"use": "face_space"}}],
}


def package(root: Path, name: str = "acme_film") -> Path:
    """A package with a module, a data file and what Python leaves behind."""
    folder = root / name
    (folder / "assets" / "__pycache__").mkdir(parents=True)
    (folder / "__init__.py").write_text("NAME = 'film'\n")
    (folder / "assets" / "points.bin").write_bytes(bytes(range(9)))
    return folder


def test_the_parts_of_a_recipe_are_found_at_any_depth() -> None:
    named = {(entry.interface, entry.name) for entry in parts_of(RECIPE)}
    expected = {
        ("datasets", "imagefolder"), ("datasets", "face_space"), ("fusions", "cross"), ("denoisers", "unet"),
        ("networks", "ir"), ("metrics", "psnr"), ("trainers", "angular_margin"), ("attention", "sdpa"),
    }  # fmt: skip
    assert named == expected


def test_a_block_under_an_unknown_key_counts_by_its_name() -> None:
    assert [entry.name for entry in parts_of({"judge": {"use": "psnr"}})] == ["psnr"]
    assert list(parts_of({"judge": {"use": "nothing-of-this-name"}})) == []


def test_everything_is_named_and_no_path() -> None:
    origin = provenance([RECIPE], torch.device("cpu"), command="benchmark")
    assert origin["palsykit"]["version"] == palsykit.__version__
    assert set(origin["libraries"]) == set(LIBRARIES)
    assert "cpu" in origin["machine"]
    assert {"benchmark", "cross_fusion", "unet", "metrics"} <= set(origin["plugins"])
    for plugin in (origin["palsykit"], *origin["plugins"].values()):
        assert len(plugin["sha256"]) == 64, plugin
    text = json.dumps([origin, as_facts(origin)])
    for place in (Path(palsykit.__file__).parents[1], Path.home(), Path.cwd(), Path(sys.prefix), "/data/of/somebody"):
        assert str(place) not in text


def test_a_page_names_plugins_by_their_distribution() -> None:
    origin = provenance(RECIPE)
    lines = as_facts(origin)
    assert lines["made with"].startswith(f"palsykit {palsykit.__version__}, commit ")
    (named,) = [value for name, value in lines.items() if name.startswith("plugins of palsykit ")]
    assert f"cross_fusion {origin['plugins']['cross_fusion']['sha256'][:12]}" in named
    assert lines["libraries"].startswith("Python 3.")


def test_a_changed_an_added_and_a_renamed_file_change_the_hash(tmp_path: Path) -> None:
    folder = package(tmp_path)
    hashes = [files_sha256(folder)]
    (folder / "__init__.py").write_text("NAME = 'lens'\n")
    hashes.append(files_sha256(folder))
    (folder / "more.py").write_text("")
    hashes.append(files_sha256(folder))
    (folder / "more.py").rename(folder / "most.py")
    hashes.append(files_sha256(folder))
    (folder / "assets" / "points.bin").write_bytes(b"")
    hashes.append(files_sha256(folder))
    assert len(set(hashes)) == len(hashes)


def test_compiled_python_and_the_place_do_not_change_the_hash(tmp_path: Path) -> None:
    one, other = package(tmp_path / "site-packages"), package(tmp_path / "clone")
    (one / "__pycache__").mkdir()
    (one / "__pycache__" / "x.cpython-311.pyc").write_bytes(b"1")
    (one / "assets" / "__pycache__" / "notes.txt").write_text("1")
    (one / "old.pyc").write_bytes(b"1")
    os.utime(one / "__init__.py", (0, 0))
    assert files_sha256(one) == files_sha256(other)


def test_an_installed_and_an_editable_package_have_the_same_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wheel lies on the path itself; an editable install puts the clone on it; a clone may link to a folder."""
    installed, clone = package(tmp_path / "site-packages", "acme_wheel"), package(tmp_path / "clone", "acme_clone")
    (installed / "recipes").mkdir()
    (installed / "recipes" / "a.yaml").write_text("a: 1\n")
    (tmp_path / "clone" / "recipes").mkdir()
    (tmp_path / "clone" / "recipes" / "a.yaml").write_text("a: 1\n")
    (clone / "recipes").symlink_to("../recipes")
    monkeypatch.syspath_prepend(tmp_path / "site-packages")
    monkeypatch.syspath_prepend(tmp_path / "clone")
    invalidate_caches()
    wheel, editable = package_sha256("acme_wheel:part"), package_sha256("acme_clone")
    assert len(wheel) == 64
    assert wheel == editable == files_sha256(installed)


def test_single_modules_namespace_packages_and_what_has_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "acme_single.py").write_text("A = 1\n")
    inside = package(tmp_path / "acme_space", "film")
    (tmp_path / "acme_space" / "other").mkdir()
    (tmp_path / "acme_space" / "other" / "__init__.py").write_text("B = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    invalidate_caches()
    assert package_sha256("acme_single") == files_sha256(tmp_path / "acme_single.py")
    assert package_sha256("acme_space.film.part") == files_sha256(inside)
    assert package_sha256("acme_is_not_there") == package_sha256("sys") == package_sha256("") == "unknown"


def test_every_registered_plugin_has_a_hash() -> None:
    entries = [*registry().entries.values(), *registry().commands.values()]
    assert {entry.plugin for entry in entries if package_sha256(entry.module) == "unknown"} == set()


def test_stages_that_share_a_provenance_share_an_entry(tmp_path: Path) -> None:
    file = tmp_path / "provenance.json"
    assert recorded(file) == []
    for stage, machine in (("fit", "a"), ("train", "a"), ("report", "b"), ("report", "a"), ("train", "b")):
        record(file, stage, {"machine": machine})
    assert recorded(file) == [{"stages": ["fit", "report"], "machine": "a"}, {"stages": ["train"], "machine": "b"}]


def test_a_commit_is_that_of_the_repository_that_tracks_the_folder(tmp_path: Path) -> None:
    assert commit(tmp_path) == "unknown"
    untracked = tmp_path / "project" / "environment"
    untracked.mkdir(parents=True)
    for words in ("init -q", "-c user.name=a -c user.email=a@b commit -q --allow-empty -m one"):
        assert os.system(f"cd {untracked.parent} && git {words}") == 0
    assert commit(untracked) == "unknown", "an environment in another project's folder"
    (untracked.parent / "code").mkdir()
    (untracked.parent / "code" / "a.py").write_text("")
    assert os.system(f"cd {untracked.parent} && git add code/a.py") == 0
    assert commit(untracked.parent / "code").endswith("-dirty")
