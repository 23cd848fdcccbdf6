"""``data prepare`` and ``data check`` with a drawn data set registered beside the installed plugins."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from palsykit.cli import main
from palsykit.faces.alignment import FRAME
from palsykit.faces.interfaces import Detection, Detector
from palsykit.faces.records import FaceRecord, Rejected
from palsykit.faces.vocabulary import FaceLabels, Group, Side
from palsykit.plugins import Discovery, Plugin, Registration, discover
from palsykit.recipe.build import build_part
from palsykit.recipe.schema import PartBlock
from palsykit.registry import registry


class Guess:
    """Every face is in the middle."""

    def __init__(self, *, width: float = 1.0):
        self.version = f"guess {width}"

    def detect(self, photograph: np.ndarray) -> Sequence[Detection]:
        return [Detection(FRAME * photograph.shape[0], 1.0)]


def landmarks(size: int, seed: int) -> np.ndarray:
    """[68, 2] px about the frame's five points, no two of them alike."""
    five = FRAME * size
    points = np.tile(five.mean(0), (68, 1)) + np.random.default_rng(seed).uniform(-2, 2, (68, 2))
    points[36:42], points[42:48], points[30], points[48], points[54] = five
    return points.astype(np.float32)


class Drawn:
    """Photographs that ``ROOT/faces.json`` lists: ``{key: [subject, expression, side, severity, split, colour]}``.

    ``broken`` keys have no picture. ``calls`` counts pictures given since the test began.
    """

    calls: list[str]

    def __init__(
        self,
        image_size: int,
        cache: Path,
        *,
        root: Path,
        detector: Detector | None = None,
        broken: tuple[str, ...] = (),
        points: bool = True,
    ):
        faces = json.loads((root / "faces.json").read_text(encoding="utf-8"))
        self.image_size, self.broken, self.attribution = image_size, broken, "drawn by the tests"
        self.rejected = [
            Rejected(str(root / "odd\udcff\nname.jpg"), "cannot be read as a picture: cut off at byte 12"),
            Rejected(str(root / "tiny.jpg"), "too small: found 8 x 9 px, expected 16"),
            Rejected(str(root / "other.jpg"), "too small: found 3 x 4 px, expected 16"),
        ]
        self.colours = {key: row[5] for key, row in faces.items()}
        self.records = [
            FaceRecord(
                key=key,
                labels=FaceLabels(subject, expression, None if side is None else Side(side), severity),
                landmarks=landmarks(image_size, number) if points else None,
                landmarks_source="given" if points else None,
                split=split,
            )
            for number, (key, (subject, expression, side, severity, split, _)) in enumerate(faces.items())
        ]

    def image(self, record: FaceRecord) -> np.ndarray:
        if record.key in self.broken:
            raise ValueError("its file is gone")
        Drawn.calls.append(record.key)
        size = self.image_size
        picture = np.random.default_rng(self.colours[record.key]).integers(0, 255, (size, size, 3))
        return picture.astype(np.uint8)


FACES: dict[str, list[object]] = {
    "anna/rest.jpg": ["anna", "rest", "none", 1.0, "train", 1],
    "anna/Smile.jpg": ["anna", "smile_full", "left", 4.0, "train", 2],
    "anna/smile.jpg": ["anna", "smile_full", "right", 5.0, "train", 3],
    "bert": ["bert", "kiss", None, None, "test", 4],
    "cora\udce9": ["cora", "rest", "left", 3.0, "validation", 5],
}


class Rendered:
    """As many people as ``identities``, one photograph each."""

    def __init__(self, image_size: int, cache: Path, *, identities: int = 100, seed: int = 0, palsy: float = 1.0):
        self.image_size, self.rejected, self.attribution = image_size, (), "computed"
        self.records = [
            FaceRecord(
                f"p{seed}-{i}",
                FaceLabels(f"p{i}", "rest", Side.LEFT, palsy),
                landmarks(image_size, i),
                "given",
                "train",
            )
            for i in range(identities)
        ]

    def image(self, record: FaceRecord) -> np.ndarray:
        Drawn.calls.append(record.key)
        shade = np.arange(self.image_size**2 * 3) % (50 + len(Drawn.calls))
        return shade.reshape(self.image_size, -1, 3).astype(np.uint8)


