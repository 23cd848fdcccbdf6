"""Clinical measures and expression deviations against distances that were put there, and numpy."""

import numpy as np
import pytest
import torch
from torch import nn

from palsykit.faces.landmarks import FLIP
from palsykit.faces.measures import FISSURE_AT_MIDDLE, px_per_mm
from palsykit.faces.vocabulary import FaceLabels, Side
from palsykit.interfaces import FaceBatch, FaceView, Images, NetworkOutput
from palsykit.networks import SharedNetwork
from palsykit.registry import registry
from palsykit.testing.stand_ins import landmarks
from palsykit_metrics.clinical import CommissureExcursion, FacialAsymmetry, Lengths
from palsykit_metrics.deviation import ExpressionCosine

SIDE = 64
RIGHT_CORNER, LEFT_CORNER, OUTER = 48, 54, (36, 45)


class Written(nn.Module):
    """A network whose points and embedding are written into the picture."""

    def __init__(self, width=6, start=0):
        super().__init__()
        self.map_shape, self.embedding_width, self.start = (3, SIDE, SIDE), width, start

    def forward(self, image):
        flat = image.flatten(1)
        return NetworkOutput(
            image, flat[:, self.start : self.start + self.embedding_width], flat[:, :136].view(-1, 68, 2) * SIDE
        )


POINTS = SharedNetwork("judge_points", Written())


def holding(points):
    image = torch.zeros(len(points), 3, SIDE, SIDE)
    image.view(len(points), -1)[:, :136] = torch.as_tensor(np.asarray(points)).float().reshape(len(points), 136) / SIDE
    return image


def symmetric():
    """A face at rest, level, [68, 2] px, and the distance between its outer eye corners."""
    face = landmarks(SIDE, 0.0, 0).astype(np.float64)
    mirrored = face[list(FLIP)] * [-1, 1] + [SIDE, 0]
    face = (face + mirrored) / 2
    return face, np.linalg.norm(face[OUTER[1]] - face[OUTER[0]])


def moved(corner, by):
    face, _ = symmetric()
    face[corner] += by
    return face


def rows(metric, rest, wanted, found, labels=None, identity="rest", given=False):
    labels = labels or (FaceLabels("s", "smile_full", Side.LEFT, 4.0),)
    known = torch.tensor(np.asarray(wanted)[None]).float() if given else torch.full((1, 68, 2), torch.nan)
    target = FaceView(torch.zeros(1, 3, SIDE, SIDE) if given else holding([wanted]), known, labels)
    own = FaceView(holding([rest]), torch.full((1, 68, 2), torch.nan), (FaceLabels("s", identity),))
    found = metric.read(FaceBatch(own, target, target), Images(holding([found])))
    return {name: value.item() for name, value in found.items()}


@pytest.mark.parametrize("given", [False, True])
def test_facial_asymmetry_error_is_the_difference_of_the_distances(given):
    face, unit = symmetric()
    droop = moved(LEFT_CORNER, [0, 3.0])
    distance = [np.linalg.norm(points[LEFT_CORNER] - points[42]) for points in (face, droop)]
    expected = 100 * (distance[1] - distance[0]) / unit
    metric = FacialAsymmetry(network=POINTS)
    found = rows(metric, face, droop, face, given=given)
    assert found["facial_asymmetry_error"] == pytest.approx(expected, rel=1e-4)
    assert rows(metric, face, droop, droop)["facial_asymmetry_error"] == pytest.approx(0, abs=1e-4)
    wrong = rows(metric, face, droop, moved(RIGHT_CORNER, [0, 3.0]))
    assert wrong["facial_asymmetry_error"] == pytest.approx(2 * expected, rel=1e-4), "the wrong side counts twice"


@pytest.mark.parametrize(
    ("side", "affected"), [(Side.RIGHT, 4.0), (Side.LEFT, 0.0), (Side.NONE, None), (Side.BILATERAL, None), (None, None)]
)
def test_commissure_excursion_error_is_what_a_corner_lacks(side, affected):
    face, unit = symmetric()
    smile = moved(RIGHT_CORNER, [-3.0, -4.0])  # 5 px away
    less = moved(RIGHT_CORNER, [-0.6, -0.8])  # 1 px
    labels = (FaceLabels("s", "smile_full", side, 4.0),)
    found = rows(CommissureExcursion(network=POINTS), face, smile, less, labels)
    assert found["commissure_excursion_error"] == pytest.approx(100 * 4.0 / unit / 2, rel=1e-4)
    expected = np.nan if affected is None else 100 * affected / unit
    assert found["commissure_excursion_affected"] == pytest.approx(expected, rel=1e-4, abs=1e-4, nan_ok=True)


def test_a_copy_of_the_identity_picture_lacks_the_whole_excursion():
    face, unit = symmetric()
    found = rows(CommissureExcursion(network=POINTS), face, moved(LEFT_CORNER, [3.0, -4.0]), face)
    assert found["commissure_excursion_affected"] == pytest.approx(100 * 5 / unit, rel=1e-4)


