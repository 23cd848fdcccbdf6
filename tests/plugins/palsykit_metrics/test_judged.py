"""What judges say: hits, sides, grades and asymmetry counted by hand, and boxes around what moves."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from palsykit.faces.classes import EXPRESSION_CLASSES, SIDE_CLASSES
from palsykit.faces.landmarks import FLIP
from palsykit.faces.vocabulary import FaceLabels, Group, Side
from palsykit.faces.webmorph import to_ibug68
from palsykit.interfaces import FaceBatch, FaceView, Images, Metric, NetworkOutput
from palsykit.measure.statistics import Statistic, gather, statistics
from palsykit.networks import SharedNetwork
from palsykit.registry import registry
from palsykit_face_space.palsy import Action, displace_all
from palsykit_face_space.template import template_points
from palsykit_landmark.mean_face import MEAN_FACE
from palsykit_metrics.asymmetry import AsymmetryAgreement, indices, spearman
from palsykit_metrics.expression import ExpressionAccuracy
from palsykit_metrics.palsy import AffectedSide, SeverityError
from palsykit_metrics.pixels import Psnr, Ssim
from palsykit_metrics.regions import MovingRegions
from palsykit_metrics.retrieval import IdentityRetrieval


class Told(nn.Module):
    """A judge that reads its answers off the picture: expression, side and severity from the first row's pixels."""

    map_shape, embedding_width = (1, 1, 1), 4

    def forward(self, image: Tensor) -> NetworkOutput:
        expression, side, severity = image[:, 0, 0, 0] * 8, image[:, 0, 0, 1] * 4, image[:, 0, 0, 2:3]
        return NetworkOutput(
            image[:, :1],
            embedding=image[:, 0, 1, :4],
            logits={
                "expression": nn.functional.one_hot(expression.round().long(), 8).float(),
                "side": nn.functional.one_hot(side.round().long(), 3).float(),
                "severity": severity,
            },
        )


class Holding(nn.Module):
    """Finds the landmarks that are written into the picture, in px."""

    map_shape, embedding_width = (1, 1, 1), None

    def forward(self, image: Tensor) -> NetworkOutput:
        return NetworkOutput(image[:, :1], points=image[:, :, 2:].flatten(1)[:, :136].reshape(-1, 68, 2) * 100)


JUDGE, POINTS = SharedNetwork("judge", Told()), SharedNetwork("judge_points", Holding())


def telling(expressions: list[str], sides: list[Side] | None = None, severities: list[float] | None = None) -> Tensor:
    image = torch.zeros(len(expressions), 3, 16, 16)
    for row, name in enumerate(expressions):
        image[row, 0, 0, 0] = EXPRESSION_CLASSES.index(name) / 8
        image[row, 0, 0, 1] = SIDE_CLASSES.index(sides[row]) / 4 if sides else 0
        image[row, 0, 0, 2] = (severities[row] - 1) / 5 if severities else 0
    return image


def holding(points: np.ndarray) -> Tensor:
    image = torch.zeros(len(points), 3, 16, 16)
    flat = torch.zeros(len(points), 3 * 14 * 16)
    flat[:, :136] = torch.from_numpy(points.reshape(len(points), -1) / 100).float()
    image[:, :, 2:] = flat.view(len(points), 3, 14, 16)
    return image


def batch_of(labels: list[FaceLabels], target: Tensor | None, landmarks: np.ndarray | None = None) -> FaceBatch:
    images = torch.zeros(len(labels), 3, 16, 16) if target is None else target
    view = replace(FaceView.of_images(images), labels=tuple(labels))
    if landmarks is not None:
        view = replace(view, landmarks=torch.from_numpy(landmarks).float())
    return FaceBatch(FaceView.of_images(images), view, None if target is None else view)


def measured(metric: Metric, batch: FaceBatch, generated: Tensor, size: int = 64) -> dict[str, Statistic]:
    return statistics(metric, gather(metric, batch, Images(generated), size), len(batch))


def of(found: dict[str, Statistic], *rows: int) -> dict[str, float]:
    return {name: figure.of(np.array(rows, dtype=np.int64)) for name, figure in found.items()}