@dataclass
class Done:
    code: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Run]:
    """The command line with the data sets "drawn" and, in its own's place, "face_space", and the detector "guess"."""
    installed = [
        replace(p, registrations=tuple(r for r in p.registrations if r.name != "face_space"))
        for p in discover().plugins
    ]
    own = (
        Registration("datasets", "drawn", Drawn),
        Registration("datasets", "face_space", Rendered),
        Registration("detectors", "guess", Guess),
    )
    plugins = [*installed, Plugin("fake", "fake_module", "fake-dist", "1.0", own)]
    monkeypatch.setattr("palsykit.registry.discover", lambda: Discovery(plugins, [], []))
    registry.cache_clear()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Drawn, "calls", [], raising=False)

    def palsykit(*arguments: Any) -> Done:
        monkeypatch.setattr(sys, "argv", ["palsykit", *map(str, arguments)])
        code: Any = 0
        try:
            main()
        except SystemExit as error:
            code = error.code or 0
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    yield palsykit
    registry.cache_clear()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The folder "photographs" in the current one, as "drawn" reads it."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    write(folder, FACES)
    (folder / "bert.JPG").write_bytes(b"the photograph's own file")
    return Path("photographs")


def write(folder: Path, faces: dict[str, list[Any]]) -> None:
    (folder / "faces.json").write_text(json.dumps(faces), encoding="utf-8")


def rows(folder: str = "out") -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(folder, "metadata.jsonl").read_text(encoding="utf-8").splitlines()]


DRAWN = ("photographs", "out", "--layout", "drawn")
PREPARE = ("data", "prepare", "photographs", "out", "--layout", "drawn", "--size", 32)


def test_datasets_finds_splits_and_labels(run: Run, source: Path, load_dataset: Any) -> None:
    write(source, FACES | {"test/train": ["dora", "rest", "left", 2.0, "train", 90]})
    assert run(*PREPARE).code == 0
    found, listed = load_dataset("out"), rows()
    assert set(found) == {"train", "test", "validation"}
    for split, table in found.items():
        own = [row for row in listed if row["split"] == split]
        assert [(row["subject"], row["expression"]) for row in table] == [(o["subject"], o["expression"]) for o in own]
        for row, line in zip(table, own, strict=True):
            assert np.array_equal(row["image"], Image.open(Path("out", line["file_name"])))
    card = Path("out/README.md").read_text(encoding="utf-8")
    lost = {"side", "severity"} - set(found["train"].features)
    assert all(name in card for name in lost)
    assert "6 photographs" in card


def test_photographs_become_an_imagefolder(run: Run, source: Path) -> None:
    done = run(*PREPARE)
    assert done.code == 0, done.err
    found = rows()
    assert [row["key"] for row in found] == ["anna/rest.jpg", "anna/Smile.jpg", "anna/smile.jpg", "bert", "cora\\xe9"]
    assert [row["split"] for row in found] == ["train", "train", "train", "test", "validation"]
    kiss = {key: found[3][key] for key in ("file_name", "subject", "expression", "side", "severity", "source")}
    assert kiss == {
        "file_name": "images/bert.png",
        "subject": "bert",
        "expression": "kiss",
        "side": None,
        "severity": None,
        "source": "bert.JPG",
    }
    assert found[0]["source"] is None, "no file of this name is there"
    names = {row["file_name"].lower() for row in found}
    assert len(names) == 5, "names differ on file systems that know no case"
    with Image.open(Path("out", found[0]["file_name"])) as picture:
        expected = np.random.default_rng(1).integers(0, 255, (32, 32, 3)).astype(np.uint8)
        np.testing.assert_array_equal(np.asarray(picture), expected)


