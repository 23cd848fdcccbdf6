"""The reader finds a face in any photograph, and favours no side."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from palsykit.errors import PalsykitError
from palsykit.faces import measures
from palsykit.faces.flip import Face
from palsykit.faces.landmarks import flip_points
from palsykit.faces.measures import px_per_mm
from palsykit.faces.records import FaceRecord
from palsykit.faces.vocabulary import FaceLabels, Side
from palsykit.photographs.find import UnusableFace
from palsykit.photographs.read import Photograph, read_photograph
from palsykit_measure.lengths import Face as Measurable
from palsykit_measure.lengths import measure_face
from palsykit_measure.network import load_network
from palsykit_measure.reading import Reader

Show = Callable[[FaceRecord], Image.Image]


def in_a_mirror(photograph: Photograph) -> Photograph:
    face = Face(np.asarray(photograph.picture), None, FaceLabels(side=Side.NONE))
    return read_photograph(face.mirrored().picture)


def test_a_mirrored_photograph_swaps_the_sides(reader: Reader, records: list[FaceRecord], photograph: Show) -> None:
    smile = next(record for record in records[1:] if record.labels.expression == "smile_full")
    picture = read_photograph(photograph(smile))
    here, there = reader.read(picture), reader.read(in_a_mirror(picture))
    assert there.px_per_mm == pytest.approx(here.px_per_mm, abs=1e-9)
    plain, turned = (measure_face(Measurable(r.landmarks, r.px_per_mm["pupils"])) for r in (here, there))
    for name, parts in plain.items():
        if "whole" in parts:
            sign = -1 if name in ("facial_asymmetry_index", "philtrum_deviation") else 1
            assert turned[name]["whole"] == pytest.approx(sign * parts["whole"], abs=1e-4), name
        else:
            swapped = (parts["left"], parts["right"], -parts["difference"])
            found = turned[name]
            assert (found["right"], found["left"], found["difference"]) == pytest.approx(swapped, abs=1e-4), name
    assert abs(plain["corner_depth"]["difference"]) > 1, "a face without asymmetry would prove nothing"


def test_a_network_that_favours_a_side_is_read_without_favour(
    reader: Reader, records: list[FaceRecord], photograph: Show, says: Callable[[np.ndarray], Any]
) -> None:
    """A network that sees a drooping left corner in everything sees it in the mirror, too; the mean has none."""
    truth = records[0].landmarks
    assert truth is not None
    even = (truth / 128 + flip_points(truth / 128, 1.0)) / 2
    droops = even.copy()
    droops[54, 1] += 0.05
    for points, expected in ((even, 0.0), (droops, 0.025)):
        found = Reader(says(points), reader.detector).read(read_photograph(photograph(records[0])))
        depth = measures.commissure_depth(found.landmarks, found.framed.frame_px)
        assert depth.difference == pytest.approx(0, abs=2e-3)
        assert depth.left == pytest.approx(measures.commissure_depth(even, 1.0).left + expected, abs=2e-3)


def test_points_lie_in_the_photograph(reader: Reader, records: list[FaceRecord], photograph: Show) -> None:
    found = reader.read(read_photograph(photograph(records[0])))
    truth = records[0].landmarks
    assert truth is not None
    expected = truth * 4 + (60, 50)
    error = np.hypot(*(found.landmarks - expected).T)[17:] / px_per_mm(expected)
    assert np.median(error) < 2, "mm"
    assert found.px_per_mm["pupils"] == pytest.approx(px_per_mm(expected), rel=0.06)
    assert found.px_per_mm["iris"] == pytest.approx(px_per_mm(expected), rel=0.2)


def test_the_chosen_face_is_read_in_the_mirror_too(reader: Reader, records: list[FaceRecord], photograph: Show) -> None:
    large, small = (photograph(records[0]).resize(size) for size in ((662, 602), (441, 401)))
    canvas = Image.new("RGB", (1150, 620), (190, 190, 190))
    canvas.paste(large, (0, 0))
    canvas.paste(small, (690, 100))
    for number, (low, high) in ((1, (0, 662)), (2, (690, 1150))):
        found = reader.read(read_photograph(canvas), face=number)
        assert ((low < found.landmarks[:, 0]) & (found.landmarks[:, 0] < high)).all()
        assert not any("once" in note for note in found.notes)


def test_a_photograph_without_a_face_is_refused(reader: Reader) -> None:
    with pytest.raises(UnusableFace, match="found no face in 640 x 480 px; expected"):
        reader.read(read_photograph(Image.new("RGB", (640, 480), (90, 120, 150))))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("judge_points", "expected RECIPE:NAME"),
        ("palsykit:recipes/no.yaml:points", "no file or folder"),
        ("palsykit:recipes/cfcpalsy-64.yaml:eyes", "has no network eyes; it has recognition"),
        ("palsykit:recipes/cfcpalsy-64.yaml:recognition", "finds no points, expected 68"),
        ("palsykit:recipes/networks.yaml:points", r"no weights for it; write .*points=FILE\.safetensors"),
    ],
)
def test_what_is_no_landmark_network_is_refused(spec: str, message: str) -> None:
    with pytest.raises(PalsykitError, match=message):
        load_network(spec)


def test_a_network_is_named_by_its_weights_too() -> None:
    import palsykit_weights

    file = next(iter(palsykit_weights.__path__)) + "/points.safetensors"
    found = load_network(f"palsykit:recipes/networks.yaml:points={file}")
    assert found.size == 64
    assert found.facts["weights"] == load_network("palsykit:recipes/cfcpalsy-64.yaml:points").facts["weights"] != ""
