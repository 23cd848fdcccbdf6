"""Webmorph templates: what is read, what is refused, and where the 68 landmarks land."""

import re
from pathlib import Path

import numpy as np
import pytest

from palsykit.faces.landmarks import flip_points
from palsykit.faces.webmorph import COUNT, FLIP, read_template, to_ibug68

LONDON = Path(__file__).parents[3] / "shared/data/london/neutral"


def template_text(points: np.ndarray) -> str:
    return "\n".join([str(len(points)), *(f"{x:.2f}\t{y:.2f}" for x, y in points), "1", "0", "2", "0 1"]) + "\n"


def london(name: str = "001") -> np.ndarray:
    path = LONDON / f"{name}_03.tem"
    if not path.exists():
        pytest.skip(f"the London photographs are not at {LONDON}")
    return read_template(path)


def test_points_are_read_in_px_and_contours_are_left(tmp_path: Path) -> None:
    points = np.round(np.random.default_rng(0).uniform(0, 512, (COUNT, 2)), 2)
    (tmp_path / "a.tem").write_text(template_text(points))
    assert np.array_equal(read_template(tmp_path / "a.tem"), points)


@pytest.mark.parametrize(
    ("line", "text", "message"),
    [
        (1, "68", "a.tem:1: found '68', expected 189"),
        (5, "12.0", "a.tem:5: found '12.0', expected two numbers"),
        (9, "12.0\tabc", "a.tem:9: found '12.0\\tabc', expected two numbers"),
        (9, "nan\t1", "a.tem:9: found 'nan\\t1', expected finite"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: int, text: str, message: str) -> None:
    lines = template_text(np.zeros((COUNT, 2))).splitlines()
    lines[line - 1] = text
    (tmp_path / "a.tem").write_text("\n".join(lines))
    with pytest.raises(ValueError, match=re.escape(message)):
        read_template(tmp_path / "a.tem")


@pytest.mark.parametrize("content", [b"", b"189\n1\t2\n", b"\xff\xd8\xff\xe0"])
def test_a_file_that_is_no_template_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.tem").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.tem.*expected"):
        read_template(tmp_path / "a.tem")


def test_the_flip_is_its_own_inverse_and_a_permutation() -> None:
    assert sorted(FLIP) == list(range(COUNT))
    assert all(FLIP[FLIP[i]] == i for i in range(COUNT))


def test_mirrored_templates_stay_near_themselves() -> None:
    points = london()
    mirrored = points[list(FLIP)] * [-1, 1]
    mirrored += (points - mirrored)[:109].mean(0)
    # A wrong pair would be off by the width of an eye (about 40 px) or more; people are asymmetric by a few px.
    assert np.linalg.norm(points - mirrored, axis=1)[:109].max() < 12


def test_landmarks_of_the_mirrored_template_are_the_mirrored_landmarks() -> None:
    points = london()
    mirrored = np.stack([512 - points[list(FLIP), 0], points[list(FLIP), 1]], -1)
    assert np.allclose(to_ibug68(mirrored), flip_points(to_ibug68(points), 512), atol=1e-3)


def test_landmarks_are_where_ibug_puts_them() -> None:
    points = london()
    marks = to_ibug68(points)
    assert marks.shape == (68, 2)
    assert marks.dtype == np.float32
    assert np.allclose(marks[[36, 39, 42, 45, 48, 54, 8]], points[[18, 22, 23, 27, 87, 93, 129]], atol=1e-3)
    assert marks[36:42, 0].mean() < marks[42:48, 0].mean(), "36-41 are the subject's right eye: image-left"
    assert np.all(marks[17:22, 1].mean() < marks[36:42, 1])
    assert np.all(marks[[37, 38], 1] < marks[[41, 40], 1]), "upper lid above lower lid"
    assert np.all(np.diff(marks[27:31, 1]) > 0)
    assert marks[30, 1] < marks[33, 1] < marks[51, 1] < marks[57, 1] < marks[8, 1]
    assert np.all(np.diff(marks[:17, 0]) > 0)


def test_other_point_counts_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(68, 2\).*\(189, 2\)"):
        to_ibug68(np.zeros((68, 2)))