def test_the_last_lines_report_usable_and_rejected_photographs(run: Run, source: Path) -> None:
    lines = run(*PREPARE).out.splitlines()
    assert lines == [
        "2 subjects have one photograph, which is its own identity image: bert, cora",
        "In a recipe: data: {use: imagefolder, root: out, frame: aligned, expressions: {kiss: kiss}}",
        "out: kept 5 photographs (1 train, 1 validation, 1 test subjects), rejected 3: 2 too small; "
        "1 cannot be read as a picture (out/rejected.csv lists them)",
    ]
    table = Path("out/rejected.csv").read_text(encoding="utf-8").splitlines()
    assert table[0] == "path,reason"
    assert table[1].endswith("photographs/odd\\xff\\nname.jpg,cannot be read as a picture: cut off at byte 12")
    assert len(table) == 4


def test_the_folder_says_what_it_was_made_of(run: Run, source: Path) -> None:
    run(*PREPARE, "--detector", "guess", "--set", "detector.width=0.5", "--seed", 3)
    about = json.loads(Path("out/data.json").read_text(encoding="utf-8"))
    assert about["settings"] == {
        "data": {
            "use": "drawn",
            "root": str(Path.cwd() / "photographs"),
            "detector": {"use": "guess", "width": 0.5},
            "broken": [],
            "points": True,
        },
        "image_size": 32,
        "seed": 3,
    }
    assert about["finished"] is True
    assert (about["kept"], about["without_landmarks"]) == (5, 0)
    assert about["subjects"] == {"train": 1, "validation": 1, "test": 1}
    assert about["attribution"] == "drawn by the tests"
    plugins = about["provenance"]["plugins"]
    assert {(made["distribution"], made["version"]) for made in plugins.values()} == {("fake-dist", "1.0")}
    assert str(Path.cwd()) not in json.dumps(about["provenance"])
    assert about["splits"] == "prescribed by the data set"


def test_what_is_written_is_read_by_imagefolder(run: Run, source: Path, tmp_path: Path) -> None:
    run(*PREPARE)
    about = json.loads(Path("out/data.json").read_text(encoding="utf-8"))["data"]
    keys = {key: value for key, value in about.items() if key != "use"}
    block = PartBlock(use=about["use"], parameters={"root": "out", **keys})
    read = build_part("datasets", block, 32, tmp_path / "cache")
    assert list(read.rejected) == []
    original = Drawn(32, tmp_path, root=source)
    assert len(read.records) == len(original.records) == 5
    for now, before in zip(read.records, original.records, strict=True):
        assert now.labels == replace(before.labels, subject=now.labels.subject)
        assert now.split == before.split
        np.testing.assert_allclose(now.landmarks, before.landmarks, atol=1e-3)
        np.testing.assert_array_equal(read.image(now), original.image(before))


