"""Synthesis in bulk: every cell, its own seed, resumable, and nobody whom the run was trained on."""

import csv
import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import palsykit as package
from palsykit.errors import PalsykitError
from palsykit.faces.parsing import cells
from palsykit.faces.records import Rejected
from palsykit.faces.vocabulary import FaceLabels, Side
from palsykit.photographs.mark import read_mark
from palsykit.recipe import build_part
from palsykit.recipe.schema import PartBlock
from palsykit.registry import Entry, registry
from palsykit.run.folder import RunFolder
from palsykit_audit import bulk as module
from palsykit_audit.bulk import Order, model_digest, pictures_of, synthesize
from palsykit_audit.identities import held_out, in_folder


class Tint:
    """A poser: colours the picture by what is asked."""

    def pose(self, photograph: Any, landmarks: Any, labels: FaceLabels, strength: float = 1.0) -> tuple[Any, Any]:
        picture = photograph.copy()
        picture[:, :, list(Side).index(labels.side or Side.NONE) % 3] = int(strength * 40 * (labels.severity or 1))
        return picture, np.asarray(landmarks, np.float32)


@pytest.fixture(autouse=True)
def poser(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in [key for key in registry().entries if key[0] == "posers"]:
        monkeypatch.delitem(registry().entries, key)
    monkeypatch.setitem(registry().entries, ("posers", "tint"), Entry("posers", "tint", "fake", "fake", "1", Tint))


@pytest.fixture(scope="module")
def model(finished: RunFolder) -> package.Model:
    return package.load(finished.path, poser="tint")


CELLS = tuple(cells(["rest", "smile_full"], [Side.LEFT, Side.RIGHT], [1, 4]))


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (pictures_of(folder) / "metadata.jsonl").read_text().splitlines()]


def pixels(folder: Path) -> dict[str, bytes]:
    images = pictures_of(folder)
    return {row["file_name"]: Image.open(images / row["file_name"]).tobytes() for row in rows(folder)}


