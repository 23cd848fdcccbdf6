"""Figures of rows, and their bootstrap over subjects."""

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from palsykit.interfaces import FaceBatch, FaceView, Images, MetricCard, NetworkOutput
from palsykit.measure.statistics import RESAMPLES, interval, measure, named, resamples, statistics, summarise
from palsykit.metrics import needs
from palsykit.networks import SharedNetwork

CARD = MetricCard("A", "a", "", "higher", "")


class FirstPixel:
    card = CARD

    def __init__(self) -> None:
        self.cards: dict[str, MetricCard] = {}

    def read(self, batch: FaceBatch, images: Images) -> dict[str, torch.Tensor]:
        return {"pixel": images.generated[:, 0, 0, 0], "never": torch.full((len(batch),), torch.nan)}


class Median:
    """Of first pixels."""

    card = CARD

    def read(self, batch: FaceBatch, images: Images) -> dict[str, torch.Tensor]:
        return {"values": images.generated[:, 0, 0, 0], "face": images.generated[:, 0]}

    def figures(self, rows: dict[str, torch.Tensor]) -> dict[str, float]:
        assert rows["face"].shape == (len(rows["values"]), 4, 4)
        return {"median": float(np.median(rows["values"].numpy()))}


class Whole(FirstPixel):
    """Of the whole set, with another way for a sample."""

    quick = False

    def figures(self, rows: dict[str, torch.Tensor]) -> dict[str, float]:
        return {"whole": 7.0}

    def bootstrap_figures(self, rows: dict[str, torch.Tensor]) -> dict[str, float]:
        return {"whole": float(len(rows["pixel"]))}