def test_a_stopped_preparation_resumes(run: Run, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Drawn.image

    def stopped(self: Drawn, record: FaceRecord) -> np.ndarray:
        if len(Drawn.calls) == 3:
            raise KeyboardInterrupt
        return whole(self, record)

    monkeypatch.setattr(Drawn, "image", stopped)
    done = run(*PREPARE)
    assert done.code == 130
    assert done.err.rstrip().endswith("Resume with: palsykit data prepare photographs out --layout drawn --size 32")
    assert json.loads(Path("out/data.json").read_text(encoding="utf-8"))["finished"] is False
    assert not Path("out/metadata.jsonl").exists()
    first = {path: path.stat().st_mtime_ns for path in Path("out/images").iterdir()}
    assert len(first) == 3
    assert "is not finished; resume it with the command" in run("data", "check", "out").err
    cut = sorted(first)[0]
    cut.write_bytes(cut.read_bytes()[:-20])
    (cut.parent / ".anna-rest-x.png").write_bytes(b"half")
    monkeypatch.setattr(Drawn, "image", whole)
    Drawn.calls.clear()
    assert run(*PREPARE).code == 0
    assert len(Drawn.calls) == 3, "the two that were missing and the one that was cut"
    assert all(path.stat().st_mtime_ns == time for path, time in first.items() if path != cut)
    assert len(list(Path("out/images").iterdir())) == len(rows()) == 5


def test_changed_photographs_are_written_anew_and_others_kept(run: Run, source: Path, tmp_path: Path) -> None:
    run(*PREPARE)
    before = {path.name: path.stat().st_mtime_ns for path in Path("out/images").iterdir()}
    faces = {key: row for key, row in FACES.items() if key != "bert"}
    faces["anna/rest.jpg"] = ["anna", "rest", "none", 1.0, "train", 77]
    write(tmp_path / "photographs", faces)
    done = run(*PREPARE)
    assert done.code == 0
    assert "1 pictures removed from out/images: their photographs are no longer in the data" in done.err
    after = {path.name: path.stat().st_mtime_ns for path in Path("out/images").iterdir()}
    assert set(before) - set(after) == {"bert.png"}
    assert [name[:9] for name in after if after[name] != before[name]] == ["anna-rest"]


def test_a_stopped_sitting_over_changed_photographs_leaves_no_old_picture(
    run: Run, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(*PREPARE)
    write(tmp_path / "photographs", {key: [*row[:5], row[5] + 100] for key, row in FACES.items()})
    whole = Drawn.image

    def stopped(self: Drawn, record: FaceRecord) -> np.ndarray:
        raise KeyboardInterrupt

    monkeypatch.setattr(Drawn, "image", stopped)
    assert run(*PREPARE).code == 130
    monkeypatch.setattr(Drawn, "image", whole)
    assert run(*PREPARE).code == 0
    with Image.open(Path("out", rows()[2]["file_name"])) as picture:
        expected = np.random.default_rng(103).integers(0, 255, (32, 32, 3)).astype(np.uint8)
        np.testing.assert_array_equal(np.asarray(picture), expected)


def test_a_picture_that_the_data_set_cannot_give_is_listed(run: Run, source: Path) -> None:
    done = run(*PREPARE, "--set", "broken=[anna/rest.jpg, bert]")
    assert done.code == 0
    assert (
        "kept 3 photographs (1 train, 1 validation subjects), rejected 5: 2 too small; 2 its file is gone" in done.out
    )
    assert len(rows()) == len(list(Path("out/images").iterdir())) == 3
    write(source, {"bert": FACES["bert"]})
    done = run("data", "prepare", source, "none", "--layout", "drawn", "--set", "broken=[bert]")
    assert done.code == 2
    assert "none: none of 4 photographs can be used; its rejected.csv says why" in done.err


def test_drawn_splits_are_stored_and_the_same_again(run: Run, source: Path, tmp_path: Path) -> None:
    faces = {f"s{i}-{k}": [f"s{i}", "rest", "none", 1.0, None, i + 10 * k] for i in range(10) for k in range(2)}
    write(tmp_path / "photographs", faces)
    run(*PREPARE)
    assert run("data", "prepare", "photographs", "again", "--layout", "drawn", "--size", 32).code == 0
    splits = {row["subject"]: row["split"] for row in rows()}
    assert splits == {row["subject"]: row["split"] for row in rows("again")}
    assert sorted(splits.values()) == ["test"] * 2 + ["train"] * 7 + ["validation"]
    assert all(splits[row["subject"]] == row["split"] for row in rows())
    run("data", "prepare", "photographs", "other", "--layout", "drawn", "--size", 32, "--seed", 1)
    assert splits != {row["subject"]: row["split"] for row in rows("other")}
    write(tmp_path / "photographs", {key: row for key, row in faces.items() if splits[row[0]] != "test"})
    assert "subjects have another split than before (s" in run(*PREPARE).err


def test_other_settings_into_the_same_folder_are_refused(run: Run, source: Path) -> None:
    run(*PREPARE)
    before = Path("out/data.json").read_bytes()
    done = run("data", "prepare", source, "out", "--layout", "drawn", "--size", 48, "--set", "points=false")
    assert done.code == 2
    assert done.err.splitlines()[-3:] == [
        "palsykit: out: made with other settings; name another folder, or remove it to start again. Differences:",
        "  data.points: true -> false",
        "  image_size: 32 -> 48",
    ]
    assert Path("out/data.json").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere", "out", "--layout", "drawn"), "nowhere: no such file or folder, expected the photographs"),
        (("photographs", "photographs/out", "--layout", "drawn"), "photographs/out: lies in the data itself"),
        (
            ("photographs", "full", "--layout", "drawn"),
            "full: not empty, and holds no prepared data (no data.json",
        ),
        (("photographs", "file", "--layout", "drawn"), "file: a file; expected a folder"),
        (
            ("photographs", "out", "--layout", "drawm"),
            '--layout drawm: use: found "drawm", expected a dataset; did you',
        ),
        (
            ("photographs", "out", "--layout", "face_space"),
            "SRC: root: found an unknown key, expected one of use, identities",
        ),
        (("out", "--layout", "drawn"), "--layout drawn: root: found no key root, expected this key"),
        (("photographs", "more", "out", "--layout", "drawn"), "data prepare: 3 folders, expected [SRC] DEST"),
        ((*DRAWN, "--set", "pionts=1"), "pionts: found an unknown key, expected one of use, root"),
        ((*DRAWN, "--set", "points=4"), "--set points=4: points: found 4, expected true or false"),
        ((*DRAWN, "--set", "points"), 'found "points" (text), expected a.b.c=VALUE'),
        (
            (*DRAWN, "--set", "use=imagefolder"),
            "--set use: found another data set, imagefolder; say --layout imagefolder",
        ),
        ((*DRAWN, "--detector", "gues"), '--detector gues: detector: found "gues", expected a detector; did you mean'),
    ],
)
def test_what_is_refused(run: Run, source: Path, arguments: tuple[str, ...], message: str) -> None:
    Path("full").mkdir()
    Path("full/thesis.txt").touch()
    Path("file").touch()
    done = run("data", "prepare", *arguments)
    assert done.code == 2
    assert message in done.err
    assert "Traceback" not in done.err
    assert not Path("out").exists()
    assert [path.name for path in Path("full").iterdir()] == ["thesis.txt"]