@pytest.fixture(scope="module")
def whole(model: package.Model, finished: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two held-out people, six cells, two of each."""
    folder = tmp_path_factory.mktemp("bulk") / "dest"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry().entries, ("posers", "tint"), Entry("posers", "tint", "fake", "fake", "1", Tint))
        people = held_out(model.parts, 2, seed=0)
        done = synthesize(model, finished.path, people, Order(CELLS, per_cell=2, batch_size=5), folder)
    assert (done.new, done.existing) == (2 * 6 * 2, 0)
    return folder


def test_every_person_is_in_every_cell_the_requested_number_of_times(whole: Path) -> None:
    found = Counter((r["subject"], r["expression"], r["side"], r["severity"]) for r in rows(whole))
    people = {row["subject"] for row in rows(whole)}
    assert len(people) == 2
    assert found == {(p, c.expression, str(c.side), c.severity): 2 for p in people for c in CELLS}
    with (whole / "counts.csv").open() as file:
        counts = {tuple(line.values())[:3]: int(line["pictures"]) for line in csv.DictReader(file)}
    assert counts == {(str(c.expression), str(c.side), str(float(c.severity or 0))): 4 for c in CELLS}


def test_datasets_reads_a_released_set(whole: Path, tmp_path: Path, load_dataset: Any) -> None:
    shutil.copytree(whole, tmp_path / "dest")
    (tmp_path / "dest/unreleased").rename(tmp_path / "dest/images")
    found = load_dataset(tmp_path / "dest")
    assert {split: table["seed"] for split, table in found.items()} == {"train": [row["seed"] for row in rows(whole)]}
    first = rows(whole)[0]["file_name"]
    assert np.array_equal(found["train"][0]["image"], Image.open(pictures_of(whole) / first))


def test_every_row_says_where_its_picture_is_from(whole: Path, model: package.Model, finished: RunFolder) -> None:
    lines = rows(whole)
    assert len({row["seed"] for row in lines}) == len(lines)
    trained = {record.labels.subject for record in model.parts.data().splits["train"]}
    for row in lines:
        assert row["synthetic"] is True
        assert row["run"] == finished.path.name
        assert row["recipe_hash"] == model.parts.recipe.hash
        assert row["model_sha256"] == model_digest(model)
        assert row["driver"] == "the identity photograph, posed by tint"
        assert row["subject"] not in trained
    on_disk = {path.relative_to(pictures_of(whole)).as_posix() for path in pictures_of(whole).rglob("*.png")}
    assert on_disk == {row["file_name"] for row in lines}, "what is there is described, what is described is there"
    card = (whole / "README.md").read_text()
    assert "24 pictures, all synthetic" in card
    assert "DeBruine" in card


def test_it_is_an_imagefolder_that_palsykit_reads(whole: Path, tmp_path: Path) -> None:
    block = PartBlock(use="imagefolder", parameters={"root": str(pictures_of(whole))})
    faces = build_part("datasets", block, 32, tmp_path)
    assert len(faces.records) + sum("same picture" in rejected.reason for rejected in faces.rejected) == 24
    record = next(record for record in faces.records if record.labels.severity == 4)
    assert np.array_equal(faces.image(record), np.asarray(Image.open(pictures_of(whole) / record.key)))
    assert record.labels.side in (Side.LEFT, Side.RIGHT)


def test_a_picture_depends_on_its_own_seed_alone(
    whole: Path, model: package.Model, finished: RunFolder, tmp_path: Path
) -> None:
    synthesize(model, finished.path, held_out(model.parts, 1, 0), Order(CELLS[3:], batch_size=1), tmp_path / "few")
    large, few = pixels(whole), pixels(tmp_path / "few")
    assert len(few) == 3
    for name, picture in few.items():
        apart = np.frombuffer(picture, np.uint8).astype(int) - np.frombuffer(large[name], np.uint8)
        assert np.abs(apart).max() <= 1, name


def test_a_stopped_synthesis_resumes(
    whole: Path, model: package.Model, finished: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people, order = held_out(model.parts, 2, 0), Order(CELLS, per_cell=2, batch_size=5)
    made, count = module._make, 0

    def stops(*arguments: Any) -> Any:
        nonlocal count
        count += 1
        if count == 3:
            raise KeyboardInterrupt
        return made(*arguments)

    monkeypatch.setattr(module, "_make", stops)
    with pytest.raises(KeyboardInterrupt):
        synthesize(model, finished.path, people, order, tmp_path / "dest")
    assert len(rows(tmp_path / "dest")) == 10, "at every moment the metadata tells what is there"
    kept = next(pictures_of(tmp_path / "dest").rglob("*.png"))
    before = kept.stat().st_mtime_ns
    monkeypatch.setattr(module, "_make", made)
    done = synthesize(model, finished.path, people, order, tmp_path / "dest")
    assert (done.new, done.existing) == (14, 10)
    assert kept.stat().st_mtime_ns == before
    assert pixels(tmp_path / "dest") == pixels(whole)
    for name in ("unreleased/metadata.jsonl", "counts.csv", "README.md", "contact-sheet.png", "synthesis.json"):
        assert (tmp_path / "dest" / name).read_bytes() == (whole / name).read_bytes(), name


def test_a_finished_one_makes_nothing_and_a_lost_picture_is_made_again(
    whole: Path, model: package.Model, finished: RunFolder, tmp_path: Path
) -> None:
    shutil.copytree(whole, tmp_path / "dest")
    people, order = held_out(model.parts, 2, 0), Order(CELLS, per_cell=2, batch_size=16)
    assert synthesize(model, finished.path, people, order, tmp_path / "dest").new == 0
    lost = pictures_of(tmp_path / "dest") / rows(whole)[7]["file_name"]
    lost.unlink()
    assert synthesize(model, finished.path, people, order, tmp_path / "dest").new == 1
    assert lost.is_file()
    assert rows(tmp_path / "dest") == rows(whole)


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"seed": 1}, "seed: 0 -> 1"),
        ({"guidance": 2.0}, r"guidance: 1\.0 -> 2\.0"),
        ({"per_cell": 3}, "per_cell: 2 -> 3"),
        ({"cells": CELLS[:2]}, "cells: "),
        ({"strength": (0.5, 1.0)}, r"strength: \[1\.0, 1\.0\] -> \[0\.5, 1\.0\]"),
    ],
)
def test_other_settings_into_the_same_folder_are_refused_with_the_difference(
    whole: Path, model: package.Model, finished: RunFolder, changes: dict[str, Any], difference: str
) -> None:
    before = (pictures_of(whole) / "metadata.jsonl").read_bytes()
    order = Order(**{"cells": CELLS, "per_cell": 2, **changes})
    with pytest.raises(PalsykitError, match=rf"(?s)made with other settings.*{difference}"):
        synthesize(model, finished.path, held_out(model.parts, 2, 0), order, whole)
    with pytest.raises(PalsykitError, match=r"(?s)made with other settings.*identities\.people: 2 -> 1"):
        synthesize(model, finished.path, held_out(model.parts, 1, 0), Order(CELLS, per_cell=2), whole)
    assert (pictures_of(whole) / "metadata.jsonl").read_bytes() == before


def test_a_folder_of_something_else_is_refused(model: package.Model, finished: RunFolder, tmp_path: Path) -> None:
    people, order = held_out(model.parts, 1, 0), Order(CELLS)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(PalsykitError, match=r"not empty, and holds no synthesis \(no synthesis\.json in it\)"):
        synthesize(model, finished.path, people, order, tmp_path)
    with pytest.raises(PalsykitError, match="a file; expected a folder"):
        synthesize(model, finished.path, people, order, tmp_path / "notes.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_strength_is_drawn_for_each_picture(model: package.Model, finished: RunFolder, tmp_path: Path) -> None:
    order = Order(CELLS, per_cell=2, strength=(0.5, 0.9))
    synthesize(model, finished.path, held_out(model.parts, 1, 0), order, tmp_path / "dest")
    drawn = [row["strength"] for row in rows(tmp_path / "dest")]
    assert 0.5 <= min(drawn) < 0.65
    assert 0.75 < max(drawn) <= 0.9
    assert len(set(drawn)) == len(drawn)


def test_the_draw_of_people_begins_with_the_same_and_goes_by_seed(model: package.Model) -> None:
    def drawn(count: int, seed: int, *changes: str) -> list[str]:
        return [person.name for person in held_out(model.parts, count, seed, changes).persons]

    assert drawn(2, 0)[:1] == drawn(1, 0)
    assert sorted(drawn(2, 0)) == sorted(drawn(2, 1))
    assert len({tuple(drawn(6, seed, "test=6")) for seed in range(4)}) > 1


def test_more_people_than_are_held_out_need_more_data(model: package.Model) -> None:
    with pytest.raises(
        PalsykitError, match=r"--identities 3: .*has 2 people .*expected at most 2, .*--data KEY=VALUE changes"
    ):
        held_out(model.parts, 3, 0)
    more = held_out(model.parts, 5, 0, ["test=5"])
    assert len(more.persons) == 5
    assert "changed by test=5" in more.source
    with pytest.raises(PalsykitError, match=r"(?s)tset.*unknown key"):
        held_out(model.parts, 3, 0, ["tset=5"])
    with pytest.raises(PalsykitError, match="--data test: expected KEY=VALUE"):
        held_out(model.parts, 3, 0, ["test"])


def test_people_that_the_run_was_trained_on_are_never_held_out(
    model: package.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = model.parts.data()
    monkeypatch.setitem(data.splits, "train", [*data.splits["train"], *data.splits["test"]])
    with pytest.raises(PalsykitError, match="but this run was trained on them"):
        held_out(model.parts, 1, 0, ["test=3"])


def crop(path: Path, seed: int, size: tuple[int, int] = (32, 32)) -> None:
    path.parent.mkdir(exist_ok=True, parents=True)
    noise = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)


def test_face_crops_of_a_folder(model: package.Model, finished: RunFolder, tmp_path: Path) -> None:
    crop(tmp_path / "who/bert.png", 1)
    crop(tmp_path / "who/anna.jpg", 2)
    (tmp_path / "who/notes.txt").write_text("x")
    people = in_folder(model.parts, tmp_path / "who")
    assert [person.name for person in people.persons] == ["anna", "bert"]
    synthesize(model, finished.path, people, Order(CELLS[:2]), tmp_path / "dest")
    assert [row["subject"] for row in rows(tmp_path / "dest")] == ["anna", "anna", "bert", "bert"]


def test_what_is_not_used_of_a_folder_is_named(model: package.Model, finished: RunFolder, tmp_path: Path) -> None:
    who = tmp_path / "who"
    crop(who / "anna.png", 1)
    crop(who / "dora/dora.png", 2)
    crop(who / "carl.gif", 3)
    (who / "notes.txt").write_text("x")
    for name in ("._anna.png", ".DS_Store", "Thumbs.db", "desktop.ini"):
        (who / name).write_bytes(b"x")
    crop(who / "@eaDir/anna.png", 4)
    people = in_folder(model.parts, who)
    assert [person.name for person in people.persons] == ["anna"]
    reasons = {one.path: one.reason for one in people.left_out}
    assert reasons.keys() == {"carl.gif", "dora", "notes.txt"}
    assert reasons["dora"].startswith("a folder; only the pictures beside it are read")
    assert reasons["carl.gif"].startswith("not a picture; expected one of .jpg")
    synthesize(model, finished.path, people, Order(CELLS[:1]), tmp_path / "dest")
    assert "- left out: carl.gif: not a picture" in (tmp_path / "dest/README.md").read_text()
    listed = (tmp_path / "dest/rejected.csv").read_text().splitlines()
    assert [line.partition(",")[0] for line in listed] == ["path", "carl.gif", "dora", "notes.txt"]


def test_many_left_out_are_listed_and_counted(model: package.Model, finished: RunFolder, tmp_path: Path) -> None:
    crop(tmp_path / "who/anna.png", 1)
    for number in range(25):
        (tmp_path / f"who/{number:02d}.txt").write_text("x")
    people = in_folder(model.parts, tmp_path / "who")
    synthesize(model, finished.path, people, Order(CELLS[:1]), tmp_path / "dest")
    card = (tmp_path / "dest/README.md").read_text()
    assert card.count("- left out: ") == 21
    assert "- left out: 5 more, listed in rejected.csv" in card


def test_crops_of_every_kind_show_one_person(model: package.Model, finished: RunFolder, tmp_path: Path) -> None:
    """16 bits, transparency and a turned camera: the pixels that a viewer shows; what is done is on the card."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8)
    (tmp_path / "who").mkdir()
    grey = Image.fromarray(pixels)
    grey.save(tmp_path / "who/a.png")
    Image.fromarray(pixels.astype(np.uint16) * 257).save(tmp_path / "who/b.png")
    turned = Image.Exif()
    turned[0x0112] = 3
    grey.rotate(180).save(tmp_path / "who/c.png", exif=turned)
    cut = Image.merge("RGBA", (grey, grey, grey, Image.new("L", grey.size, 255)))
    cut.save(tmp_path / "who/d.webp", lossless=True, save_all=True, append_images=[cut.rotate(90)])
    people = in_folder(model.parts, tmp_path / "who")
    first, *others = [person.picture() for person in people.persons]
    assert len(others) == 3
    assert all((other == first).all() for other in others)
    notes = [note.partition(":")[0] for note in people.notes if "no face was found" not in note]
    assert notes == ["b.png", "d.webp"]
    synthesize(model, finished.path, people, Order(CELLS[:1]), tmp_path / "dest")
    assert (
        "- note: d.webp: further pictures of the file are not read: found 2"
        in (tmp_path / "dest/README.md").read_text()
    )


def test_each_file_says_that_it_is_synthetic(whole: Path) -> None:
    row = rows(whole)[0]
    mark = read_mark(pictures_of(whole) / row["file_name"])
    assert mark is not None
    assert mark["synthetic"] is True
    assert {name: mark[name] for name in ("seed", "expression", "side", "severity")} == {
        name: row[name] for name in ("seed", "expression", "side", "severity")
    }
    assert (mark["recipe"], mark["weights"]) == (row["recipe_hash"], row["model_sha256"])
    assert read_mark(whole / "contact-sheet.png") is not None


def test_people_of_an_imagefolder_are_shown_from_their_photograph_at_rest(model: package.Model, tmp_path: Path) -> None:
    labels = {
        "anna-smile.png": {"subject": "anna", "expression": "smile_full"},
        "anna-rest.png": {"subject": "anna", "expression": "rest"},
        "bert.png": {"subject": "bert"},
        "carl.png": {"subject": "carl", "expression": "rest", "side": "left", "severity": 4},
        "dora.png": {"subject": "dora", "expression": "rest"},
    }
    for number, name in enumerate(labels):
        crop(tmp_path / name, number)
    lines = [json.dumps({"file_name": name, **known}) for name, known in labels.items()]
    (tmp_path / "metadata.jsonl").write_text("\n".join(lines))
    people = in_folder(model.parts, tmp_path)
    assert [(person.name, person.key) for person in people.persons] == [
        ("anna", "anna-rest.png"), ("bert", "bert.png"), ("dora", "dora.png"),
    ]  # fmt: skip
    assert people.left_out == [Rejected("carl", "no photograph at rest and without a palsy")]


def test_folders_that_cannot_be_used(model: package.Model, tmp_path: Path) -> None:
    with pytest.raises(PalsykitError, match="not a folder; expected a number, or a folder of face crops"):
        in_folder(model.parts, tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(PalsykitError, match="found no picture in it"):
        in_folder(model.parts, tmp_path / "empty")
    crop(tmp_path / "bad/wide.png", 0, (40, 32))
    (tmp_path / "bad/broken.png").write_bytes(b"x")
    with pytest.raises(PalsykitError) as refused:
        in_folder(model.parts, tmp_path / "bad")
    lines = [str(problem) for problem in refused.value.problems]
    assert [line.partition(":")[0] for line in lines] == ["broken.png", "wide.png"]
    assert "cannot be read as a picture" in lines[0]
    assert "found no face in 40 x 32 px" in lines[1]
    crop(tmp_path / "bad/fine.png", 0)
    people = in_folder(model.parts, tmp_path / "bad")
    assert [person.name for person in people.persons] == ["fine"]
    assert [one.path for one in people.left_out] == ["broken.png", "wide.png"]
    crop(tmp_path / "two/anna.png", 0)
    crop(tmp_path / "two/anna.jpg", 1)
    with pytest.raises(PalsykitError, match="more than one file for anna"):
        in_folder(model.parts, tmp_path / "two")


def test_the_command_line(finished: RunFolder, palsykit: Callable[..., Any], tmp_path: Path, whole: Path) -> None:
    asked = ("--identities", 2, "--expressions", "rest,smile_full", "--severities", "1,4", "--per-cell", 2)
    run = tmp_path / "run"  # a copy: the audit writes its page into the run's folder, which other tests share
    shutil.copytree(finished.path, run)
    done = palsykit("synthesize", run, tmp_path / "dest", *asked, "--batch-size", 24, "--resembling", "keep")
    assert done.code == 0, done.err
    assert done.out.startswith("24 pictures of 2 people in ")
    assert "6 cells, 2 per person and cell (24 new, 0 existing)" in done.out
    assert "2 people of the split 'test' of the run's data (face_space), held out from it" in done.err
    assert [r["seed"] for r in rows(tmp_path / "dest")] == [r["seed"] for r in rows(whole)]
    assert pictures_of(tmp_path / "dest").name == "images", "released"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--identities", "1", "--severities", "1..7"), "severity 1..7: expected a House-Brackmann grade"),
        (("--identities", "1", "--sides", "port"), "side port: expected the subject's left, right"),
        (("--identities", "1", "--expressions", "grin"), "unknown expression 'grin'"),
        (("--identities", "1", "--strength", "2"), "--strength 2: expected 0 (no movement) to 1 (full)"),
        (
            ("--identities", "faces", "--data", "test=5"),
            "--data with --identities faces: expected --identities N, because",
        ),
        (("--identities", "0"), "--identities 0: expected 1 or more people, or a folder of face crops"),
        (("--identities", "²"), "--identities ²: expected a number in digits 0 to 9, or a folder of face crops"),
        (("--identities", "1", "--per-cell", "0"), "--per-cell 0: expected 1 or more"),
    ],
)
def test_what_the_command_refuses(
    finished: RunFolder, palsykit: Callable[..., Any], tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = palsykit("synthesize", finished.path, tmp_path / "dest", *arguments)
    assert done.code == 2
    assert message in done.err
    assert not (tmp_path / "dest").exists()
