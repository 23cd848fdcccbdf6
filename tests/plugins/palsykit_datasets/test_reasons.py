"""Reasons for a rejection are counted by kind."""

import pytest

from palsykit.faces.records import Rejected
from palsykit_datasets.reasons import kind, kinds


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("too small: found 8 x 9 px, expected 16 px a side at least", "too small"),
        ("cannot be read as a picture: broken data stream", "cannot be read as a picture"),
        ("no face was found; give its points, or leave the photograph out", "no face was found"),
        ("the same picture as a/b.jpg of subject anna", "the same picture as"),
        ("found 2 faces (scores 0.9, 0.8), expected one", "found … faces"),
        ("its file is gone", "its file is gone"),
        ("/my photos of 2/p1/rest.pts: found a mirrored face, expected another order", "found a mirrored face"),
        ("C:\\x\\rest.pts:3: found no points, expected 68", "found no points"),
        ("/p/rest.csv:1: found 'x;y', expected two finite numbers, x and y", "found …, expected two finite numbers"),
        ("", ""),
    ],
)
def test_the_kind_of_a_reason(reason: str, expected: str) -> None:
    assert kind(reason) == expected


def test_kinds_are_counted_the_most_frequent_first() -> None:
    reasons = ["no face: x", "too small: found 1 px", "too small: found 2 px"]
    assert list(kinds([Rejected("p", reason) for reason in reasons]).items()) == [("too small", 2), ("no face", 1)]
