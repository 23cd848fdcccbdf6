"""What every metric's card says of the network that it reads pictures with."""

import inspect
import re

import pytest
import torch
from torch import nn

from palsykit.networks import SharedNetwork
from palsykit.registry import registry

ENTRIES = {name: registry().get("metrics", name).load() for name in registry().names("metrics")}
READERS = {
    name: [key for key, p in inspect.signature(factory).parameters.items() if "Network" in str(p.annotation)]
    for name, factory in ENTRIES.items()
}
WITHOUT = {"psnr", "ssim", "ssim_ccfexp_compat", "moving", "lpips"}


class Network(nn.Module):
    """Two weights, and whatever a metric asks a network for when it is built."""

    def __init__(self, weight=1.0):
        super().__init__()
        self.map_shape, self.embedding_width = (4, 2, 2), 8
        self.weight = nn.Parameter(torch.full((2,), weight))


def cards(name, weight=1.0):
    networks = {key: SharedNetwork("judge", Network(weight)) for key in READERS[name]}
    metric = ENTRIES[name](**networks)
    return [metric.card, *getattr(metric, "cards", {}).values()]


def test_only_these_read_no_network_of_the_recipe():
    assert {name for name, keys in READERS.items() if not keys} == WITHOUT


@pytest.mark.parametrize("name", sorted(set(ENTRIES) - WITHOUT))
def test_it_names_the_network_and_its_weights(name):
    for card in cards(name):
        assert re.search(r"network 'judge' \(weights [0-9a-f]{12}\)", card.source), card
    assert [c.source for c in cards(name)] == [c.source for c in cards(name)]
    assert all(one.source != other.source for one, other in zip(cards(name), cards(name, 2.0), strict=True))


@pytest.mark.parametrize("name", ["fid", "afid", "kid"])
def test_only_inception_is_comparable(name):
    inception = Network()
    inception.extractor = "inception-v3-compat"
    assert all("NOT comparable with Inception" in card.source for card in cards(name))
    metric = ENTRIES[name](network=SharedNetwork("inception", inception))
    assert "NOT comparable" not in metric.card.source
    assert "inception-v3-compat" in metric.card.source
