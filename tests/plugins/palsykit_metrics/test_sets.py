"""Distances between sets of pictures against torch-fidelity, torchmetrics, prdc and cases worked out by hand.

The stored values are those of torch-fidelity 0.4.0 and prdc 0.2 on the features of ``golden``, which the tests do
not need: fid_statistics_to_metric, kid_features_to_metric (one subset of all, degree 3), prc_features_to_metric
(neighbourhood 3) and compute_prdc (nearest_k 3 and 5).
"""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torchmetrics.image.kid import KernelInceptionDistance

from palsykit.interfaces import FaceBatch, FaceView, Images, NetworkOutput
from palsykit.measure.statistics import gather, statistics, summarise
from palsykit.networks import SharedNetwork
from palsykit_metrics.discrepancy import Cmmd, Kid
from palsykit_metrics.features import extractor, read_features
from palsykit_metrics.fid import Fid
from palsykit_metrics.frechet import frechet, frechet_of_few
from palsykit_metrics.manifolds import DensityCoverage, PrecisionRecall

METRICS = (Fid, Kid, Cmmd, PrecisionRecall, DensityCoverage)


class FirstPixels(nn.Module):
    """A network whose embedding is written into the picture: its first values."""

    def __init__(self, width):
        super().__init__()
        self.map_shape, self.embedding_width = (3, 32, 32), width
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, image):
        return NetworkOutput(image, image.flatten(1)[:, : self.embedding_width])


def network(width=8):
    return SharedNetwork("tiny", FirstPixels(width))


def pictures(features):
    image = torch.zeros(len(features), 3, 32, 32)
    image.view(len(features), -1)[:, : features.shape[1]] = torch.as_tensor(features).float()
    return image


def golden():
    """60 true and 60 generated 8-d features that an 8-bit picture can hold."""
    rng = np.random.default_rng(0)
    real = np.clip(np.rint(127 + 40 * rng.standard_normal((60, 8))), 0, 255) / 127.5 - 1
    return real, np.clip(np.rint(135 + 32 * rng.standard_normal((60, 8))), 0, 255) / 127.5 - 1


def gathered(metric, real, generated, step=25):
    view = FaceView.of_images(pictures(real))
    return gather(metric, FaceBatch(view, view, view), Images(pictures(generated)), step)


def measured(metric, real, generated, step=25):
    return metric.figures(gathered(metric, real, generated, step))


def levels(*rows):
    """Features of whole 8-bit steps from grey: exact in float64 up to a common factor."""
    return (np.array(rows, dtype=np.float64) + 127) / 127.5 - 1


def test_fid_agrees_with_torch_fidelity():
    found = measured(Fid(network=network()), *golden())
    assert found["fid"] == pytest.approx(0.13898352203393993, rel=1e-5)


@pytest.mark.filterwarnings("ignore:Metric `Kernel Inception Distance`")
def test_kid_agrees_with_torch_fidelity_and_torchmetrics():
    real, generated = golden()
    found = measured(Kid(network=network()), real, generated)["kid"]
    assert found == pytest.approx(0.012625939997148894, rel=1e-4)
    other = KernelInceptionDistance(feature=nn.Identity(), subsets=1, subset_size=60)
    other.update(torch.tensor(real), real=True)
    other.update(torch.tensor(generated), real=False)
    assert found == pytest.approx(float(other.compute()[0]), rel=1e-4)


def test_kid_of_subsets_is_near_that_of_all_and_the_same_each_time():
    real, generated = golden()
    whole = measured(Kid(network=network()), real, generated)["kid"]
    first, again = (measured(Kid(network=network(), subset_size=40), real, generated)["kid"] for _ in range(2))
    assert first == again != whole
    assert first == pytest.approx(whole, abs=0.01)
    notes = [
        metric.describe(gathered(metric, real, generated))["kid"].note
        for metric in (Kid(network=network(), subset_size=40), Kid(network=network()))
    ]
    assert "mean of 100 subsets of 40" in notes[0]
    assert "one estimate of all" in notes[1]


