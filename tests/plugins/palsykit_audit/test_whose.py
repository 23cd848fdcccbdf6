"""``--identities N|DIR``: a number, a folder, or a question back."""

from pathlib import Path

import pytest

from palsykit.errors import PalsykitError
from palsykit_audit.whose import number_or_folder


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is called 2, and one that is called ²."""
    (tmp_path / "2").mkdir()
    (tmp_path / "²").mkdir()
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3", 3),
        ("+3", 3),
        ("+2", 2),
        ("./2", Path("2")),
        ("2/", Path("2")),
        ("²", Path("²")),
        ("faces", Path("faces")),
        ("2 b", Path("2 b")),
        ("2.5", Path("2.5")),
    ],
)
def test_what_is_meant(text: str, expected: int | Path) -> None:
    assert number_or_folder(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "2",
            r"--identities 2: a number, and a folder of this name is here; give \./2 for the folder, or \+2 for 2",
        ),
        ("0", "--identities 0: expected 1 or more people, or a folder"),
        ("-1", "--identities -1: expected 1 or more people"),
        ("³", "--identities ³: expected a number in digits 0 to 9"),
        ("٣", "expected a number in digits 0 to 9"),
        ("½", "expected a number in digits 0 to 9"),
        ("+-3", "expected a number in digits 0 to 9"),
    ],
)
def test_what_is_refused(text: str, words: str) -> None:
    with pytest.raises(PalsykitError, match=words):
        number_or_folder(text)
