"""Sheets of faces and the figure of a report: where pictures and headings stand, and what is refused."""

import dataclasses
import io
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from palsykit.report.contents import Cell, FigureRow, ReportContents
from palsykit.report.faces import (
    ACCENT,
    EMPTY,
    GAP,
    LINE,
    Panel,
    _runs,
    _wrap,
    draw_figure,
    draw_sheet,
    figure_alt,
    figure_columns,
    png,
)

WHITE, RED, BLUE, GREEN = (255, 255, 255), (200, 0, 0), (0, 0, 200), (0, 120, 0)


def plain(colour: tuple[int, int, int], size: int = 64) -> np.ndarray:
    return np.full((size, size, 3), colour, np.uint8)


def rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def area(figure: Image.Image, colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """The box that holds every pixel of one colour."""
    mask = (np.asarray(figure) == colour).all(-1)
    ys, xs = np.nonzero(mask)
    return int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1


def row(*expressions: str, size: int = 64, truth: bool = True) -> FigureRow:
    cells = [Cell(e, "left", 4.0, plain(BLUE, size) if truth else None, plain(GREEN, size)) for e in expressions]
    return FigureRow("someone", plain(RED, size), cells)


@pytest.mark.parametrize(("size", "side"), [(32, 128), (64, 128), (112, 112), (256, 256)])
def test_faces_are_enlarged_by_a_whole_factor(size: int, side: int) -> None:
    figure = draw_figure([row("rest", size=size)])
    left, top, right, bottom = area(figure, RED)
    assert (right - left, bottom - top) == (side, side)


def test_truth_stands_above_its_synthesis_when_there_are_many_expressions() -> None:
    figure = draw_figure([row("rest", "brow_raise", "smile_full", "lip_pucker")])
    truth, synthesis = area(figure, BLUE), area(figure, GREEN)
    assert truth[3] <= synthesis[1]
    assert (truth[0], truth[2]) == (synthesis[0], synthesis[2])


def test_truth_stands_left_of_its_synthesis_when_there_are_few() -> None:
    figure = draw_figure([row("rest")])
    identity, truth, synthesis = (area(figure, colour) for colour in (RED, BLUE, GREEN))
    assert identity[2] < truth[0] < truth[2] <= synthesis[0]
    assert identity[1] == truth[1] == synthesis[1]


def test_a_missing_truth_is_a_light_box_and_not_a_picture() -> None:
    empty = rgb(EMPTY)
    with_truth, without = draw_figure([row("rest")]), draw_figure([row("rest", truth=False)])
    assert not (np.asarray(with_truth) == empty).all(-1).any()
    left, top, right, bottom = area(without, empty)
    assert (right - left, bottom - top) == (128, 128)
    assert area(without, GREEN) == area(with_truth, GREEN)


def test_columns_follow_the_vocabulary_then_the_data_set_and_repeat_with_the_cells() -> None:
    rows = [row("smiling", "smile_full"), row("rest", "smile_full", "smile_full")]
    assert figure_columns(rows) == (("rest", 0), ("smile_full", 0), ("smile_full", 1), ("smiling", 0))


def test_equal_rows_give_equal_png_bytes(contents: ReportContents) -> None:
    first, second = png(draw_figure(contents.rows)), png(draw_figure(contents.rows))
    assert first == second
    assert Image.open(io.BytesIO(first)).size == draw_figure(contents.rows).size


def test_the_alternative_text_names_people_expressions_sides_and_grades(contents: ReportContents) -> None:
    text = figure_alt(contents.rows)
    assert text.startswith("5 identities")
    assert "person-000: rest (left · HB IV)" in text
    assert "lower lip depression" in text


def test_a_long_subject_name_stays_within_its_column() -> None:
    long = dataclasses.replace(row("rest"), subject="face-space-identity-with-a-very-long-name-0001")
    ink = (np.asarray(draw_figure([long])) != WHITE).any(-1)
    left, _, right, bottom = area(draw_figure([long]), RED)
    below = np.nonzero(ink[bottom:, : right + 8].any(0))[0]
    assert left <= below.min()
    assert below.max() < right


def test_no_rows_and_pictures_of_unequal_size_are_refused() -> None:
    with pytest.raises(ValueError, match="found none"):
        draw_figure([])
    mixed = row("rest")
    mixed.cells[0] = dataclasses.replace(mixed.cells[0], generated=plain(GREEN, 32))
    with pytest.raises(ValueError, match=r"row someone: expected .*\(64, 64, 3\), found uint8 \(32, 32, 3\)"):
        draw_figure([mixed])


def test_the_headings_of_a_figure_are_written_once_and_its_columns_are_aligned() -> None:
    expressions = ("rest", "brow_raise", "smile_full", "lip_pucker")
    one, two = draw_figure([row(*expressions)]), draw_figure([row(*expressions), row(*expressions)])
    top = area(one, RED)[1]
    assert np.array_equal(np.asarray(two)[: one.height], np.asarray(one))
    assert two.height < 2 * one.height
    assert two.height - one.height == one.height - top + GAP * 2, "the second row has no room for headings"
    assert area(one.crop((0, top, one.width, one.height)), rgb(ACCENT))[3] > 0, "synthesis is named in colour"


def panel(
    rows: Sequence[tuple[str, Sequence[np.ndarray | None]]], columns: Sequence[str] = ("a",), over: Sequence[str] = ()
) -> Panel:
    return Panel("a person", coloured(200, 200), columns, rows, over)


def coloured(red: int, green: int) -> np.ndarray:
    return plain((red, green, 7), 16)


def test_every_picture_of_a_sheet_is_in_its_place_and_whole() -> None:
    rows = [(f"row {r}", [coloured(40 * r, 40 * c) for c in range(3)]) for r in range(2)]
    one = panel(rows, ("a", "b", "c"), ("over", "over", "other"))
    sheet = np.asarray(draw_sheet([one, one], face=32))
    places = {}
    for r in range(2):
        for c in range(3):
            found = np.argwhere((sheet == (40 * r, 40 * c, 7)).all(-1))
            assert len(found) == 2 * 32 * 32, "enlarged twice, once in each panel"
            places[r, c] = found.min(0)
    assert (places[1, 0] - places[0, 0]).tolist() == [32 + GAP, 0]
    assert (places[0, 1] - places[0, 0]).tolist() == [0, 32 + GAP]
    assert (places[0, 2] - places[0, 1]).tolist() == [0, 32 + 2 * GAP], "columns under another heading stand apart"
    assert len(np.argwhere((sheet == (200, 200, 7)).all(-1))) == 2 * 32 * 32


def test_panels_with_row_headings_of_different_length_are_aligned() -> None:
    sheet = draw_sheet([panel([("x", [coloured(1, 1)])]), panel([("a long heading", [coloured(2, 2)])])], face=16)
    assert area(sheet, (1, 1, 7))[0] == area(sheet, (2, 2, 7))[0]


def test_a_missing_picture_leaves_its_place_empty_and_a_footer_fits() -> None:
    one = panel([("row", [None])])
    plain_sheet, footed = draw_sheet([one], face=16), draw_sheet([one], face=16, footer="a line of some length " * 5)
    left, top, right, bottom = area(plain_sheet, rgb(EMPTY))
    assert (right - left, bottom - top) == (16, 16)
    assert footed.height > plain_sheet.height
    assert footed.width > plain_sheet.width
    assert np.array_equal(np.asarray(footed)[: plain_sheet.height, : plain_sheet.width], np.asarray(plain_sheet))


def test_equal_headings_side_by_side_are_written_once() -> None:
    assert _runs(("a", "a", "b", "a")) == [(0, 1), (2, 2), (3, 3)]
    assert _runs(()) == []


def test_an_empty_sheet_is_refused() -> None:
    with pytest.raises(ValueError, match="a panel or more"):
        draw_sheet([], face=16)


def test_headings_too_long_for_their_column_are_wrapped_and_words_too_long_are_shortened() -> None:
    assert _wrap("rest", 64) == ["rest"]
    assert _wrap("lower lip depression", 90) == ["lower lip", "depression"]
    (short,) = _wrap("unbreakable-as-it-is", 60)
    assert short.startswith("un")
    assert "…" in short
    assert short.endswith("is")

    def height(heading: str) -> int:
        return draw_sheet([panel([("row", [coloured(1, 1)])], over=(heading,))], face=64).height

    assert height("lower lip depression") == height("rest") + LINE