def test_excursion_is_from_rest_and_from_nothing_else():
    face, _ = symmetric()
    found = rows(CommissureExcursion(network=POINTS), face, face, face, identity="smile_gentle")
    assert np.isnan(list(found.values())).all()
    found = rows(CommissureExcursion(network=POINTS), face, face, face, identity=None)
    assert found["commissure_excursion_error"] == 0, "unknown is taken at its word: the data set has one photograph"


def lengths(asked, found, identity="rest"):
    """The figures of several pairs of faces, [68, 2] px each."""
    face, _ = symmetric()
    view = FaceView.of_images(holding(np.stack(asked)))
    labels = (FaceLabels("s", identity),) * len(asked)
    own = FaceView(holding([face] * len(asked)), torch.full((len(asked), 68, 2), torch.nan), labels)
    metric = Lengths(network=POINTS)
    return metric.figures(metric.read(FaceBatch(own, view, view), Images(holding(np.stack(found)))))


def test_lengths_are_asked_against_measured_in_mm():
    face, _ = symmetric()
    mm = float(px_per_mm(face))
    far, near = ([moved(LEFT_CORNER, [0, -size * mm]) for size in sizes] for sizes in ((2.0, 8.0), (1.0, 4.0)))
    found = lengths(far, near)
    assert found["corner_slope"] == pytest.approx(0.5, abs=1e-3)
    assert found["corner_error"] == pytest.approx((1 + 4) / 4, abs=1e-3), "in the mean over both sides"
    assert found["lid_error"] == pytest.approx(0, abs=1e-3)
    exact = lengths(far, far)
    assert exact["corner_slope"] == pytest.approx(1)
    assert exact["corner_error"] == pytest.approx(0, abs=1e-6)
    # A lid gap of 4 mm less on one side, at the middle of the lids; both brows 3 mm up.
    shut = moved([37, 38], [0, 4 * mm / FISSURE_AT_MIDDLE])
    raised = moved([*range(17, 27)], [0, -3 * mm])
    assert lengths([face], [shut])["lid_error"] == pytest.approx(2, abs=0.01)
    assert lengths([raised], [face])["brow_error"] == pytest.approx(3, abs=0.01)


def test_lengths_from_rest_need_an_identity_photograph_at_rest():
    face, _ = symmetric()
    found = lengths([face], [face], identity="smile_full")
    assert np.isnan([found["corner_error"], found["brow_error"], found["corner_slope"]]).all()
    assert found["lid_error"] == pytest.approx(0, abs=1e-6)
    assert np.isnan(lengths([face], [face])["corner_slope"]), "no two asked lengths differ"


def test_every_figure_of_lengths_has_a_card():
    face, _ = symmetric()
    metric = Lengths(network=POINTS)
    assert {"corner_error", *metric.cards} == set(lengths([face], [face]))
    assert "asked" in metric.card.definition
    assert metric.cards["lid_slope"].unit == "mm per mm, 1 is right"
    view = FaceView.of_images(holding([face]))
    assert all(np.isnan(v) for v in metric.figures(metric.read(FaceBatch(view, view), Images(view.image))).values())


def test_expression_cosine_is_numpys():
    rng = torch.Generator().manual_seed(0)
    generated, target, identity = (torch.rand(2, 3, SIDE, SIDE, generator=rng) for _ in range(3))
    face, who = SharedNetwork("face", Written()), SharedNetwork("who", Written(start=100))
    batch = FaceBatch(FaceView.of_images(identity), FaceView.of_images(target), FaceView.of_images(target))
    found = ExpressionCosine(face=face, identity=who).read(batch, Images(generated))

    def deviation(image):
        flat = image.flatten(1).double().numpy()
        a, b = flat[:, :6], flat[:, 100:106]
        return a / np.linalg.norm(a, axis=1, keepdims=True) - b / np.linalg.norm(b, axis=1, keepdims=True)

    def cosine(x, y):
        return (x * y).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)

    for name, other in (("expression_cosine", target), ("expression_cosine_to_identity", identity)):
        np.testing.assert_allclose(found[name], cosine(deviation(generated), deviation(other)), atol=1e-5)
    same = ExpressionCosine(face=face, identity=who).read(batch, Images(identity))
    np.testing.assert_allclose(same["expression_cosine_to_identity"], 1, atol=1e-5)


def test_embeddings_of_two_widths_are_refused():
    with pytest.raises(ValueError, match=r"found 6 \(face\) and 8 \(identity\)"):
        ExpressionCosine(face=POINTS, identity=SharedNetwork("who", Written(8)))


@pytest.mark.parametrize("name", ["facial_asymmetry", "commissure_excursion", "expression_cosine"])
def test_without_a_target_it_is_undefined_and_figures_have_cards(name):
    factory = registry().get("metrics", name).load()
    both = {"face": POINTS, "identity": POINTS}
    metric = factory(**both) if name == "expression_cosine" else factory(network=POINTS)
    view = FaceView.of_images(holding(landmarks(SIDE, 0.0, 0)[None]))
    found = metric.read(FaceBatch(view, view), Images(view.image))
    first = next(iter(found))
    assert found[first].isnan().all()
    assert len(found) == 1 + len(getattr(metric, "cards", {}))
    assert set(getattr(metric, "cards", {})) == set(found) - {first}
    assert "'judge_points'" in metric.card.source