def test_all_are_registered() -> None:
    assert {"retrieval", "expression", "side", "severity", "asymmetry", "moving"} <= set(registry().names("metrics"))


def test_expression_accuracy_and_its_quotient_with_the_judges_own() -> None:
    wanted = ["rest", "smile_full", "lip_pucker", "smile_full", "winking"]
    labels = [FaceLabels("s", name) for name in wanted]
    truth = telling(["rest", "smile_full", "rest", "smile_full", "rest"])  # 3 of 4 that are known
    generated = telling(["rest", "rest", "rest", "smile_full", "rest"])  # 2 of 4
    metric = ExpressionAccuracy(network=JUDGE)
    found = measured(metric, batch_of(labels, truth), generated, 3)
    assert of(found, *range(5)) == {"expression_accuracy": 0.5, "expression_accuracy_relative": pytest.approx(2 / 3)}
    assert of(found, 0, 0, 3)["expression_accuracy_relative"] == 1.0
    assert all(math.isnan(value) for value in of(found, 4).values())
    assert math.isnan(of(found, 2)["expression_accuracy_relative"]), "the judge is never right"
    assert {name: figure.count for name, figure in found.items()} == dict.fromkeys(found, 4)


def test_without_a_target_the_drivers_expression_counts() -> None:
    found = measured(ExpressionAccuracy(network=JUDGE), batch_of([FaceLabels("s", "rest")], None), telling(["rest"]))
    assert of(found, 0)["expression_accuracy"] == 1.0
    assert [figure.count for figure in found.values()] == [1, 0]


def test_the_side_counts_from_grade_three_up() -> None:
    asked = [(Side.LEFT, 3.0), (Side.RIGHT, 6.0), (Side.LEFT, 2.0), (Side.NONE, 1.0), (None, 5.0), (Side.LEFT, 4.0)]
    seen = [Side.LEFT, Side.LEFT, Side.RIGHT, Side.NONE, Side.LEFT, Side.NONE]
    labels = [FaceLabels("s", "smile_full", side, grade) for side, grade in asked]
    images = Images(telling(["rest"] * 6, seen))
    found = AffectedSide(network=JUDGE).read(batch_of(labels, None), images)["side_accuracy"]
    np.testing.assert_array_equal(found.numpy(), [1, 0, np.nan, np.nan, np.nan, 0])
    found = AffectedSide(network=JUDGE, least_severity=2).read(batch_of(labels, None), images)["side_accuracy"]
    assert found[2] == 0


def test_at_rest_the_side_counts_where_it_shows() -> None:
    asked = [(4.0, Group.FLACCID), (4.0, None), (4.0, Group.SYNKINETIC), (5.0, Group.FLACCID)]
    labels = [FaceLabels("s", "rest", Side.LEFT, grade, group) for grade, group in asked]
    images = Images(telling(["rest"] * 4, [Side.LEFT] * 4))
    found = AffectedSide(network=JUDGE).read(batch_of(labels, None), images)["side_accuracy"]
    np.testing.assert_array_equal(found.numpy(), [np.nan, np.nan, 1, 1])


def test_severity_is_compared_in_grades() -> None:
    labels = [FaceLabels("s", "rest", Side.LEFT, grade) for grade in (1.0, 4.0, 6.0, None)]
    images = Images(telling(["rest"] * 4, None, [1.0, 2.5, 6.0, 3.0]))
    images.generated[0, 0, 0, 2] = -3  # a judge may say less than grade I
    found = SeverityError(network=JUDGE).read(batch_of(labels, None), images)["severity_error"]
    np.testing.assert_allclose(found.numpy(), [0, 1.5, 0, np.nan], atol=1e-5)


