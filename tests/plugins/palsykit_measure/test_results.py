"""Known points give known mm, against the photograph at rest, with intervals from errors of the same network."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from palsykit.errors import PalsykitError
from palsykit.faces.measures import eye_line
from palsykit.faces.records import FaceRecord
from palsykit_measure.intervals import FILE, ErrorTable, load_errors
from palsykit_measure.lengths import BY_NAME, Face, measure_face
from palsykit_measure.readings import Entry
from palsykit_measure.results import document, measure, pupils_mm
from palsykit_measure.tables import of_people

Make = Callable[..., Entry]
TABLE = {
    "weights": "abc", "pictures": 10, "people": 2, "share": 0.95,
    "measures": {
        "brow_height": {"side": [-1.0, 3.0], "difference": [-2.0, 2.0]},
        "palpebral_fissure": {"side": [-20.0, 20.0], "difference": [-1.0, 1.0]},
        "mouth_width": {"whole": [0.5, 1.5]},
    },
}  # fmt: skip


def landmarks(records: list[FaceRecord], expression: str) -> np.ndarray:
    found = next(record for record in records[1:] if record.labels.expression == expression).landmarks
    assert found is not None
    return found.astype(np.float64)


def test_a_rendered_face_with_known_points_gives_the_known_mm(records: list[FaceRecord], entry_of: Make) -> None:
    """By arithmetic on the renderer's points; the face is upright, so depth is the difference of y."""
    points = landmarks(records, "rest")
    mm = float(eye_line(points)) / 61
    (result,) = measure([entry_of(points, px_per_mm={"pupils": mm})])
    found = measure_face(result.face)
    eyes = (points[[36, 45]] + points[[39, 42]]) / 2
    line = eyes[1] - eyes[0]
    turn = np.arctan2(line[1], line[0])
    upright = points @ np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) / mm
    level, middle = upright[[39, 42], 1].mean(), upright[[39, 42], 0].mean()
    assert found["corner_depth"]["right"] == pytest.approx(upright[48, 1] - level)
    assert found["corner_depth"]["left"] == pytest.approx(upright[54, 1] - level)
    assert found["corner_lateral"]["right"] == pytest.approx(middle - upright[48, 0])
    assert found["brow_height"]["left"] == pytest.approx(level - upright[22:27, 1].mean())
    assert found["philtrum_deviation"]["whole"] == pytest.approx(upright[51, 0] - middle)
    assert found["mouth_width"]["whole"] == pytest.approx(np.hypot(*(upright[54] - upright[48])))
    assert pupils_mm(result) == pytest.approx(63)
    assert "corner_excursion" not in found, "there is no photograph at rest"


def test_excursions_are_against_the_same_persons_rest(records: list[FaceRecord], entry_of: Make) -> None:
    rest, smile = landmarks(records, "rest"), landmarks(records, "smile_full")
    people = [
        entry_of(smile, "smile", "smile_full", subject="a"),
        entry_of(rest, "rest", "rest", subject="a"),
        entry_of(smile + 3, "other", "smile_full", subject="b"),
    ]
    moving, still, other = measure(people)
    assert (moving.rest, still.rest, other.rest) == ("rest", None, None)
    found = measure_face(moving.face)
    expected = Face(smile, moving.scale.px_per_mm, "smile_full", Face(rest, still.scale.px_per_mm))
    assert found["corner_excursion"] == measure_face(expected)["corner_excursion"]
    for side in ("right", "left"):
        up, out, way = (found[name][side] for name in ("corner_up", "corner_out", "corner_excursion"))
        assert np.hypot(up, out) == pytest.approx(way)
    assert "corner_excursion" not in measure_face(other.face)
    given = measure(people, rest=people[1])
    assert [result.rest for result in given] == ["rest", None, "rest"], "--rest is everyone's"


