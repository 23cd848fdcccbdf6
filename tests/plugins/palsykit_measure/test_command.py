"""palsykit measure: a photograph, a photograph against rest, and a folder with the standard eight."""

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from palsykit.faces.vocabulary import EXPRESSIONS
from palsykit.photographs.mark import read_mark, write_marked
from palsykit.testing import check
from palsykit_measure import reading
from palsykit_measure.overlay import FACE_PX, MOUTH

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def example(eight: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The eight, a picture without a face and a letter, measured. Do not change it; make a copy."""
    base = tmp_path_factory.mktemp("measured")
    photographs = base / "photographs"
    shutil.copytree(eight, photographs)
    Image.new("RGB", (300, 300), (90, 120, 150)).save(photographs / "wall.png")
    (photographs / "letter.txt").write_text("Dear colleague")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["palsykit", "measure", str(photographs), "--output", str(base / "out")])
        from palsykit.cli import main

        with pytest.raises(SystemExit) as ended:
            main()
    assert not ended.value.code
    return base


def test_contract() -> None:
    check("command", "measure")


def test_a_folder_becomes_the_standard_eight(example: Path) -> None:
    found = json.loads((example / "out/measures.json").read_text())
    shown = {one["expression"]: one for one in found["photographs"]}
    assert set(shown) == set(EXPRESSIONS)
    assert shown["rest"]["rest"] is None
    assert {one["rest"] for name, one in shown.items() if name != "rest"} == {"p01 rest"}
    assert all(("corner_excursion" in one["measures"]) == (name != "rest") for name, one in shown.items())
    assert all(("lid_gap" in one["measures"]) == name.startswith("eye_closure") for name, one in shown.items())
    assert all(one["expression_from"] == "file name" for one in shown.values())
    assert [one["path"] for one in found["rejected"]] == ["letter.txt", "wall.png"]
    with (example / "out/eight.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["expression"] for row in rows] == list(EXPRESSIONS)
    smile = next(row for row in rows if row["expression"] == "smile_full")
    value = shown["smile_full"]["measures"]["corner_excursion"]["left"]["value"]
    assert float(smile["corner_excursion_left"]) == pytest.approx(value, abs=0.006)
    with Image.open(example / "out/sheets/eight.png") as sheet:
        assert sheet.width == 4 * 480


def test_what_cannot_be_used_is_listed(example: Path) -> None:
    rows = list(csv.reader(io.StringIO((example / "out/rejected.csv").read_text())))
    assert [row[0] for row in rows] == ["path", "letter.txt", "wall.png"]
    assert "found no face in 300 x 300 px; expected" in rows[2][1]


def test_the_document_has_its_form(example: Path) -> None:
    found = json.loads((example / "out/measures.json").read_text())
    kinds = {
        "palsykit": str, "says_not": str, "landmarks": dict, "detector": str, "unit": str, "scales": dict,
        "intervals": str, "meanings": dict, "photographs": list, "rejected": list,
    }  # fmt: skip
    assert {name: type(value) for name, value in found.items()} == kinds
    assert set(found["landmarks"]) == {"network", "image_size", "weights"}
    for one in found["photographs"]:
        assert set(one) == {
            "file", "name", "sha256", "synthetic", "subject", "expression", "expression_from", "rest", "scale", "head",
            "notes", "measures", "landmarks",
        }  # fmt: skip
        assert np.array(one["landmarks"]).shape == (68, 2)
        assert set(one["scale"]) == {"by", "px_per_mm", "photograph", "pupils_mm"}
        assert set(one["head"]) == {"roll", "yaw", "pitch"}
        for parts in one["measures"].values():
            assert set(parts) in ({"right", "left", "difference"}, {"whole"})
            for value in parts.values():
                assert set(value) in ({"value"}, {"value", "low", "high"})
                assert all(isinstance(number, float) for number in value.values())


def test_the_table_has_a_line_per_photograph_and_measure(example: Path) -> None:
    found = json.loads((example / "out/measures.json").read_text())
    with (example / "out/measures.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    expected = [(one["file"], name) for one in found["photographs"] for name in one["measures"]]
    assert [(row["file"], row["measure"]) for row in rows] == expected
    for row in rows:
        assert "no diagnosis" in row["note"]
        if row["right"]:
            apart = float(row["left"]) - float(row["right"])
            assert float(row["difference"]) == pytest.approx(apart, abs=0.011)
        else:
            assert row["whole"]


def test_a_second_run_reads_nothing_again(
    example: Path, tmp_path: Path, palsykit: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(example, tmp_path / "copy")
    out = tmp_path / "copy/out"
    (out / "overlays/p01 rest.png").unlink()
    before = {path: path.stat().st_mtime_ns for path in (out / "overlays").iterdir()}
    asked: list[str] = []
    read = reading.Reader.read

    def watched(self: reading.Reader, photograph: Any, *arguments: Any) -> Any:
        asked.append(Path(photograph.name).name)
        return read(self, photograph, *arguments)

    monkeypatch.setattr(reading.Reader, "read", watched)
    done = palsykit("measure", tmp_path / "copy/photographs", "--output", out, "--scale", "pupils", "--json")
    assert done.code == 0, done.err
    assert asked == ["wall.png"], "what was refused is tried again"
    found = json.loads(done.out)
    assert found == json.loads((out / "measures.json").read_text())
    assert {one["scale"]["by"] for one in found["photographs"]} == {"pupils"}
    assert all(path.stat().st_mtime_ns > time for path, time in before.items()), "their lengths are others"
    assert (out / "overlays/p01 rest.png").is_file()
    before = {path: path.stat().st_mtime_ns for path in (out / "overlays").iterdir()}
    assert palsykit("measure", tmp_path / "copy/photographs", "--output", out, "--scale", "pupils").code == 0
    assert before == {path: path.stat().st_mtime_ns for path in (out / "overlays").iterdir()}, "nothing has changed"
    done = palsykit("measure", tmp_path / "copy/photographs", "--output", out, "--face", "1")
    assert done.code == 2
    assert "made with other settings" in done.err


def test_one_photograph_against_rest(eight: Path, tmp_path: Path, palsykit: Run) -> None:
    smile, rest = tmp_path / "IMG_1.png", tmp_path / "IMG_0.png"
    shutil.copy(eight / "p01 smile_full.png", smile)
    facts = {"recipe": "a test"}
    write_marked(Image.open(eight / "p01 rest.png"), rest, facts)
    keys = ["--rest", rest, "--expression", "big smile", "--output", tmp_path / "out"]
    done = palsykit("measure", smile, *keys)
    assert done.code == 0, done.err
    assert "IMG_1.png (smile full)" in done.out
    assert "corner excursion" in done.out
    assert "They do not grade a patient and are not a diagnosis" in done.out
    found = json.loads((tmp_path / "out/measures.json").read_text())
    assert [one["synthetic"] for one in found["photographs"]] == [True, False]
    assert [one["expression_from"] for one in found["photographs"]] == ["option", "option"]
    mark = read_mark(tmp_path / "out/overlays/IMG_0.png")
    assert mark is not None
    assert mark["recipe"] == "a test"
    assert read_mark(tmp_path / "out/overlays/IMG_1.png") is None
    with Image.open(tmp_path / "out/overlays/IMG_1.png") as overlay:
        face = np.asarray(overlay.convert("RGB"))[:, :FACE_PX].astype(int)
    colour = np.array([int(MOUTH[i : i + 2], 16) for i in (1, 3, 5)])
    u = np.nonzero(np.abs(face - colour).sum(-1) < 30)[1]
    assert len(u) > 200
    assert u.min() < 0.45 * FACE_PX < 0.55 * FACE_PX < u.max(), "on both sides of the mouth"


def test_a_table_says_who_shows_what(eight: Path, tmp_path: Path, palsykit: Run) -> None:
    folder = tmp_path / "photographs"
    folder.mkdir()
    for number, expression in enumerate(("rest", "smile_full", "lip_pucker")):
        shutil.copy(eight / f"p01 {expression}.png", folder / f"{number}.png")
    (folder / "metadata.csv").write_text(
        "file_name,subject,expression\n0.png,anna,neutral\n1.png,anna,big smile\n2.png,bert,whistle\n"
    )
    done = palsykit("measure", folder, "--output", tmp_path / "out")
    assert done.code == 0, done.err
    found = {one["file"]: one for one in json.loads((tmp_path / "out/measures.json").read_text())["photographs"]}
    assert [(one["subject"], one["expression"], one["rest"]) for one in found.values()] == [
        ("anna", "rest", None), ("anna", "smile_full", "0"), ("bert", "whistle", None),
    ]  # fmt: skip
    assert [path.name for path in (tmp_path / "out/sheets").iterdir()] == ["anna.png"]
    assert "not photographed" in done.out
    (folder / "metadata.csv").write_text("file_name,Subject\n0.png,anna\n")
    done = palsykit("measure", folder, "--output", tmp_path / "out")
    assert done.code == 2
    assert "metadata.csv:1: found column 'Subject', expected 'subject'" in done.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no.jpg"], "measure no.jpg: no such file"),
        (["{wall}"], "no photograph can be measured (wall.png: found no face in 300 x 300 px"),
        (["{wall}", "--scale", "ruler"], "--scale ruler: expected iris or pupils"),
        (["{wall}", "--expression", "grin"], "expression: unknown expression 'grin'"),
        (["{wall}", "--expression", "rest,smile_full"], "expected one, for one PHOTO"),
        (["{wall}", "--rest", "no.jpg"], "--rest no.jpg: no such file"),
        (["{wall}", "--network", "points"], "--network points: expected RECIPE:NAME"),
        (["{wall}", "--detector", "eyes"], "eyes"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path: Path, palsykit: Run, arguments: list[str], message: str) -> None:
    wall = tmp_path / "wall.png"
    Image.new("RGB", (300, 300), (90, 120, 150)).save(wall)
    done = palsykit("measure", *[a.format(wall=wall) for a in arguments], "--output", tmp_path / "out")
    assert done.code == 2
    assert message in done.err
    assert done.out == ""
