"""Names that are not text stay readable."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palsykit.data.rejections import list_on_failure, printable, write_rejected
from palsykit.errors import PalsykitError
from palsykit.faces.records import NothingUsable, Rejected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("anna/rest.jpg", "anna/rest.jpg"),
        ("größe 𝄞 .jpg", "größe 𝄞 .jpg"),
        ("odd\udcff\udc80.jpg", "odd\\xff\\x80.jpg"),
        ("two\nlines\t.jpg", "two\\nlines\\t.jpg"),
        ("lone\ud800", "lone\\ud800"),
        ("\u2028", "\\u2028"),
        ("no\xa0break \u0645\u06cc\u200c", "no\xa0break \u0645\u06cc\u200c"),
    ],
)
def test_what_is_printable(text: str, expected: str) -> None:
    assert printable(text) == expected


@given(st.text(st.characters(codec=None)))
def test_what_is_printable_stays_on_its_line_and_can_be_written(text: str) -> None:
    assert len(printable(text).splitlines()) <= 1
    assert "\x1b" not in printable(text)
    assert printable(text).encode().decode() == printable(text)
    assert printable(printable(text)) == printable(text)


def test_the_list_reads_back_with_every_name(tmp_path: Path) -> None:
    write_rejected(tmp_path, [Rejected('a,"b"\n\udcfe.jpg', "too small; 1 px, or so"), Rejected("c.jpg", "no face")])
    with (tmp_path / "rejected.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [
            ["path", "reason"],
            ['a,"b"\\n\\xfe.jpg', "too small; 1 px, or so"],
            ["c.jpg", "no face"],
        ]


def build(error: Exception) -> None:
    raise PalsykitError("the data cannot be built") from error


def test_what_was_rejected_is_listed_even_where_nothing_can_be_used(tmp_path: Path) -> None:
    gone = NothingUsable("no picture can be used", [Rejected("a.jpg", "no face"), Rejected("b.jpg", "cut short")])
    with pytest.raises(PalsykitError, match=r"cannot be built; .*rejected\.csv lists all 2"), list_on_failure(tmp_path):
        build(gone)
    assert (tmp_path / "rejected.csv").read_text().splitlines() == ["path,reason", "a.jpg,no face", "b.jpg,cut short"]


@pytest.mark.parametrize("error", [ValueError("a key is wrong"), NothingUsable("an empty folder", [])])
def test_without_rejections_there_is_no_list(tmp_path: Path, error: Exception) -> None:
    with pytest.raises(PalsykitError, match=r"^the data cannot be built$"), list_on_failure(tmp_path):
        build(error)
    assert not list(tmp_path.iterdir())