def test_retrieval_among_everybody() -> None:
    people = torch.zeros(4, 3, 16, 16)
    people[:, 0, 1, :4] = torch.eye(4)
    generated = people[[0, 1, 3, 3]] * 5 + 0.1
    metric = IdentityRetrieval(network=JUDGE)
    view = replace(FaceView.of_images(people), labels=tuple(FaceLabels(f"s{i}") for i in range(4)))
    found = measured(metric, FaceBatch(view, view), generated, 3)
    assert of(found, *range(4)) == {"retrieval_top1": 0.75}
    assert of(found, 2, 2) == {"retrieval_top1": 0.0}, "the gallery stays whole"
    assert found["retrieval_top1"].column is None
    assert "among 4 people" in found["retrieval_top1"].card.definition
    alone = measured(metric, FaceBatch(view.rows(0, 1), view.rows(0, 1)), generated[:1])
    assert math.isnan(of(alone, 0)["retrieval_top1"]), "one person cannot be told from others"
    with pytest.raises(ValueError, match="subject is unknown"):
        metric.read(FaceBatch(FaceView.of_images(people), view), Images(people))


def faces_with_palsy() -> tuple[np.ndarray, list[FaceLabels]]:
    template = template_points(np.asarray(MEAN_FACE) * 128)
    labels = [
        FaceLabels("s", name, side, grade)
        for name in ("rest", "smile_full", "brow_raise")
        for side, grade in [(Side.NONE, 1.0), *((s, g) for s in (Side.LEFT, Side.RIGHT) for g in (2.0, 4.0, 6.0))]
    ]
    actions = [Action(f.expression, f.side, f.severity) for f in labels]
    poses = displace_all(np.stack([template] * len(actions)), actions)
    return np.stack([to_ibug68(face) for face in poses.points]), labels


def test_asymmetry_that_is_there_is_found() -> None:
    points, labels = faces_with_palsy()
    figures = measured(AsymmetryAgreement(network=POINTS), batch_of(labels, holding(points), points), holding(points))
    found = of(figures, *range(len(labels)))
    assert found["asymmetry_spearman"] > 0.998, "symmetric faces, at rest up to IV, differ by rounding only"
    assert found["asymmetry_grade_spearman"] > 0.9
    assert found["asymmetry_side"] == 1
    assert found["asymmetry_error"] == pytest.approx(0, abs=1e-3)
    assert figures["asymmetry_side"].count == 3 * 4 - 2, "two faces at rest with grade IV are symmetric"
    assert [figure.count for figure in figures.values()] == [21, 21, 10, 21]


def test_asymmetry_on_the_other_side_is_worse_than_none() -> None:
    points, labels = faces_with_palsy()
    mirrored = points[:, list(FLIP)] * [-1, 1] + [128, 0]
    metric = AsymmetryAgreement(network=POINTS)
    found = of(measured(metric, batch_of(labels, holding(points), points), holding(mirrored)), *range(len(labels)))
    assert found["asymmetry_spearman"] < -0.8
    assert found["asymmetry_side"] == 0
    wanted = np.array(indices(points, labels))
    assert found["asymmetry_error"] == pytest.approx(
        100 * np.abs(np.array(indices(mirrored, labels)) - wanted).mean(), rel=1e-3
    )


def test_unknown_landmarks_are_found_in_the_target() -> None:
    points, labels = faces_with_palsy()
    found = measured(AsymmetryAgreement(network=POINTS), batch_of(labels, holding(points)), holding(points))
    assert of(found, *range(len(labels)))["asymmetry_error"] == pytest.approx(0, abs=1e-6)


def test_spearman_is_scipys() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 9, 50).astype(float), rng.standard_normal(50)
    assert spearman(a, a + b) == pytest.approx(spearmanr(a, a + b).statistic)
    a[3], b[7] = np.nan, np.nan
    kept = ~np.isnan(a) & ~np.isnan(b)
    assert spearman(a, b) == pytest.approx(spearmanr(a[kept], b[kept]).statistic)
    assert math.isnan(spearman(np.ones(5), b[:5]))


def a_face(side: int) -> Tensor:
    return torch.from_numpy(np.asarray(MEAN_FACE) * side).float()[None]


def test_boxes_hold_the_region_of_both_pictures_and_no_more() -> None:
    target, identity = a_face(64), a_face(64)
    identity[:, 48:, 1] += 9  # the mouth was lower
    inside = MovingRegions(regions=("mouth",), margin=0.0).inside(target, identity, 64)[0]
    rows, columns = inside.nonzero().T
    mouth = torch.cat([target[0, 48:], identity[0, 48:]])
    assert rows.min() + 0.5 == pytest.approx(float(mouth[:, 1].min()), abs=1)
    assert rows.max() + 0.5 == pytest.approx(float(mouth[:, 1].max()), abs=1)
    assert columns.min() + 0.5 == pytest.approx(float(mouth[:, 0].min()), abs=1)
    everything = MovingRegions().inside(target, identity, 64)[0]
    assert everything.sum() > inside.sum() * 1.5
    assert (everything | ~inside).all()
    assert everything.float().mean() < 0.5, "most of the picture does not move"