def test_precision_and_recall_agree_with_torch_fidelity():
    found = measured(PrecisionRecall(network=network()), *golden())
    assert found["precision"] == pytest.approx(0.95, abs=1e-6)
    assert found["recall"] == pytest.approx(0.5666666626930237, abs=1e-6)


@pytest.mark.parametrize(("k", "density", "coverage"), [(3, 1.7333333333333334, 55 / 60), (5, 1.88, 1.0)])
def test_density_and_coverage_agree_with_prdc(k, density, coverage):
    found = measured(DensityCoverage(network=network(), neighbours=k), *golden())
    assert found == {"density": pytest.approx(density), "coverage": pytest.approx(coverage)}


def test_precision_recall_density_coverage_by_hand():
    """On a line: true at 0, 1, 3, 7 with balls of 1, 1, 2, 4 for k = 1; generated at 1, 4, 20, 30 with 3, 3, 10, 10."""
    real, generated = levels([0], [1], [3], [7]), levels([1], [4], [20], [30])
    # 1 lies in the balls of 0, 1 and 3; 4 in those of 3 and 7; 20 and 30 in none
    assert measured(PrecisionRecall(network=network(1), neighbours=1), real, generated)["precision"] == 2 / 4
    # the ball of 1 holds 0, 1 and 3; that of 4 holds 7 as well
    assert measured(PrecisionRecall(network=network(1), neighbours=1), real, generated)["recall"] == 4 / 4
    found = measured(DensityCoverage(network=network(1), neighbours=1), real, generated)
    assert found == {"density": 5 / 4, "coverage": 4 / 4}
    # the other way round: the balls of 1 (0, 1 and 3) and 4 (1, 3 and 7) are the only ones that hold anything
    found = measured(DensityCoverage(network=network(1), neighbours=1), generated, real)
    assert found == {"density": 6 / 4, "coverage": 2 / 4}


def test_cmmd_by_hand():
    """Two true pictures in one direction, two generated at right angles to it: ||x - y||^2 = 2 and exp(-2 / 200)."""
    real, generated = np.array([[1, 1], [0.6, 0.6]]), np.array([[1, -1], [0.6, -0.6]])
    found = measured(Cmmd(network=network(2)), real, generated)
    assert found["cmmd"] == pytest.approx(1000 * (2 - 2 * math.exp(-0.01)), rel=1e-6)
    assert found["cmmd_unbiased"] == pytest.approx(found["cmmd"], rel=1e-6), "equal within each kind"


def test_cmmd_is_the_released_formula():
    x, y = (part / np.linalg.norm(part, axis=1, keepdims=True) for part in golden())

    def kernel(a, b):
        return np.exp(-(((a[:, None] - b[None]) ** 2).sum(-1)) / 200)

    expected = 1000 * (kernel(x, x).mean() + kernel(y, y).mean() - 2 * kernel(x, y).mean())
    found = measured(Cmmd(network=network()), *golden())
    assert found["cmmd"] == pytest.approx(expected, rel=1e-4)
    assert 0 < found["cmmd"] - found["cmmd_unbiased"] < 40 / 60


@pytest.mark.parametrize("kind", METRICS)
def test_too_few_pictures_and_no_truth_are_undefined(kind):
    metric = kind(network=network())
    view = FaceView.of_images(pictures(golden()[0]))
    untold = gather(metric, FaceBatch(view, view), Images(view.image), 25)
    assert all(math.isnan(value) for value in metric.figures(untold).values())
    assert all(figure.count == 0 for figure in statistics(metric, untold, 60).values())
    assert all(math.isnan(value) for value in measured(metric, *(part[:1] for part in golden())).values())


@pytest.mark.parametrize("kind", [Fid, Kid, Cmmd])
def test_a_figure_of_some_rows_is_that_of_those_pictures_alone(kind):
    real, generated = golden()
    metric = kind(network=network())
    rows = np.arange(10, 50)
    alone = measured(metric, real[rows], generated[rows])
    found = statistics(metric, gathered(metric, real, generated), len(real))
    assert {name: figure.of(rows) for name, figure in found.items()} == pytest.approx(alone, rel=1e-9)