class Rank:
    """How many others are brighter, which a row does not know by itself."""

    card = CARD

    def read(self, batch: FaceBatch, images: Images) -> dict[str, torch.Tensor]:
        return {"pixel": images.generated[:, 0, 0, 0]}

    def prepare(self, rows: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {"rank": (rows["pixel"][:, None] < rows["pixel"]).sum(1)}

    def describe(self, rows: dict[str, torch.Tensor]) -> dict[str, MetricCard]:
        return {"rank": replace(CARD, note=f"of {len(rows['rank'])}")}


def measured(values: list[float], **metrics: Any) -> Any:
    images = torch.tensor(values).view(-1, 1, 1, 1).expand(-1, 3, 4, 4)
    view = FaceView.of_images(images)
    return measure(metrics, FaceBatch(view, view, view), Images(images), 3)


def test_a_figure_may_have_a_card_of_its_own() -> None:
    metric = FirstPixel()
    own = MetricCard("B", "b", "", "lower", "")
    metric.cards = {"never": own}
    found = measured([1.0, 2.0], first=metric)
    assert (found["first/pixel"].card, found["first/never"].card) == (CARD, own)


def test_means_leave_out_what_is_not_defined() -> None:
    found = measured([1.0, 2.0, math.nan, 6.0], first=FirstPixel())
    assert set(found) == {"first/pixel", "first/never"}
    pixel = found["first/pixel"]
    assert (pixel.of(np.arange(4)), pixel.count) == (3.0, 3)
    assert pixel.of(np.array([1, 1, 3])) == pytest.approx(10 / 3)
    figure = summarise(found["first/never"], ["a", "a", "b", "b"], 0)
    assert math.isnan(figure.value)
    assert (figure.low, figure.high, figure.count) == (None, None, 0)


def test_figures_of_several_rows_work_for_any_rows() -> None:
    found = measured([5.0, 1.0, 2.0, 9.0, 9.0], median=Median(), whole=Whole())
    assert found["median"].of(np.arange(5)) == 5.0
    assert found["median"].of(np.array([1, 2, 2])) == 2.0
    assert found["whole"].of(np.arange(5)) == 7.0
    assert found["whole"].of(np.array([0, 0])) == 2.0
    low, high = (getattr(summarise(found["median"], list("aabbc"), 0), bound) for bound in ("low", "high"))
    assert low < 5.0 < high
    assert summarise(found["whole"], list("aabbc"), 0).low is None, "a set's distance is not bootstrapped unasked"


def test_what_a_row_is_among_all_others_is_worked_out_once() -> None:
    rank = measured([5.0, 1.0, 2.0, 9.0], rank=Rank())["rank"]
    assert (rank.column, rank.card.note) == ([1.0, 3.0, 2.0, 0.0], "of 4")
    assert rank.of(np.array([1, 1])) == 3.0


def test_rows_count_by_the_figures_own_column_or_by_all() -> None:
    nan = math.nan
    rows = {"own": torch.tensor([[1.0, nan], [1.0, 1.0], [1.0, 1.0]]), "other": torch.tensor([1, 2, 3])}
    metric = SimpleNamespace(card=CARD, figures=lambda rows: {"own": 0.0, "both": 0.0})
    assert {name: s.count for name, s in statistics(metric, rows, 3).items()} == {"own": 2, "both": 2}
    rows["other"] = torch.tensor([nan, 2.0, nan])
    assert {name: s.count for name, s in statistics(metric, rows, 3).items()} == {"own": 2, "both": 1}


def test_features_without_figures_are_an_error() -> None:
    with pytest.raises(ValueError, match="wide has several values per row"):
        statistics(SimpleNamespace(card=CARD), {"wide": torch.zeros(2, 3)}, 2)


def test_card_and_read_are_enough_for_a_metric() -> None:
    assert needs(Median()) == frozenset()
    assert needs(SimpleNamespace(card=CARD, needs=frozenset({"regenerated"}))) == {"regenerated"}


def test_subjects_are_drawn_whole_and_the_same_again() -> None:
    subjects = ["x", "y", "x", "z"]
    drawn = resamples(subjects, 3)
    assert len(drawn) == RESAMPLES
    for rows in drawn:
        assert np.isin([0, 2], rows).all() or not np.isin([0, 2], rows).any()
        assert (rows == 0).sum() == (rows == 2).sum()
    assert all(np.array_equal(a, b) for a, b in zip(drawn, resamples(subjects, 3), strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(drawn, resamples(subjects, 4), strict=True))


def test_the_interval_covers_as_it_should() -> None:
    """Of 40 means of 30 subjects, about 38 intervals hold the truth; rows of a subject agree, so rows are not drawn."""
    rng = np.random.default_rng(0)
    held = 0
    for study in range(40):
        values = np.repeat(rng.standard_normal(30), 4)
        figure = summarise(measured(values.tolist(), pixel=FirstPixel())["pixel"], list(np.repeat(range(30), 4)), study)
        assert figure.low is not None
        assert figure.high is not None
        held += figure.low <= 0 <= figure.high
    assert 34 <= held <= 40


def test_one_subject_has_no_interval() -> None:
    assert interval([1.0, 1.0], 1) == (None, None)
    assert interval([math.nan], 3) == (None, None)


def test_names() -> None:
    assert named("psnr", "psnr") == "psnr"
    assert named("identity", "identity_similarity") == "identity_similarity"
    assert named("mine", "psnr") == "mine/psnr"


class Counting(nn.Module):
    """A network that counts the pictures that it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def forward(self, image: torch.Tensor) -> NetworkOutput:
        self.seen += len(image)
        return NetworkOutput(image, image.flatten(1))


class Brightness(FirstPixel):
    def __init__(self, network: SharedNetwork) -> None:
        super().__init__()
        self.network = network

    def read(self, batch: FaceBatch, images: Images) -> dict[str, torch.Tensor]:
        found = self.network(images.generated).embedding
        assert found is not None
        return {"brightness": found.mean(1)}


def test_a_judge_sees_a_picture_once_for_all_metrics() -> None:
    network = SharedNetwork("judge", Counting())
    network.freeze()
    values = [0.1, 0.2, 0.3, 0.4, 0.5]
    for _ in range(2):  # as several systems are compared with one truth
        found = measured(values, one=Brightness(network), other=Brightness(network))
        assert [found["one/brightness"].column, found["other/brightness"].column] == [pytest.approx(values)] * 2
    assert network.module.seen == len(values)