def test_the_scale_at_rest_holds_for_all_of_a_person(records: list[FaceRecord], entry_of: Make) -> None:
    rest, shut = landmarks(records, "rest"), landmarks(records, "eye_closure_tight")
    people = [
        entry_of(rest, "rest", "rest", px_per_mm={"iris": 0.55, "pupils": 0.5}),
        entry_of(2 * shut, "shut", "eye_closure_tight", px_per_mm={"iris": 7.0, "pupils": 1.1}),
    ]
    still, closed = measure(people)
    assert (still.scale.px_per_mm, closed.scale.of) == (0.55, "rest")
    assert pupils_mm(closed) == pytest.approx(pupils_mm(still)), "not by irises that are hidden"
    by_pupils = measure(people, "pupils")
    assert [result.scale.by for result in by_pupils] == ["pupils", "pupils"]
    assert by_pupils[0].scale.px_per_mm == 0.5
    (alone,) = measure(people[1:])
    assert any("eyes are to be shut" in note for note in alone.notes)
    assert any("mm apart by the iris" in note for note in alone.notes)
    with pytest.raises(PalsykitError, match=r"a\.png: --scale iris: the finder gives no iris"):
        measure([entry_of(rest, px_per_mm={"pupils": 0.5})], "iris")


@pytest.mark.parametrize(
    ("expression", "name"),
    [("eye_closure_gentle", "lid_gap"), ("rest", "palpebral_fissure"), (None, "palpebral_fissure")],
)
def test_the_fissure_is_a_gap_where_the_eyes_are_to_be_shut(
    records: list[FaceRecord], expression: str | None, name: str
) -> None:
    found = measure_face(Face(landmarks(records, "eye_closure_gentle"), 1.0, expression))
    assert {"lid_gap", "palpebral_fissure"} & set(found) == {name}


def test_an_interval_is_the_value_less_the_errors() -> None:
    errors = ErrorTable(TABLE, "abc")
    assert errors.interval("brow_height", "right", 20.0) == (17.0, 21.0)
    assert errors.interval("brow_height", "difference", 1.0) == (-1.0, 3.0)
    assert errors.interval("palpebral_fissure", "left", 9.0) == (0.0, 29.0), "no opening is below 0"
    assert errors.interval("mouth_width", "whole", 50.0) == (48.5, 49.5)
    assert errors.interval("corner_depth", "left", 60.0) is None
    assert "in 95 % of 10 test pictures of 2 people" in errors.sentence


def test_errors_of_another_network_give_no_interval() -> None:
    errors = ErrorTable(TABLE, "def")
    assert errors.interval("brow_height", "right", 20.0) is None
    assert errors.sentence.startswith("No intervals")


def test_the_shipped_errors_are_of_known_measures(tmp_path: Path) -> None:
    facts = json.loads(FILE.read_text())
    assert set(facts["measures"]) <= set(BY_NAME)
    assert all(low <= high for kinds in facts["measures"].values() for low, high in kinds.values())
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(PalsykitError, match=r"bad\.json: cannot be read"):
        load_errors("abc", tmp_path / "bad.json")


def test_the_document_is_plain_json_and_says_what_it_does_not_say(records: list[FaceRecord], entry_of: Make) -> None:
    results = measure([entry_of(landmarks(records, "rest"), "rest", "rest")])
    found = json.loads(json.dumps(document(results, [], ErrorTable(TABLE, "abc"), {"detector": "x"}), allow_nan=False))
    assert "do not grade a patient" in found["says_not"]
    assert "diagnosis" in found["says_not"]
    (one,) = found["photographs"]
    assert set(found["meanings"]) == set(one["measures"])
    brow = one["measures"]["brow_height"]["right"]
    assert brow["low"] == pytest.approx(brow["value"] - 3, abs=1e-3)
    assert set(one["measures"]["corner_depth"]["right"]) == {"value"}


def test_means_are_over_people() -> None:
    def one(subject: str, right: float, left: float, expression: str = "rest") -> dict[str, object]:
        parts = {"right": {"value": right}, "left": {"value": left}, "difference": {"value": left - right}}
        measures = {"brow_height": parts, "mouth_width": {"whole": {"value": right + left}}}
        return {"subject": subject, "expression": expression, "measures": measures, "file": "a.png"}

    rows = [one("a", 20, 22), one("a", 90, 90), one("b", 22, 26), one("b", 1, 1, "whistle")]
    brow, mouth = of_people(rows).splitlines()[3:]
    assert brow.split("  ", 1)[0] == mouth.split("  ", 1)[0] == "rest"
    assert [cell.strip() for cell in brow.split("  ") if cell.strip()][1:] == [
        "brow height", "2", "21.0", "24.0", "22.5, 2.2", "20.3 to 25.4", "+3.0, 1.0",
    ]  # fmt: skip
    assert "45.0, 3.0" in mouth
