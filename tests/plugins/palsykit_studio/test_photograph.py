"""One photograph: what is refused, what the controls ask for, and what a result says."""

import struct
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from palsykit.errors import PalsykitError
from palsykit.faces.vocabulary import EXPRESSIONS, Side
from palsykit.photographs.mark import read_mark
from palsykit.photographs.read import read_photograph
from palsykit_studio import engine as engine_module
from palsykit_studio.engine import Engine, Stopped
from palsykit_studio.measuring import asked_lengths
from palsykit_studio.photograph import Found, Wish, draw_person, find, sheet, synthesise


def test_a_face_is_found_and_measured(found: Found) -> None:
    lengths = {row[0]: row[1:] for row in found.rows}
    assert {"brow_height", "palpebral_fissure", "corner_depth"} <= lengths.keys()
    right, left, difference = (float(value) for value in lengths["palpebral_fissure"])
    assert 5 < right < 15
    assert abs(left - right - difference) < 0.11
    with Image.open(found.shown) as shown:
        assert max(shown.size) == 640


def test_of_several_faces_one_is_chosen(engine: Engine, pair: Path, tmp_path: Path) -> None:
    """The other one keeps every pixel, and what is measured is the chosen one's."""
    assert engine.middles(pair)[:, 0] == pytest.approx([435, 1226], abs=25)
    largest, other = (find(engine, pair, tmp_path, face=face) for face in (None, 2))
    assert [len([note for note in one.notes if "found 2 faces" in note]) for one in (largest, other)] == [1, 0]
    result = synthesise(engine, other, Wish(), tmp_path)
    with Image.open(pair) as before, Image.open(result.file) as after:
        changed = np.argwhere((np.array(before) != np.array(after)).any(2))
    assert changed[:, 1].min() > 900
    lengths = {str(row[0]): row[1:] for row in result.rows}
    assert abs(float(lengths["corner_depth"][5])) > 1, "the palsy of the second face is what was measured"
    with pytest.raises(PalsykitError, match="face 3: found 2"):
        find(engine, pair, tmp_path, face=3)


def test_a_picture_without_a_face_is_refused_with_the_reason(engine: Engine, tmp_path: Path) -> None:
    file = tmp_path / "wall.png"
    Image.new("RGB", (300, 200), "grey").save(file)
    with pytest.raises(PalsykitError, match=r"^found no face in 300 x 200 px"):
        find(engine, file, tmp_path)


def test_a_file_that_is_no_picture_is_refused(engine: Engine, tmp_path: Path) -> None:
    file = tmp_path / "letter.jpg"
    file.write_text("Dear colleague")
    with pytest.raises(PalsykitError, match="cannot be read as a picture"):
        find(engine, file, tmp_path)


@pytest.mark.parametrize(("side", "found"), [(9000, "9000 x 9000 px"), (20_000, "too many pixels to open it")])
def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, side: int, found: str
) -> None:
    """Its header says how many; Pillow itself refuses more than twice those of which it warns."""
    file, header = tmp_path / "large.png", b"IHDR" + struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    Image.new("1", (1, 1)).save(file)
    written = file.read_bytes()
    file.write_bytes(written[:12] + header + struct.pack(">I", zlib.crc32(header)) + written[33:])
    monkeypatch.setattr(engine_module, "load", lambda run: pytest.fail("it was read"))
    with pytest.raises(PalsykitError, match=f"found {found}; expected at most 50 megapixels"):
        Engine("cfcpalsy-64").read(file)


@pytest.mark.parametrize(
    ("wish", "side", "severity"),
    [
        (Wish(grade=5), Side.LEFT, 5.0),
        (Wish(grade=1), Side.NONE, 1.0),
        (Wish(side="none", grade=5), Side.NONE, 1.0),
        (Wish(side="bilateral", grade=3), Side.BILATERAL, 3.0),
    ],
)
def test_the_controls_ask_for_one_face(wish: Wish, side: Side, severity: float) -> None:
    (label,) = wish.request().labels
    assert (label.expression, label.side, label.severity) == ("smile_full", side, severity)


def test_a_row_has_six_grades_and_a_sheet_eight_expressions() -> None:
    row = Wish(mouth=-3.0).request(grades=(1.0, 2.0, 3.0, 4.0, 5.0, 6.0))
    assert [label.severity for label in row.labels] == [1, 2, 3, 4, 5, 6]
    assert not row.dials
    eight = Wish(mouth=-3.0).request(expressions=tuple(EXPRESSIONS))
    assert [label.expression for label in eight.labels] == list(EXPRESSIONS)
    assert {label.severity for label in eight.labels} == {4.0}
    assert eight.dials.facts() == {"mouth": "-3mm"}