def test_only_what_is_inside_counts() -> None:
    points = a_face(64)
    target = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    batch = batch_of([FaceLabels("s")], target, points.numpy())
    metric = MovingRegions()
    inside = metric.inside(points, points, 64)[:, None]
    outside_only = torch.where(inside, target, -target)
    found = metric.read(batch, Images(outside_only))
    assert found["moving_psnr"].isnan().all(), "equal there"
    assert Psnr().read(batch, Images(outside_only))["psnr"] < 10
    worse = metric.read(batch, Images(torch.where(inside, -target, target)))
    whole = Psnr().read(batch, Images(-target))["psnr"]
    assert worse["moving_psnr"].item() == pytest.approx(whole.item(), abs=0.3)
    assert worse["moving_ssim"] < 0 < found["moving_ssim"]


def test_sharpness_is_the_share_of_fine_detail_that_is_there() -> None:
    points = a_face(64)
    coarse, fine = (torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    coarse = torch.nn.functional.interpolate(coarse[..., ::16, ::16], (64, 64), mode="bicubic") * 0.2
    fine = fine - torch.nn.functional.interpolate(torch.nn.functional.avg_pool2d(fine, 8), (64, 64), mode="bicubic")
    batch = batch_of([FaceLabels("s")], coarse + 0.1 * fine, points.numpy())
    for share in (0.0, 0.5, 1.0, 2.0):
        found = MovingRegions().read(batch, Images(coarse + 0.1 * share * fine))["moving_sharpness"].item()
        assert found == pytest.approx(share, abs=0.05)
    # What is outside the boxes does not count.
    inside = MovingRegions().inside(points, points, 64)[:, None]
    outside = torch.where(inside, coarse + 0.1 * fine, coarse)
    assert MovingRegions().read(batch, Images(outside))["moving_sharpness"].item() == pytest.approx(1, abs=0.1)
    flat = batch_of([FaceLabels("s")], torch.zeros(1, 3, 64, 64), points.numpy())
    assert MovingRegions().read(flat, Images(coarse))["moving_sharpness"].isnan().all(), "the target has no detail"


def test_a_box_around_everything_is_the_whole_picture() -> None:
    target = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    generated = (target + 0.2).clamp(-1, 1)
    batch = batch_of([FaceLabels("s")] * 2, target, a_face(64).repeat(2, 1, 1).numpy())
    found = MovingRegions(margin=5.0).read(batch, Images(generated))
    torch.testing.assert_close(found["moving_psnr"], Psnr().read(batch, Images(generated))["psnr"], atol=1e-3, rtol=0)
    torch.testing.assert_close(found["moving_ssim"], Ssim().read(batch, Images(generated))["ssim"], atol=1e-5, rtol=0)


def test_what_is_not_known_is_not_defined() -> None:
    target = torch.zeros(1, 3, 64, 64)
    for batch in (batch_of([FaceLabels("s")], target), batch_of([FaceLabels("s")], None)):
        found = MovingRegions().read(batch, Images(target + 0.1))
        assert all(value.isnan().all() for value in found.values())


def test_a_network_without_the_head_is_named() -> None:
    labels = [FaceLabels("s", "rest", Side.LEFT, 3.0)]
    with pytest.raises(ValueError, match="network 'judge_points' has no head 'side'"):
        AffectedSide(network=POINTS).read(batch_of(labels, None), Images(torch.zeros(1, 3, 16, 16)))


def test_cards_name_the_judge() -> None:
    for kind in (ExpressionAccuracy, AffectedSide, SeverityError, IdentityRetrieval):
        assert "'judge'" in kind(network=JUDGE).card.source
    assert "'judge_points'" in AsymmetryAgreement(network=POINTS).card.source
