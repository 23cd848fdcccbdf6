"""A generator of a few thousand weights, a trainer for it, and stand-in networks for both."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn

from palsykit.recipe.build import build_part
from palsykit.recipe.schema import PartBlock
from palsykit.testing.stand_ins import Networks, training_data

SIZE = 32
Build = Callable[..., Any]


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Bits are compared, so all compute with one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def networks() -> Networks:
    return Networks(SIZE)


def _built(interface: str, networks: Networks, given: Any, small: dict[str, Any], keys: dict[str, Any]) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(keys.pop("seed", 0))
        block = PartBlock(use="adversarial", parameters=small | keys)
        module: nn.Module = build_part(interface, block, given, networks=networks)
        return module


@pytest.fixture(scope="session")
def generator_of(networks: Networks) -> Build:
    """A fresh generator with these keys; ``image_size`` and ``seed`` are not among the recipe's."""
    small = {"channels": [8, 16, 16], "vector": 16}
    return lambda image_size=SIZE, **keys: _built("synthesisers", networks, image_size, small, keys)


@pytest.fixture(scope="session")
def trainer_of(networks: Networks) -> Build:
    """A fresh trainer with these keys."""
    return lambda **keys: _built("trainers", networks, training_data(8, SIZE), {"channels": [8, 16]}, keys)
