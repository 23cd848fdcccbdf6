"""The sheet of labelled faces: every picture in its place."""

import numpy as np
import pytest

from palsykit.report.sheet import GAP, LINE, Panel, _spans, _wrapped, draw_sheet


def colour(red: int, green: int) -> np.ndarray:
    return np.full((16, 16, 3), (red, green, 7), np.uint8)


def test_every_picture_is_there_in_order_and_whole() -> None:
    rows = tuple((f"row {r}", tuple(colour(40 * r, 40 * c) for c in range(3))) for r in range(2))
    panel = Panel("a person", colour(200, 200), ("a", "b", "c"), rows, ("over", "over", "other"))
    sheet = np.asarray(draw_sheet([panel, panel], face=32))
    places = {}
    for r in range(2):
        for c in range(3):
            found = np.argwhere((sheet == (40 * r, 40 * c, 7)).all(-1))
            assert len(found) == 2 * 32 * 32, "enlarged twice, once in each panel"
            places[r, c] = found.min(0)
    assert (places[1, 0] - places[0, 0]).tolist() == [32 + GAP, 0]
    assert (places[0, 2] - places[0, 1]).tolist() == [0, 32 + GAP]
    assert len(np.argwhere((sheet == (200, 200, 7)).all(-1))) == 2 * 32 * 32


def test_a_missing_picture_leaves_its_place_empty_and_a_footer_fits() -> None:
    panel = Panel("p", colour(200, 200), ("a",), (("row", (None,)),))
    plain, footed = draw_sheet([panel], face=16), draw_sheet([panel], face=16, footer="a line of some length " * 5)
    assert footed.height > plain.height
    assert footed.width > plain.width
    assert np.array_equal(np.asarray(footed)[: plain.height, : plain.width], np.asarray(plain))


def test_equal_headings_side_by_side_are_written_once() -> None:
    assert _spans(("a", "a", "b", "a")) == [("a", 0, 1), ("b", 2, 2), ("a", 3, 3)]


def test_a_sheet_of_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="a panel or more"):
        draw_sheet([], face=16)


def test_headings_too_long_for_their_column_are_wrapped() -> None:
    assert _wrapped("rest", 64) == ["rest"]
    assert _wrapped("lower lip depression", 90) == ["lower lip", "depression"]
    assert _wrapped("unbreakable-as-it-is", 5) == ["unbreakable-as-it-is"]

    def sheet(heading: str) -> int:
        panel = Panel("p", colour(200, 200), ("a",), (("row", (colour(1, 1),)),), (heading,))
        return draw_sheet([panel], face=64).height

    assert sheet("lower lip depression") == sheet("rest") + LINE