def test_dials_are_lengths_and_shares_and_need_a_palsy() -> None:
    wish = Wish(brow=-2.0, eye=1.5, synkinesis=0.4)
    facts = wish.dials().facts()
    assert facts == {"brow": "-2mm", "eye": "1.5mm", "synkinesis_eye": 0.4, "synkinesis_mouth": 0.4}
    for healthy in (replace(wish, grade=1.0), replace(wish, side="none")):
        with pytest.raises(PalsykitError, match="choose a side and a grade"):
            healthy.request()


def test_a_synthesis_has_its_mark_its_size_and_what_was_measured(engine: Engine, found: Found, tmp_path: Path) -> None:
    result = synthesise(engine, found, Wish(grade=6), tmp_path)
    mark = read_mark(result.file)
    assert mark is not None
    assert (mark["synthetic"], mark["expression"], mark["side"], mark["severity"]) == (True, "smile_full", "left", 6.0)
    assert mark["source"] == found.person.photograph.sha256
    assert read_mark(result.after) is not None
    assert read_mark(result.before) is None
    before, after = (np.asarray(read_photograph(path).picture, int) for path in (found.path, result.file))
    assert before.shape == after.shape
    changed = np.abs(after - before).max(-1) > 0
    assert 0.005 < changed.mean() < 0.5
    assert not changed[:5].any()
    rows = {str(row[0]): [float(cell) for cell in row[1:]] for row in result.rows}
    assert set(rows) == {"brow_height", "palpebral_fissure", "corner_depth"}
    assert rows["corner_depth"][4] > 3  # the left corner of the mouth was asked to be lower


@pytest.mark.parametrize(
    ("dial", "value", "name", "sign"),
    [("mouth", -6.0, "corner_depth", 1), ("brow", -4.0, "brow_height", -1), ("eye", 3.0, "palpebral_fissure", 1)],
)
def test_each_dial_moves_what_is_asked_by_its_mm(
    engine: Engine, found: Found, dial: str, value: float, name: str, sign: int
) -> None:
    def difference(**dials: Any) -> float:
        posed = engine.pose(found.person, Wish(expression="rest", grade=3, **dials).request())
        return float(asked_lengths(posed.rest, posed.asked[0])[name].difference)

    assert difference(**{dial: value}) - difference(**{dial: 0.0}) == pytest.approx(sign * abs(value), abs=0.8)


def test_a_row_is_made_in_steps_and_stops(engine: Engine, found: Found, tmp_path: Path) -> None:
    steps = list(sheet(engine, found, Wish(), "row", tmp_path, lambda: False))
    assert [done for done, _, _ in steps] == [0, 4, 6, 6]
    assert [file is not None for _, _, file in steps] == [False, False, False, True]
    file = steps[-1][2]
    assert file is not None
    mark = read_mark(file)
    assert mark is not None
    assert "severity" not in mark
    stopping = sheet(engine, found, Wish(), "row", tmp_path, iter([False, True]).__next__)
    assert [next(stopping)[0] for _ in range(2)] == [0, 4]
    with pytest.raises(Stopped):
        next(stopping)
    with pytest.raises(PalsykitError, match="choose the affected side"):
        next(sheet(engine, found, Wish(side="none"), "row", tmp_path, lambda: False))


def test_a_part_of_a_request_is_made_as_if_all_were_made_at_once(engine: Engine, found: Found) -> None:
    request = Wish().request(grades=(1.0, 2.0, 3.0, 4.0, 5.0))
    parts = [one for part in engine.make(found.person, request) for one in part]
    whole = engine.model.synthesise_person(found.person, request)
    assert len(parts) == len(whole) == 5
    for one, other in zip(parts, whole, strict=True):
        assert one.facts == other.facts
        assert np.abs(one.picture.astype(int) - other.picture.astype(int)).max() <= 1


def test_a_person_who_does_not_exist_is_the_same_for_the_same_number(engine: Engine, tmp_path: Path) -> None:
    one, again, other = (draw_person(number, tmp_path / str(i)) for i, number in enumerate((3, 3, 4)))
    assert one.read_bytes() == again.read_bytes()
    assert read_photograph(one).picture.size == (512, 512)
    assert one.read_bytes() != other.read_bytes()
    mark = read_mark(one)
    assert mark is not None
    assert mark["composite"] is False
    assert find(engine, one, tmp_path).rows
