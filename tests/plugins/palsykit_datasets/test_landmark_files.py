"""Landmarks beside photographs, in every form, and what is no such file."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palsykit.faces.alignment import FRAME, five_points
from palsykit.faces.vocabulary import FaceLabels, Side
from palsykit_datasets.expressions import UnknownExpression, Words
from palsykit_datasets.landmark_files import SUFFIXES, read_points, read_sidecar

FORMS = [suffix for suffix in SUFFIXES if suffix != ".tem"]


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(FORMS), st.booleans(), st.floats(20, 200), st.floats(-1.5, 1.5))
def test_every_form_gives_back_what_was_marked(tmp_path_factory, form, many, scale, angle):
    cos, sin = np.cos(angle), np.sin(angle)
    five = (FRAME - 0.5) @ np.array([[cos, sin], [-sin, cos]]) * scale + 150
    points = np.tile(five.mean(0), (68, 1))
    points[36:42], points[42:48], points[30], points[48], points[54] = five
    path = write(tmp_path_factory.mktemp("marked") / "a.jpg", form, points if many else five)
    said = read_sidecar(path, Words({}))
    np.testing.assert_allclose(said.points.five, five_points(points) if many else five, atol=1e-9)
    assert (said.points.landmarks is None) != many
    if many:
        np.testing.assert_allclose(said.points.landmarks, points, atol=1e-9)
    assert (said.labels, said.split) == (FaceLabels(), None)


def write(picture, form, points):
    path = picture.with_suffix(form)
    if form == ".pts":  # the first pixel's centre is 1 there, and 0.5 here
        body = "\n".join(f"{x + 0.5!r} {y + 0.5!r}" for x, y in points.tolist())
        path.write_text(f"version: 1\nn_points:  {len(points)}\n{{\n{body}\n}}\n")
    elif form == ".csv":
        path.write_text("x,y\n" + "".join(f"{x!r},{y!r}\n" for x, y in points.tolist()))
    else:
        path.write_text(json.dumps(points.tolist()))
    return path


def test_the_first_pixel_of_pts_files_is_one(tmp_path):
    """A point on the first pixel is (1, 1) in 300-W and the middle of [0, 1] x [0, 1] here."""
    path = tmp_path / "a.pts"
    path.write_text("version: 1\nn_points: 5\n{\n1 1\n41 1\n21 21\n1 41\n41 41\n}\n")
    np.testing.assert_array_equal(read_points(path).five[0], [0.5, 0.5])


def test_a_json_object_says_labels_too(tmp_path, drawn):
    path, five = tmp_path / "a.json", drawn.five()
    cells = {"expression": "Big smile", "side": "left", "severity": 4, "split": "test", "points5": five.tolist()}
    path.write_text(json.dumps(cells | {"camera": "mine"}))
    said = read_sidecar(path, Words({}))
    assert said.labels == FaceLabels(None, "smile_full", Side.LEFT, 4.0)
    assert (said.split, said.where) == ("test", str(path))
    np.testing.assert_array_equal(said.points.five, five)


def test_an_unknown_expression_is_told_apart(tmp_path):
    (tmp_path / "a.json").write_text('{"expression": "grin"}')
    with pytest.raises(UnknownExpression, match=r"unknown expression 'grin'; expected one of rest, .*\{grin: grin\}"):
        read_sidecar(tmp_path / "a.json", Words({}))


PTS = "version: 1\nn_points: 5\n{\n1 1\n41 1\n21 21\n1 41\n41 41\n}\n"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.pts", PTS.replace("5\n{", "6\n{"), "found 5 points and n_points 6, expected the same"),
        ("a.pts", PTS.replace("n_points: 5\n", ""), "found 5 points and n_points missing"),
        ("a.pts", PTS.replace("{", ""), "found no points between { and }"),
        ("a.pts", PTS.replace("21 21", "21 nan"), r"a\.pts:6: found '21 nan', expected two finite numbers"),
        ("a.pts", PTS.replace("21 21", "21"), r"a\.pts:6: found '21', expected two finite numbers"),
        ("a.pts", PTS.replace("5\n{", "4\n{").replace("21 21\n", ""), "found 4 points, expected 5 .* or iBUG's 68"),
        ("a.pts", PTS.replace("1 1\n41 1", "41 1\n1 1"), "found a mirrored face"),
        ("a.csv", "1,1\n2,2\n", "found 2 points, expected 5"),
        ("a.csv", "x,y\n1,1,1\n", r"a\.csv:2: found '1 1 1', expected two finite numbers"),
        ("a.csv", '"1,1\n', "found no CSV"),
        ("a.csv", b"1,\xff\n", r"a\.csv:1: found bytes that are not text"),
        ("a.csv", "", "found 0 points"),
        ("a.json", "[[1, 2", "found no JSON"),
        ("a.json", "[" * 100_000, "found no JSON"),
        ("a.json", "9" * 5000, "found no JSON"),
        ("a.json", "[[1, 2], [3, 4]]", "found points5 .*, expected 5 pairs"),
        ("a.json", "7", "found '7', expected a list of 5 or 68 points, or an object"),
        ("a.json", '{"places": 1}', r"found keys \['places'\], expected some of subject, expression"),
        ("a.json", '{"points": 1}', r"found column 'points'; did you mean points5\?"),
        ("a.json", '{"side": "L"}', r"a\.json: found side 'L', expected one of left"),
        ("a.json", '{"severity": 9}', "found severity 9, expected a House-Brackmann grade"),
        ("a.tem", "189\n1 2\n", "the file ends after 1 points"),
        ("a.tem", "189\n" + "5 5\n" * 189, "found eyes 0.00 px apart"),
    ],
)
def test_what_is_no_such_file_says_where_and_why(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=message):
        read_sidecar(path, Words({}))
