"""LPIPS against the lpips package 0.1.4: stored values for a made-up trunk, and live where it is installed."""

import math

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from palsykit.errors import PalsykitError
from palsykit.faces.views import to_tensor
from palsykit.interfaces import FaceBatch, FaceView, Images
from palsykit.registry import registry
from palsykit.testing import examine
from palsykit_metrics.perceptual import Lpips

pytest.importorskip("torchvision")

ALEX = {0: (64, 3, 11), 3: (192, 64, 5), 6: (384, 192, 3), 8: (256, 384, 3), 10: (256, 256, 3)}
GOLDEN = [0.01155883, 0.31287646]
"""lpips.LPIPS(net="alex", pnet_rand=True) with the trunk of ``trunk()``, on ``pictures()``."""


def trunk():
    """Weights that are a formula, so that every machine has the same."""
    state = {}
    for place, (out, inputs, side) in ALEX.items():
        count = out * inputs * side**2
        wave = torch.sin(torch.arange(count, dtype=torch.float64) * 1.7 + torch.arange(count) ** 2 % 97)
        shape = (out, inputs, side, side)
        state[f"features.{place}.weight"] = (wave * (2 / (inputs * side**2)) ** 0.5).view(shape).float()
        state[f"features.{place}.bias"] = torch.linspace(-0.1, 0.1, out)
    return state


def pictures():
    rng = np.random.default_rng(0)
    target = rng.integers(0, 256, (2, 64, 64, 3))
    near = np.clip(target + rng.integers(-20, 21, target.shape), 0, 255)
    return to_tensor(np.stack([near[0], target[0]]).astype(np.uint8)), to_tensor(target.astype(np.uint8))


def batch(target):
    view = FaceView.of_images(target)
    return FaceBatch(view, view, view)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("lpips") / "alexnet.safetensors"
    save_file({**trunk(), "classifier.6.bias": torch.zeros(1000)}, path)
    return path


@pytest.fixture(scope="module")
def metric(file):
    return Lpips(weights=file)


def test_stored_values(metric):
    generated, target = pictures()
    found = metric.read(batch(target), Images(generated))["lpips"]
    assert found.tolist() == pytest.approx(GOLDEN, rel=1e-3)
    assert metric.read(batch(target), Images(target))["lpips"].tolist() == [0.0, 0.0]


def test_the_formula(metric):
    """Equation 1 written out over the five layers of AlexNet."""
    generated, target = pictures()
    state, heads = trunk(), metric._model.state_dict()
    shift, scale = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
    settings = {0: (4, 2), 3: (1, 2), 6: (1, 1), 8: (1, 1), 10: (1, 1)}
    x, y = ((image - shift.view(1, 3, 1, 1)) / scale.view(1, 3, 1, 1) for image in (generated, target))
    total = torch.zeros(2)
    for layer, (place, (stride, padding)) in enumerate(settings.items()):
        if layer in (1, 2):
            x, y = (nn.functional.max_pool2d(part, 3, 2) for part in (x, y))
        weight, bias = state[f"features.{place}.weight"], state[f"features.{place}.bias"]
        x, y = (nn.functional.conv2d(part, weight, bias, stride, padding).relu() for part in (x, y))
        unit = [part / (part.square().sum(1, keepdim=True) + 1e-8).sqrt() for part in (x, y)]
        head = heads[f"lin{layer}.model.1.weight"]
        total += ((unit[0] - unit[1]).square() * head.view(1, -1, 1, 1)).sum(1).mean((1, 2))
    found = metric.read(batch(target), Images(generated))["lpips"]
    torch.testing.assert_close(found, total, rtol=1e-4, atol=1e-6)


@pytest.mark.filterwarnings("ignore:.*weights:UserWarning")
def test_the_lpips_package_where_it_is_installed(metric):
    lpips = pytest.importorskip("lpips")
    other = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
    names = {name: f"features.{'.'.join(name.split('.')[1:])}" for name in other.net.state_dict()}
    other.net.load_state_dict({name: trunk()[own] for name, own in names.items()})
    generated, target = pictures()
    found = metric.read(batch(target), Images(generated))["lpips"]
    torch.testing.assert_close(found, other(generated, target).flatten().detach(), rtol=1e-4, atol=1e-6)


def test_torchvisions_own_file_is_read(file, tmp_path):
    torch.save(trunk(), tmp_path / "alexnet.pth")
    generated, target = pictures()
    found = Lpips(weights=tmp_path / "alexnet.pth").read(batch(target), Images(generated))["lpips"]
    assert found.tolist() == pytest.approx(GOLDEN, rel=1e-3)


def test_without_a_target_it_is_undefined(metric):
    view = FaceView.of_images(pictures()[0])
    (value,) = metric.read(FaceBatch(view, view), Images(view.image)).values()
    assert all(math.isnan(x) for x in value)


def test_other_weights_are_refused(tmp_path):
    short = {name: value for name, value in trunk().items() if name != "features.10.bias"}
    save_file(short, tmp_path / "short.safetensors")
    with pytest.raises(
        PalsykitError, match=r"short.safetensors: not the weights of .*alexnet: missing: features.10.bias"
    ):
        Lpips(weights=tmp_path / "short.safetensors")
    (tmp_path / "odd.pth").write_bytes(b"no checkpoint")
    with pytest.raises(PalsykitError, match=r"lpips: .*odd.pth"):
        Lpips(weights=tmp_path / "odd.pth")


def test_it_meets_its_contract(file):
    results = examine(registry().get("metrics", "lpips"), {"weights": str(file)}, 64)
    assert [str(result) for result in results if result.state != "passed"] == []


def test_the_card_names_the_weights(metric):
    assert "alexnet.safetensors, SHA-256 " in metric.card.source
    assert metric.card.better == "lower"
