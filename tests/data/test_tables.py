"""What a table says is read once, and nothing of it is lost by a letter."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from palsykit.data.tables import check_columns, check_names, read_json, read_rows

KNOWN = ("subject", "side", "severity", "points5", "landmarks")
check: Callable[[str, list[str]], None] = partial(check_columns, known=KNOWN)


@pytest.mark.parametrize(
    ("column", "meant"), [("point5", "points5"), ("severty", "severity"), ("sides", "side"), ("subject_id", "subject")]
)
def test_a_column_that_is_nearly_ours_is_named(column: str, meant: str) -> None:
    with pytest.raises(ValueError, match=rf"t:1: found column '{column}'; did you mean {meant}\? rename it"):
        check("t:1", ["file_name", column])


@pytest.mark.parametrize("column", ["age", "affected_side", "notes", "source", "size", "identity", "driver", "seed"])
def test_other_columns_are_not_taken_for_ours(column: str) -> None:
    check("t:1", ["file_name", column])


def test_a_column_beside_ours_is_another_one() -> None:
    check("t:1", ["file_name", "subject", "subject_id"])


def test_a_misspelt_file_name_is_named() -> None:
    with pytest.raises(ValueError, match=r"found column 'filename'; did you mean file_name\?"):
        check("t:1", ["filename", "subject"])


def test_a_sidecar_needs_no_file_name() -> None:
    check_names("a.json", ["side"], KNOWN)


@pytest.mark.parametrize("text", ['{"side": "left", "side": "right"}', '[{"a": {"side": 1, "side": 2}}]'])
def test_a_key_twice_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"a\.json: found side twice \('?\w+'? and '?\w+'?\), expected it once"):
        read_json("a.json", text, "an object")


def test_a_key_twice_in_a_table_has_its_line(tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text('{"file_name": "a"}\n{"file_name": "b", "side": "left", "side": "right"}\n')
    with pytest.raises(ValueError, match=r"m\.jsonl:2: found side twice \('left' and 'right'\)"):
        list(read_rows(tmp_path / "m.jsonl", check))


def test_rows_without_content_are_skipped(tmp_path: Path) -> None:
    """A spreadsheet saves rows that once had a content, with as many commas as it likes."""
    (tmp_path / "m.csv").write_text("file_name,subject\na.jpg,1\n,\n , \n,,,\n\nb.jpg,2\n")
    assert [cells["file_name"] for _, cells in read_rows(tmp_path / "m.csv", check)] == ["a.jpg", "b.jpg"]
