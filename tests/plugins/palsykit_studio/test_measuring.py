"""Tables of lengths: what was asked beside what was measured, and many photographs in one table."""

from typing import Any

import numpy as np
import pytest

from palsykit.errors import PalsykitError
from palsykit.faces.measures import Halves
from palsykit_studio import measuring
from palsykit_studio.measuring import asked_and_measured, available, refused, rows_of, run_measure, table_of


def part(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 1, "high": value + 1}


def halves(right: float, left: float) -> dict[str, Any]:
    return {"right": part(right), "left": part(left), "difference": part(left - right)}


DOCUMENT: dict[str, Any] = {
    "photographs": [
        {"file": "rest.jpg", "expression": "rest",
         "measures": {"palpebral_fissure": halves(9.96, 10.5), "mouth_width": {"whole": part(50.04)}}},
        {"file": "shut.jpg", "expression": "eye_closure_gentle", "measures": {"lid_gap": halves(0.0, 3.0)}},
    ],
    "rejected": [{"path": "wall.jpg", "reason": "found no face"}],
}  # fmt: skip


def test_a_photographs_halves_are_rows() -> None:
    assert rows_of(DOCUMENT["photographs"][0]) == [["palpebral_fissure", 10.0, 10.5, 0.5]]


def test_asked_stands_beside_measured_also_for_shut_eyes() -> None:
    asked = {"palpebral_fissure": Halves(np.array(-0.2), np.array(3.5)), "corner_depth": Halves(*np.ones((2, 1)))}
    rows = asked_and_measured(asked, DOCUMENT["photographs"][1])
    assert rows == [["palpebral_fissure", 0.0, 0.0, 3.5, 3.0, 3.7, 3.0]]


def test_many_photographs_are_one_table_with_gaps() -> None:
    heads, rows = table_of(DOCUMENT)
    assert heads == [
        "palpebral_fissure right", "palpebral_fissure left", "palpebral_fissure difference", "mouth_width whole",
        "lid_gap right", "lid_gap left", "lid_gap difference",
    ]  # fmt: skip
    assert rows[0] == ["rest.jpg", "rest", 10.0, 10.5, 0.5, 50.0, "", "", ""]
    assert rows[1] == ["shut.jpg", "eye_closure_gentle", "", "", "", "", 0.0, 3.0, 3.0]
    assert refused(DOCUMENT) == [("wall.jpg", "found no face")]


def test_without_the_command_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    assert available()
    monkeypatch.setattr(measuring, "COMMAND", "no-such-command")
    assert not available()
    with pytest.raises(PalsykitError, match="no installed plugin has the command"):
        run_measure(tmp_path, tmp_path / "out")