@pytest.mark.parametrize("kind", METRICS)
def test_a_distance_of_sets_has_an_interval_only_on_request(kind):
    metric, subjects = kind(network=network()), [f"s{row % 12}" for row in range(60)]
    for figure in statistics(metric, gathered(metric, *golden()), 60).values():
        assert summarise(figure, subjects, 0, 20).low is None
        low = summarise(figure, subjects, 0, 20, 20).low
        assert (low is None) == (kind in (PrecisionRecall, DensityCoverage)), "which repeated pictures would mislead"


@pytest.mark.parametrize("kind", METRICS)
def test_cards_say_whose_features_and_how_many(kind):
    shared = network()
    metric = kind(network=shared)
    rows = gathered(metric, *golden())
    cards = [figure.card for figure in statistics(metric, rows, 60).values()]
    assert len({card.name for card in cards}) == len(metric.figures(rows))
    for card in cards:
        assert "8-d embedding of network 'tiny' (weights " in card.source
        assert "NOT comparable with Inception" in card.source
        assert "60 true and 60 generated pictures" in card.note
    other = network()
    with torch.no_grad():
        other.module.weight += 1
    assert extractor(other) != extractor(shared) == extractor(network())


def test_inceptions_own_features_are_not_called_incomparable():
    inception = FirstPixels(8)
    inception.extractor = "inception-v3-compat"
    source = Fid(network=SharedNetwork("inception", inception)).card.source
    assert "inception-v3-compat" in source
    assert "comparable" not in source


def test_fid_under_2048_pictures_is_called_biased():
    metric = Fid(network=network(1))
    rng = np.random.default_rng(0)
    features = levels(*rng.integers(0, 100, (2048, 1)))
    few, many = (metric.describe(gathered(metric, part, part, 500))["fid"] for part in (features[:2047], features))
    assert few.name == "FID (biased)"
    assert "BIASED" in few.note
    assert many.name == "FID"
    assert "BIASED" not in many.note


def test_a_network_without_embedding_gives_the_mean_of_its_map():
    class Map(nn.Module):
        map_shape, embedding_width = (3, 32, 32), None

        def forward(self, image):
            return NetworkOutput(image)

    shared = SharedNetwork("points", Map())
    view = FaceView.of_images(torch.full((2, 3, 32, 32), 1.0))
    rows = read_features(shared, FaceBatch(view, view, view), Images(-view.image))
    assert rows["features"].tolist() == [[[1.0] * 3, [-1.0] * 3]] * 2
    assert "mean of the last feature map" in extractor(shared)


def test_odd_settings_are_refused():
    with pytest.raises(ValueError, match="subsets 0"):
        Kid(network=network(), subsets=0)
    for kind in (PrecisionRecall, DensityCoverage):
        with pytest.raises(ValueError, match="neighbours 0; expected 1 or more"):
            kind(network=network(), neighbours=0)


@pytest.mark.parametrize(("rows", "width"), [((30, 30), 64), ((20, 45), 64), ((64, 64), 64), ((60, 50), 8)])
def test_a_bootstraps_frechet_distance_is_torchmetrics(rows, width):
    rng = np.random.default_rng(1)
    mixing = rng.standard_normal((width, width))
    real, generated = (
        torch.tensor(rng.standard_normal((n, width)) @ mixing + shift) for n, shift in zip(rows, (0, 1), strict=True)
    )
    real = real[torch.tensor(rng.integers(0, len(real), len(real)))]  # as a bootstrap draws: some twice, some not
    assert frechet_of_few(real, generated) == pytest.approx(frechet(real, generated), rel=1e-5)
    assert frechet_of_few(real, real) == pytest.approx(0, abs=1e-9 * float(real.square().sum()))
