"""What is measured on a model while it trains changes nothing, and is the same every time."""

import pytest
import torch
from torch import nn

from palsykit.faces.pairing import pair
from palsykit.faces.views import batch
from palsykit.interfaces import TrainingData
from palsykit.training.looking import apart, losses_at_fixed_noise, shares_of_conditions
from palsykit_trainers.diffusion import DiffusionTrainer


@pytest.fixture
def rows(faces):
    return batch(faces, pair(faces.records, 0)[:5])


@pytest.fixture
def trainer(faces):
    return DiffusionTrainer(TrainingData(faces.image_size, faces.records, ()))


def test_losses_are_the_same_in_every_look_and_in_batches_of_any_size(model_of, rows, trainer):
    model = model_of(drop=0.2).eval()
    whole = losses_at_fixed_noise(model, trainer, rows, ["model"], 0, 5)
    assert whole == losses_at_fixed_noise(model, trainer, rows, ["model"], 0, 5)
    assert losses_at_fixed_noise(model, trainer, rows, ["model"], 0, 2) == pytest.approx(whole, rel=1e-5)
    assert losses_at_fixed_noise(model, trainer, rows, ["model"], 1, 5) != whole
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_condition_that_does_not_reach_the_picture_has_no_share(model_of, rows):
    model = model_of().eval()
    shares = shares_of_conditions(model, rows, 0)
    assert sum(shares.values()) == pytest.approx(1)
    assert min(shares.values()) > 0
    # The fusion mixes the tokens of both conditions; the pooled vector is the identity's alone.
    nn.init.zeros_(model.denoiser.tokens.weight)
    assert shares_of_conditions(model, rows, 0) == {"identity": 1, "landmark": 0}
    nn.init.zeros_(model.denoiser.pooled.weight)
    assert shares_of_conditions(model, rows, 0) == {"identity": 0, "landmark": 0}
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_model_without_conditions_has_no_shares(rows):
    assert shares_of_conditions(nn.Linear(1, 1), rows, 0) == {}


def test_a_look_leaves_random_numbers_caches_and_modes_as_they_were(networks, rows):
    trainer = nn.Sequential(nn.Dropout(), nn.BatchNorm1d(3))
    trainer[0].eval()
    network = networks["recognition"]
    network(rows.identity.image)
    cache, state = network._cache, torch.random.get_rng_state()
    kept = list(cache._rows)
    with apart([network], trainer, 0):
        first = torch.rand(1)
        assert not any(module.training for module in trainer.modules())
        network(rows.driver.image)
    with apart([network], trainer, 0):
        assert torch.equal(torch.rand(1), first)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert [module.training for module in trainer.modules()] == [True, False, True]
    assert network._cache is cache
    assert list(cache._rows) == kept
