"""What is asked of generate is checked before torch is imported, the same for library and command."""

import subprocess
import sys
from typing import Any

import pytest

from palsykit.errors import PalsykitError
from palsykit.faces.dials import Dials, Length
from palsykit.faces.vocabulary import Side
from palsykit.synthesis.request import Request, read_dials


def test_a_driver_has_no_labels_and_a_name_one_for_each_severity() -> None:
    assert Request.of(driver="bert.jpg", rest="bert-rest.jpg").labels == ()
    healthy = Request.of(expression="smile_full", strength=0.5)
    assert healthy.strength == 0.5
    assert [(row.side, row.severity) for row in healthy.labels] == [(Side.NONE, 1.0)]
    row = Request.of(expression="smile_full", side="left", severities=(2, 6)).labels
    assert [(one.side, one.severity) for one in row] == [(Side.LEFT, 2), (Side.LEFT, 6)]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "neither a driver nor an expression"),
        ({"driver": "x", "expression": "rest"}, "both a driver and an expression"),
        ({"rest": "x", "expression": "rest"}, "rest is the driver's person at rest, and there is no driver"),
        ({"driver": "x", "severities": (4,)}, "side or severity with a driver"),
        ({"expression": "rest", "severities": (4,)}, "severity 4 without a side"),
        ({"expression": "rest", "side": "left"}, "side left without a severity"),
        ({"expression": "rest", "strength": 1.1}, r"strength 1\.1: expected 0"),
    ],
)
def test_what_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(PalsykitError, match=message):
        Request.of(**given)


def test_dials_refine_a_grade_of_one_side() -> None:
    dials = read_dials(brow=0.2, mouth="-4mm")
    assert dials == Dials(brow=0.2, mouth=Length(-4.0))
    asked = {"expression": "rest", "side": "left", "dials": dials}
    assert Request.of(severities=(4,), **asked).dials == dials
    assert Request.of(expression="rest", side="left", severities=(4,)).dials == Dials()
    both = Request.of(expression="rest", side="bilateral", severities=(4,), dials=Dials(brow=0.2))
    assert both.dials == Dials(brow=0.2)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"expression": "rest"}, r"dials \(brow, mouth\) refine a grade above 1: say which, --side"),
        ({"expression": "rest", "side": "left", "severities": (1, 4)}, "refine a grade above 1"),
        ({"driver": "x"}, "dials with a driver, whose photograph shows them"),
        (
            {"expression": "rest", "side": "bilateral", "severities": (4,)},
            "mouth -4mm: a length is against the healthy",
        ),
    ],
)
def test_dials_without_what_they_refine_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(PalsykitError, match=message):
        Request.of(dials=Dials(brow=0.2, mouth=Length(-4.0)), **given)


def test_dials_that_cannot_be_read_are_refused_for_the_user() -> None:
    with pytest.raises(PalsykitError, match="mouth -4cm: expected a share"):
        read_dials(mouth="-4cm")


def test_it_needs_no_torch() -> None:
    code = "import sys, palsykit.synthesis.request as r; r.Request.of(expression='rest'); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
