"""A data set: every combination once, stopped and resumed, packed with its table and without what is nobody's."""

import json
import shutil
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from palsykit.errors import PalsykitError
from palsykit_studio import dataset as module
from palsykit_studio.dataset import Order, can_audit, described, made_in, make, make_audited, pack
from palsykit_studio.engine import Engine, Stopped

ORDER = Order(("rest", "smile_full"), ("left", "right"), (1.0, 5.0))


@pytest.fixture
def portraits(portrait: Path, tmp_path: Path) -> Path:
    """Two photographs, one of them without a face."""
    folder = tmp_path / "portraits"
    folder.mkdir()
    shutil.copy(portrait, folder / "anna.jpg")
    Image.new("RGB", (300, 200), "grey").save(folder / "wall.png")
    return folder


def test_a_healthy_face_is_asked_for_once() -> None:
    labels = ORDER.request().labels
    assert [(label.expression, str(label.side), label.severity) for label in labels] == [
        (expression, side, grade)
        for expression in ORDER.expressions
        for side, grade in (("none", 1.0), ("left", 5.0), ("right", 5.0))
    ]
    with pytest.raises(PalsykitError, match="expected at least one of each"):
        Order((), ("left",), (1.0,)).request()


def test_it_is_made_stopped_resumed_and_packed(engine: Engine, portraits: Path, tmp_path: Path) -> None:
    folder, archive = tmp_path / "data", tmp_path / "data.zip"
    answers = iter([False, False])
    with pytest.raises(Stopped):
        list(make(engine, portraits, ORDER, folder, archive, lambda: next(answers, True)))
    assert not archive.exists()
    *_, last = make(engine, portraits, ORDER, folder, archive, lambda: False)
    assert last.file == archive
    assert [one.path for one in last.rejected] == ["wall.png"]
    made = {path: path.stat().st_mtime_ns for path in made_in(folder)}
    assert len(made) == 6
    *_, last = make(engine, portraits, ORDER, folder, archive, lambda: False)
    assert {path: path.stat().st_mtime_ns for path in made_in(folder)} == made
    with zipfile.ZipFile(archive) as packed:
        names = packed.namelist()
        rows = [json.loads(line) for line in packed.read("metadata.jsonl").splitlines()]
    assert {row["file_name"] for row in rows} == {path.relative_to(folder).as_posix() for path in made}
    assert {row["file_name"] for row in rows} <= set(names)
    assert all(row["synthetic"] and row["subject"] == "anna" for row in rows)
    assert "generate.json" not in names
    assert [(path.is_file(), row["expression"]) for path, row in described(folder)] == [
        (True, expression) for expression in ORDER.expressions for _ in range(3)
    ]
    assert all(not name.startswith(("/", "..")) for name in names)


def test_without_a_usable_portrait_the_reason_is_told(engine: Engine, portraits: Path, tmp_path: Path) -> None:
    (portraits / "anna.jpg").unlink()
    with pytest.raises(PalsykitError, match=r"no portrait can be used .*found no face"):
        list(make(engine, portraits, ORDER, tmp_path / "data", tmp_path / "data.zip", lambda: False))


def test_an_archive_appears_when_it_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"a")

    def broken(*given: object) -> None:
        raise OSError("no space")

    with monkeypatch.context() as patch:
        patch.setattr(zipfile.ZipFile, "write", broken)
        with pytest.raises(OSError, match="no space"):
            pack(folder, tmp_path / "data.zip", lambda name: True)
    assert not (tmp_path / "data.zip").exists()
    assert pack(folder, tmp_path / "data.zip", lambda name: True).is_file()


def test_only_a_runs_data_set_is_audited(tmp_path: Path) -> None:
    assert not can_audit("cfcpalsy")
    assert can_audit(str(tmp_path))


def test_what_the_audits_command_refuses_is_told(portraits: Path, tmp_path: Path) -> None:
    run = tmp_path / "no-run"
    with pytest.raises(PalsykitError, match="no-run"):
        list(make_audited(str(run), portraits, ORDER, tmp_path / "data", tmp_path / "data.zip", lambda: False))


def test_a_stop_ends_the_audits_process(portraits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK", 0.01)
    answers = iter([False])
    work = make_audited("cfcpalsy", portraits, ORDER, tmp_path / "d", tmp_path / "d.zip", lambda: next(answers, True))
    next(work)
    with pytest.raises(Stopped):
        next(work)
