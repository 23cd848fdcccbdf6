"""FID's Inception against torch-fidelity's own, on random weights in the published file's layout."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from palsykit.errors import PalsykitError
from palsykit.files import weights
from palsykit.interfaces import FaceBatch, FaceView, Images
from palsykit.measure.statistics import gather
from palsykit.networks import SharedNetwork
from palsykit.recipe import load_recipe
from palsykit.run.evaluate import build_metrics
from palsykit.run.parts import Parts
from palsykit_convert.conversion import convert_weights
from palsykit_fidelity.inception import Inception
from palsykit_metrics.discrepancy import Kid
from palsykit_metrics.fid import Fid
from palsykit_metrics.manifolds import PrecisionRecall

fidelity = pytest.importorskip("torch_fidelity", reason="not installed: pip install 'palsykit[fidelity]'")

COUNT = 12
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A .pth file as torch-fidelity and pytorch-fid publish it, with other numbers."""
    torch.manual_seed(0)
    model = Inception(64).model
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    path = tmp_path_factory.mktemp("inception") / "weights-inception-2015-12-05-6726825d.pth"
    torch.save(model.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def converted(published):
    target = published.parent / "inception.safetensors"
    convert_weights(published, target, "inception")
    return target


@pytest.fixture(scope="module")
def network(converted):
    return Inception(64, weights=converted).eval().requires_grad_(False)


def pictures(seed, shift=0):
    """[N, 3, 32, 32] of 8 bits: smooth noise, so that resizing leaves something."""
    coarse = torch.from_numpy(np.random.default_rng(seed).normal(120 + shift, 50, (COUNT, 3, 8, 8)))
    return nn.functional.interpolate(coarse, size=32, mode="bicubic").round().clamp(0, 255).to(torch.uint8)


def measured(metric, real, generated):
    view = FaceView.of_images(real.float() / 127.5 - 1)
    return metric.figures(gather(metric, FaceBatch(view, view, view), Images(generated.float() / 127.5 - 1), 5))


def theirs(published, **asked):
    return fidelity.calculate_metrics(
        input1=_Pictures(pictures(2, 20)),  # theirs: generated first
        input2=_Pictures(pictures(1)),
        feature_extractor="inception-v3-compat",  # its precision and recall are VGG's by default
        feature_extractor_weights_path=str(published),
        cuda=False,
        verbose=False,
        save_cpu_ram=True,
        **asked,
    )


class _Pictures(torch.utils.data.Dataset):
    def __init__(self, images):
        self.images = images

    def __len__(self):
        return len(self.images)

    def __getitem__(self, row):
        return self.images[row]


def test_features_are_those_of_torch_fidelity(network, published):
    own = fidelity.feature_extractor_inceptionv3.FeatureExtractorInceptionV3("own", ["2048"], str(published))
    found = network(pictures(1).float() / 127.5 - 1)
    (wanted,) = own(pictures(1))
    assert torch.equal(found.embedding, wanted)
    assert found.embedding.std() > 0.01
    assert found.map.shape[1:] == network.map_shape
    torch.testing.assert_close(found.map.mean((2, 3)), found.embedding)


@pytest.mark.slow
def test_kid_and_precision_and_recall_agree_with_torch_fidelity(network, published):
    shared = SharedNetwork("inception", network)
    wanted = theirs(published, kid=True, kid_subsets=1, kid_subset_size=COUNT, prc=True)
    kid = measured(Kid(network=shared, subsets=1, subset_size=COUNT), pictures(1), pictures(2, 20))
    assert kid["kid"] == pytest.approx(wanted["kernel_inception_distance_mean"], rel=1e-4)
    found = measured(PrecisionRecall(network=shared), pictures(1), pictures(2, 20))
    assert found == {"precision": wanted["precision"], "recall": wanted["recall"]}
    assert 0 < sum(found.values()) < 2


@pytest.mark.slow
def test_fid_agrees_with_torch_fidelity(network, published):
    found = measured(Fid(network=SharedNetwork("inception", network)), pictures(1), pictures(2, 20))
    wanted = theirs(published, fid=True)["frechet_inception_distance"]
    assert found["fid"] == pytest.approx(wanted, rel=1e-3)


def test_a_picture_has_the_same_features_in_any_company(network):
    image = pictures(1).float() / 127.5 - 1
    torch.testing.assert_close(network(image[:1]).embedding, network(image).embedding[:1], rtol=1e-4, atol=1e-5)


def test_only_the_published_file_makes_comparable_figures(network, converted, tmp_path):
    assert network.extractor is None
    assert "NOT comparable with Inception" in Fid(network=SharedNetwork("inception", network)).card.source
    state, metadata = weights.load(converted)
    assert metadata["layout"] == "inception"
    weights.save(state, tmp_path / "inception.safetensors", metadata | {"source_sha256": "6726825d" + "0" * 56})
    known = Inception(64, weights=tmp_path / "inception.safetensors")
    source = Fid(network=SharedNetwork("inception", known)).card.source
    assert "inception-v3-compat" in source
    assert "NOT comparable" not in source


def test_a_file_without_the_norms_counters_is_whole(published, converted, tmp_path):
    state = torch.load(published, weights_only=True)
    older = {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}
    assert len(older) < len(state)
    torch.save(older, tmp_path / "older.pth")
    made = convert_weights(tmp_path / "older.pth", tmp_path / "older.safetensors", "inception")
    assert made.tensors == len(state)
    assert made.recipe("FILE") == "networks:\n  NAME:\n    use: inception\n    weights: FILE\n"  # any image size
    one, other = weights.load(tmp_path / "older.safetensors")[0], weights.load(converted)[0]
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_other_networks_weights_are_refused_by_name(tmp_path):
    torch.save({"conv1.weight": torch.zeros(2, 3, 3, 3)}, tmp_path / "other.pth")
    with pytest.raises(PalsykitError, match=r"not weights in the layout inception .*: no key fc\.weight"):
        convert_weights(tmp_path / "other.pth", tmp_path / "other.safetensors", "inception")


def test_a_missing_layer_is_refused_by_name(published, tmp_path):
    state = torch.load(published, weights_only=True)
    del state["Mixed_6e.branch_pool.conv.weight"]
    torch.save(state, tmp_path / "torn.pth")
    with pytest.raises(PalsykitError, match=r"missing: model\.Mixed_6e\.branch_pool\.conv\.weight"):
        convert_weights(tmp_path / "torn.pth", tmp_path / "torn.safetensors", "inception")


def test_a_gradient_is_refused(network):
    with pytest.raises(PalsykitError, match="gives no gradient"):
        network(torch.zeros(1, 3, 32, 32, requires_grad=True))


def test_the_library_is_left_as_it_was():
    module = fidelity.feature_extractor_inceptionv3
    before = module.load_state_dict_from_url
    Inception(64)
    assert module.load_state_dict_from_url is before


def test_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    with pytest.raises(PalsykitError, match=r"pip install 'palsykit\[fidelity\]'"):
        Inception(64)


def test_a_recipe_names_it_as_judge_of_sets(converted, tmp_path):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(
        f"extends: {ROOT / 'recipes' / 'cfcpalsy-64.yaml'}\n"
        f"networks: {{inception: {{use: inception, weights: {converted}}}}}\n"
        "metrics: {fid: {use: fid, network: inception}}\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "palsykit", "check", str(recipe)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    card = build_metrics(Parts(load_recipe(recipe)))["fid"].card
    assert "2048-d embedding of network 'inception' (weights " in card.source
