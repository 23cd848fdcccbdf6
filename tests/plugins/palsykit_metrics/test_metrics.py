"""Metrics against closed forms and other libraries."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from palsykit.faces.vocabulary import FaceLabels
from palsykit.interfaces import FaceBatch, FaceView, Images, NetworkOutput
from palsykit.measure.statistics import gather
from palsykit.metrics import target_labels, to_8_bit
from palsykit.networks import SharedNetwork
from palsykit.registry import registry
from palsykit_metrics.afid import Afid
from palsykit_metrics.identity import IdentitySimilarity
from palsykit_metrics.landmarks import LandmarkError
from palsykit_metrics.pixels import CcfexpSsim, Psnr, Ssim


class FirstPixels(nn.Module):
    """A network whose embedding and points can be written into the picture: its first values, row by row."""

    def __init__(self, width=8):
        super().__init__()
        self.map_shape, self.embedding_width = (1, 1, 1), width

    def forward(self, image):
        flat = image.flatten(1)
        return NetworkOutput(flat[:, :1], flat[:, : self.embedding_width], flat[:, :136].reshape(-1, 68, 2) * 32)


def faces(rows=3, side=32, seed=0):
    return torch.rand(rows, 3, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def batch(target, identity=None):
    target_view = None if target is None else FaceView.of_images(target)
    rows = 3 if target is None else len(target)
    identity_view = FaceView.of_images(faces(rows, seed=9) if identity is None else identity)
    return FaceBatch(identity_view, identity_view, target_view)


def driven(driver, identity):
    return FaceBatch(FaceView.of_images(identity), FaceView.of_images(driver))


def network(width=8):
    return SharedNetwork("tiny", FirstPixels(width))


def test_psnr_of_a_known_difference():
    target = torch.zeros(2, 3, 16, 16)  # saved as 128
    generated = to_8_bit(target) * 2 - 1 + torch.tensor([10, 51]).view(2, 1, 1, 1) / 127.5
    value = Psnr().read(batch(target), Images(generated))["psnr"]
    expected = torch.tensor([20 * math.log10(255 / 10), 20 * math.log10(5)])
    torch.testing.assert_close(value, expected, atol=1e-3, rtol=0)


def test_psnr_of_equal_pictures_is_undefined_and_ssim_one():
    target = faces()
    assert Psnr().read(batch(target), Images(target))["psnr"].isnan().all()
    torch.testing.assert_close(Ssim().read(batch(target), Images(target))["ssim"], torch.ones(3))


def test_psnr_and_ssim_agree_with_scikit_image():
    skimage = pytest.importorskip("skimage.metrics")
    target = nn.functional.avg_pool2d(faces(2, 66), 3, stride=1)
    generated = (target + 0.2 * faces(2, 64, seed=1)).clamp(-1, 1)
    images, truth = Images(generated), batch(target)
    psnr, ssim = Psnr().read(truth, images)["psnr"], Ssim().read(truth, images)["ssim"]
    for row in range(2):
        a, b = (((x[row] + 1) * 127.5).round().byte().permute(1, 2, 0).numpy() for x in (target, generated))
        assert psnr[row].item() == pytest.approx(skimage.peak_signal_noise_ratio(a, b), abs=1e-3)
        keys = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "channel_axis": 2}
        assert ssim[row].item() == pytest.approx(skimage.structural_similarity(a, b, data_range=255, **keys), abs=2e-5)


def test_the_released_scripts_ssim_agrees_with_scikit_images_defaults():
    skimage = pytest.importorskip("skimage.metrics")
    driver, identity = (nn.functional.avg_pool2d(faces(2, 66, seed=seed), 3, stride=1) for seed in (0, 2))
    generated = (driver + 0.2 * faces(2, 64, seed=1)).clamp(-1, 1)
    found = CcfexpSsim().read(driven(driver, identity), Images(generated))
    for name, other in (("ssim_ccfexp_compat", driver), ("ssim_ccfexp_compat_to_identity", identity)):
        for row in range(2):
            a, b = (((x[row] + 1) * 127.5).round().permute(1, 2, 0).double().numpy() / 255 for x in (generated, other))
            expected = skimage.structural_similarity(a, b, channel_axis=-1, data_range=1.0)
            assert found[name][row].item() == pytest.approx(expected, abs=1e-6)


def test_the_released_scripts_ssim_of_two_flat_pictures():
    grey = [torch.full((1, 3, 16, 16), level * 2 - 1.0) for level in (0.2, 0.6)]  # 51 and 153 of 255
    found = CcfexpSsim().read(driven(grey[0], grey[1]), Images(grey[1]))
    assert found["ssim_ccfexp_compat"].item() == pytest.approx((2 * 0.12 + 1e-4) / (0.04 + 0.36 + 1e-4), abs=1e-6)
    assert found["ssim_ccfexp_compat_to_identity"].item() == pytest.approx(1.0)


def test_identity_similarity_is_the_cosine():
    generated, identity, target = (faces(seed=seed) for seed in (1, 2, 3))
    figures = IdentitySimilarity(network=network()).read(batch(target, identity), Images(generated))
    a, b, c = (x.flatten(1)[:, :8].double().numpy() for x in (generated, identity, target))

    def cosine(x, y):
        return (x * y).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)

    np.testing.assert_allclose(figures["identity_similarity"], cosine(a, b), atol=1e-5)
    np.testing.assert_allclose(figures["identity_similarity_to_target"], cosine(a, c), atol=1e-5)


def with_points(points):
    image = torch.zeros(len(points), 3, 32, 32)
    image.view(len(points), -1)[:, :136] = points.reshape(len(points), 136) / 32
    return image


def test_landmark_error_is_in_percent_of_the_inter_ocular_distance():
    truth = torch.rand(2, 68, 2) * 20
    truth[:, 36], truth[:, 45] = torch.tensor([4.0, 10.0]), torch.tensor([24.0, 10.0])  # 20 px apart
    generated = with_points(truth + torch.tensor([0.6, 0.8]))  # every point 1 px away
    given = batch(faces(2))
    given.target.landmarks = truth
    found = batch(with_points(truth))  # the data set knows none: they are found in the target
    half = batch(with_points(truth))
    half.target.landmarks = torch.where(torch.arange(2).view(2, 1, 1) == 0, truth, torch.nan)
    for case in (given, found, half):
        value = LandmarkError(network=network()).read(case, Images(generated))["landmark_error"]
        torch.testing.assert_close(value, torch.full((2,), 5.0), atol=1e-3, rtol=0)


def test_rows_without_a_target_are_undefined():
    images, nothing = Images(faces()), batch(None)
    for metric in (Psnr(), Ssim(), LandmarkError(network=network())):
        (value,) = metric.read(nothing, images).values()
        assert value.shape == (3,)
        assert value.isnan().all()
    figures = IdentitySimilarity(network=network()).read(nothing, images)
    assert figures["identity_similarity"].isfinite().all()
    assert figures["identity_similarity_to_target"].isnan().all()


def measured(metric, batch, images, size=64):
    return metric.figures(gather(metric, batch, images, size))


def gaussian_faces(rows, mean, std, seed, width):
    image = torch.zeros(rows, 3, 32, 32)
    noise = torch.randn(rows, width, generator=torch.Generator().manual_seed(seed))
    image.view(rows, -1)[:, :width] = mean + std * noise
    return image


def test_afid_of_gaussians_is_the_closed_form():
    """||m1 - m2||^2 + sum (s1 - s2)^2 for diagonal covariances; fed in unequal batches."""
    afid = Afid(network=network(4))
    original, again = gaussian_faces(20000, 0.1, 0.2, 0, 4), gaussian_faces(20000, 0.3, 0.3, 1, 4)
    assert measured(afid, batch(original), Images(original, again), 19993)["self2"] == pytest.approx(
        4 * (0.2**2 + 0.1**2), rel=0.03
    )


def test_afid_agrees_with_scipy():
    from scipy.linalg import sqrtm

    original, again = gaussian_faces(300, 0.0, 0.2, 0, 16), gaussian_faces(300, 0.1, 0.3, 1, 16)
    found = measured(Afid(network=network(16)), batch(original), Images(original, again))
    a, b = (x.flatten(1)[:, :16].double().numpy() for x in (original, again))
    c1, c2 = np.cov(a.T), np.cov(b.T)
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(c1 + c2 - 2 * sqrtm(c1 @ c2).real)
    assert found["self2"] == pytest.approx(expected, rel=1e-4)


def test_afid_is_finite_for_fewer_pictures_than_features():
    original, again = gaussian_faces(64, 0.0, 1.0, 0, 512), gaussian_faces(64, 0.0, 1.0, 1, 512)
    afid = Afid(network=network(512))
    assert 100 < measured(afid, batch(original), Images(original, again))["self2"] < 2000
    assert measured(afid, batch(original), Images(original, original))["self2"] == pytest.approx(0, abs=0.05)


def test_afids_two_readings_compare_different_pictures():
    """self2 the regenerated with the target, swap_back the swapped back with the identity photograph."""
    width, rows = 4, 4000
    means = {"identity": 0.0, "target": 0.1, "regenerated": 0.3, "swapped_back": 0.4}
    made = {name: gaussian_faces(rows, mean, 0.2, seed, width) for seed, (name, mean) in enumerate(means.items())}
    faces_of = {name: FaceView.of_images(made[name]) for name in ("identity", "target")}
    afid = Afid(network=network(width), readings=("swap_back", "self2"))
    assert afid.needs == {"regenerated", "swapped_back"}
    given = FaceBatch(faces_of["identity"], faces_of["target"], faces_of["target"])
    found = measured(afid, given, Images(made["target"], made["regenerated"], made["swapped_back"]))
    assert list(found) == ["swap_back", "self2"]
    assert found["self2"] == pytest.approx(width * 0.2**2, rel=0.1)
    assert found["swap_back"] == pytest.approx(width * 0.4**2, rel=0.1)
    assert [afid.cards[name].source.count(f"read as {name}") for name in found] == [1, 1]
    passes = Images(made["target"], None, made["swapped_back"])
    untold = measured(afid, FaceBatch(given.identity, given.driver), passes)
    assert untold["swap_back"] == pytest.approx(found["swap_back"])
    assert math.isnan(untold["self2"]), "nobody knows the truth"
    with pytest.raises(ValueError, match="readings is empty"):
        Afid(network=network(width), readings=())


def test_afid_of_too_few_pictures_is_undefined():
    afid = Afid(network=network())
    assert math.isnan(measured(afid, batch(faces(1)), Images(faces(1), faces(1)))["self2"])
    assert math.isnan(measured(afid, batch(None), Images(faces(), faces()))["self2"])


def test_the_target_says_what_a_row_should_show_else_the_driver():
    known, other = (FaceView(faces(1), torch.zeros(1, 68, 2), (FaceLabels(name),)) for name in ("a", "b"))
    assert target_labels(FaceBatch(known, known, other)) == other.labels
    assert target_labels(FaceBatch(other, known)) == known.labels


def test_networks_that_do_not_serve_are_named():
    class Blind(FirstPixels):
        def forward(self, image):
            return NetworkOutput(image)

    blind = SharedNetwork("blind", Blind(None))
    with pytest.raises(ValueError, match="'blind' gives no embedding"):
        Afid(network=blind)
    with pytest.raises(ValueError, match="'blind' gives no embedding"):
        IdentitySimilarity(network=blind).read(batch(faces()), Images(faces()))
    with pytest.raises(ValueError, match="'blind' finds no points"):
        LandmarkError(network=blind).read(batch(faces()), Images(faces()))


@pytest.mark.parametrize("name", ["psnr", "ssim", "ssim_ccfexp_compat", "identity", "landmark_error", "afid"])
def test_every_card_tells_what_a_reader_needs(name):
    factory = registry().get("metrics", name).load()
    card = (factory() if "psnr" in name or "ssim" in name else factory(network=network())).card
    assert all((card.name, card.definition, card.unit, card.source, card.note))
    assert card.better in ("higher", "lower")