def test_renders_are_an_imagefolder_like_any_other(run: Run) -> None:
    keys = ("--set", "identities=3", "--set", "seed=5", "--set", "palsy=4.0")
    done = run("data", "prepare", "faces", "--layout", "face_space", "--size", 16, *keys)
    assert done.code == 0, done.err
    assert done.out.splitlines()[-1] == "faces: kept 3 photographs (3 train subjects), rejected 0"
    first = rows("faces")[0]
    assert {key: first[key] for key in ("file_name", "subject", "expression", "side", "severity", "key", "source")} == {
        "file_name": "images/p5-0.png",
        "subject": "p0",
        "expression": "rest",
        "side": "left",
        "severity": 4.0,
        "key": "p5-0",
        "source": None,
    }
    assert np.shape(first["landmarks"]) == (68, 2)
    assert (first["landmarks_source"], first["split"]) == ("given", "train")
    Drawn.calls.clear()
    assert run("data", "prepare", "faces", "--layout", "face_space", "--size", 16, *keys).code == 0
    assert Drawn.calls == [], "what is there is kept"


def test_check_of_a_prepared_folder(run: Run, source: Path) -> None:
    run(*PREPARE)
    done = run("data", "check", "out")
    assert done.code == 0, done.err
    lines = [line.split() for line in done.out.splitlines()]
    assert ["train", "1", "3"] in lines
    assert ["anna", "train", "3"] in lines
    assert ["smile_full", "2", "0", "0", "2"] in lines
    assert ["unknown", "0", "0", "1", "1"] in lines
    assert ["smile_full", "0", "1", "1", "0"] in lines
    assert "subjects without a photograph at rest: 1 (bert)" in done.out
    assert "subjects with one photograph: 2 (bert, cora)" in done.out
    assert "cannot be trained on" not in done.out
    page = json.loads(run("data", "check", "out", "--json").out)
    assert page["photographs"]["train"] == 3
    assert page["faults"] == []
    assert "changed since" not in done.out
    text = Path("out/metadata.jsonl").read_text(encoding="utf-8")
    Path("out/metadata.jsonl").write_text(text.replace('"smile_full"', '"rest"'), encoding="utf-8")
    assert "metadata.jsonl changed since data.json was written" in run("data", "check", "out").out


