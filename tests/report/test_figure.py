"""The figure: where pictures stand, what is missing, and what is refused."""

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from palsykit.report.contents import Cell, FigureRow, ReportContents
from palsykit.report.figure import EMPTY, draw_figure, figure_alt, figure_columns, figure_png

WHITE, RED, BLUE, GREEN = (255, 255, 255), (200, 0, 0), (0, 0, 200), (0, 120, 0)


def plain(colour: tuple[int, int, int], size: int = 64) -> np.ndarray:
    return np.full((size, size, 3), colour, np.uint8)


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
    empty = tuple(int(EMPTY[i : i + 2], 16) for i in (1, 3, 5))
    with_truth, without = draw_figure([row("rest")]), draw_figure([row("rest", truth=False)])
    assert not (np.asarray(with_truth) == empty).all(-1).any()
    left, top, right, bottom = area(without, empty)
    assert (right - left, bottom - top) == (128, 128)
    assert area(without, GREEN) == area(with_truth, GREEN)


def test_columns_follow_the_vocabulary_then_the_data_set_and_repeat_with_the_cells() -> None:
    rows = [row("smiling", "smile_full"), row("rest", "smile_full", "smile_full")]
    assert figure_columns(rows) == (("rest", 0), ("smile_full", 0), ("smile_full", 1), ("smiling", 0))


def test_equal_rows_give_equal_png_bytes(contents: ReportContents) -> None:
    first, second = figure_png(contents.rows), figure_png(contents.rows)
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