def test_check_of_data_that_cannot_be_trained_on(run: Run, source: Path, tmp_path: Path) -> None:
    write(tmp_path / "photographs", {"a": ["a", "rest", None, None, "test", 1]})
    run(*PREPARE)
    done = run("data", "check", "out")
    assert done.code == 2
    assert "cannot be trained on:\n  no subject is in the split train" in done.out
    line = Path("out/metadata.jsonl").read_text(encoding="utf-8")
    second = line.replace("images/a.png", "images/b.png").replace('"split": "test"', '"split": "train"')
    Path("out/metadata.jsonl").write_text(line + second, encoding="utf-8")
    done = run("data", "check", "out")
    assert done.code == 2
    assert "Traceback" not in done.err
    assert "expected one" in done.err


def test_check_of_a_recipe(run: Run, source: Path) -> None:
    Path("small.yaml").write_text("data: {use: drawn, root: photographs}\nsynthesiser: copy\n", encoding="utf-8")
    done = run("data", "check", "small.yaml", "--set", "data.points=false")
    assert done.code == 0, done.err
    assert "photographs without landmarks: 5 of 5" in done.out
    assert "photographs that are not used: 3 (2 too small; 1 cannot be read as a picture)" in done.out
    done = run("data", "check", "nothing")
    assert (done.code, done.err) == (2, "palsykit: nothing: no such folder or recipe, expected one to check\n")


def test_labels_of_every_scale_come_back(run: Run, tmp_path: Path) -> None:
    source = tmp_path / "photographs"
    source.mkdir()
    Image.new("RGB", (32, 32), "teal").save(source / "a.png")
    row = {"file_name": "a.png", "subject": "p1", "side": "left", "severity": 4, "group": "synkinetic",
           "sunnybrook": 41.0, "eface": 63.5}  # fmt: skip
    (source / "metadata.jsonl").write_text(json.dumps(row) + "\n")
    run("data", "prepare", str(source), str(tmp_path / "out"), "--layout", "imagefolder", "--size", "32")
    again = build_part(
        "datasets", PartBlock(use="imagefolder", parameters={"root": str(tmp_path / "out")}), 32, tmp_path
    )
    labels = again.records[0].labels
    assert (labels.group, labels.sunnybrook, labels.eface) == (Group.SYNKINETIC, 41.0, 63.5)


def test_a_folder_of_which_nothing_can_be_used_is_listed(run: Run, tmp_path: Path) -> None:
    source = tmp_path / "photographs"
    source.mkdir()
    (source / "a.png").write_bytes(b"no picture")
    (source / "metadata.jsonl").write_text('{"file_name": "a.png", "subject": "p1"}\n')
    done = run("data", "prepare", str(source), str(tmp_path / "out"), "--layout", "imagefolder", "--size", "32")
    assert done.code == 2
    assert "rejected.csv lists all 1" in done.err
    assert "a.png" in (tmp_path / "out" / "rejected.csv").read_text()


def test_help_lists_the_command_and_its_own_commands(run: Run) -> None:
    assert "Data sets: prepare one from photographs or renders, and" in run("--help").out
    done = run("data", "--help")
    assert done.code == 0
    assert "Usage: palsykit data" in done.out
    assert all(name in done.out for name in ("prepare", "check"))
