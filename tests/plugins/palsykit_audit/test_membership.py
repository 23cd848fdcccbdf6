"""Models whose memory is known: one that holds its training photographs by heart, and one that never saw any."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from palsykit.faces.views import to_tensor, view
from palsykit.interfaces import Conditioning, FaceBatch
from palsykit.recipe.schema import PartBlock
from palsykit_audit.measures import Reader, membership
from palsykit_audit.membership import attack, blind, comparable, distances, losses

CPU = torch.device("cpu")


class ByHeart(torch.nn.Module):
    """The denoiser that training with infinite capacity ends at: the mean of the photographs it holds, given x_t."""

    def __init__(self, model: Any, pictures: torch.Tensor):
        super().__init__()
        self.model, self.pictures = [model], pictures

    def forward(self, x_t: torch.Tensor, t: torch.Tensor, conditioning: Conditioning) -> torch.Tensor:
        signal, sigma = self.model[0].signal_and_noise(t)
        apart = (x_t[:, None] - signal[:, None] * self.pictures[None]).square().sum((2, 3, 4))
        weight = torch.softmax(-apart / (2 * sigma.flatten()[:, None] ** 2), dim=1)
        x_0 = torch.einsum("bn,nchw->bchw", weight, self.pictures)
        return (x_t - signal * x_0) / sigma


def holding(model: Any, dataset: Any, split: str) -> Any:
    records = [record for record in dataset.records if record.split == split]
    model.denoiser = ByHeart(model, view(dataset, records).image)
    return model.eval()


def test_a_model_that_holds_its_training_set_gives_it_away(
    patterns: Any, parts_of: Callable[..., Any], model_of: Callable[..., Any], read: Reader
) -> None:
    found = membership(parts_of(patterns), read, holding(model_of(), patterns, "train"), 24)
    assert found.attack.name == "loss"
    assert found.attack.auc.value > 0.99
    assert found.attack.auc.low > 0.9
    assert found.attack.people.value == 1
    assert set(found.attack.by_step) == {"0.05", "0.1", "0.15", "0.2", "0.3", "0.4", "0.5", "0.7"}
    assert len(found.groups.members) == len(found.groups.others) == 24
    assert found.groups.split == "validation"


def test_a_model_of_other_people_gives_nothing_away(
    patterns: Any, parts_of: Callable[..., Any], model_of: Callable[..., Any], read: Reader
) -> None:
    found = membership(parts_of(patterns), read, holding(model_of(), patterns, "test"), 32)
    assert found.attack.auc.low <= 0.5 <= found.attack.auc.high
    assert found.blind.auc.low <= 0.5 <= found.blind.auc.high


def test_losses_are_those_of_the_objective_and_do_not_depend_on_the_batch(
    patterns: Any, parts_of: Callable[..., Any], model_of: Callable[..., Any]
) -> None:
    model, pairs = model_of().eval(), comparable(parts_of(patterns), 8).members
    found = losses(model, patterns, pairs, 3, CPU)
    assert found.shape == (8, 8)
    assert np.allclose(found, losses(model, patterns, pairs, 8, CPU), rtol=1e-4)
    assert (found > 0).all()


def test_groups_are_whole_people_as_many_of_each(patterns: Any, parts_of: Callable[..., Any]) -> None:
    groups = comparable(parts_of(patterns), 1000)
    members, others = groups.people
    assert len(set(members)) == len(set(others)) == 8
    assert all(members.count(person) == 4 for person in members)
    assert {pair.record.split for pair in groups.members} == {"train"}
    patterns.records = [r for r in patterns.records if r.split != "validation"]
    assert comparable(parts_of(patterns), 1000).split == "validation and test"


class Recalls:
    """A synthesiser that gives the nearest of the photographs it holds; without any, the identity photograph."""

    def __init__(self, held: np.ndarray | None = None):
        self.held = None if held is None else to_tensor(held)

    def generate(self, batch: FaceBatch, seeds: Any) -> torch.Tensor:
        if self.held is None:
            return batch.identity.image
        apart = (batch.driver.image[:, None] - self.held[None]).square().sum((2, 3, 4))
        return self.held[apart.argmin(dim=1)]


@pytest.mark.parametrize("remembers", [True, False])
def test_other_synthesisers_are_attacked_by_distance(
    patterns: Any, parts_of: Callable[..., Any], read: Reader, remembers: bool
) -> None:
    held = np.stack([patterns.pictures[r.key] for r in patterns.records if r.split == "train"])
    parts = parts_of(patterns, synthesiser=PartBlock(use="recalls"))
    parts.synthesiser = lambda model: Recalls(held if remembers else None)
    found = membership(parts, read, None, 32)
    assert found.attack.name == "distance"
    if remembers:
        assert (found.attack.auc.value, found.attack.auc.low) == (1, 1)
    else:
        assert found.attack.auc.low <= 0.5 <= found.attack.auc.high


def test_the_nearest_of_several_syntheses_counts(patterns: Any, parts_of: Callable[..., Any]) -> None:
    class Twice:
        calls = 0

        def generate(self, batch: FaceBatch, seeds: Any) -> torch.Tensor:
            assert batch.target is not None
            Twice.calls += 1
            return batch.target.image + (0.5 if Twice.calls % 2 else 0.25)

    pairs = comparable(parts_of(patterns), 4).members
    assert np.allclose(distances(Twice(), patterns, pairs, 2, CPU), 0.25)


def test_the_blind_attack_sees_groups_that_differ_in_themselves() -> None:
    rng = np.random.default_rng(0)
    people = ([f"p{i // 3}" for i in range(30)], [f"p{i // 3}" for i in range(30)])
    one, other = (rng.standard_normal((30, 6)).astype(np.float32) for _ in range(2))
    assert blind((one + 3, other), people, 0).auc.low > 0.9
    figure = blind((one, other), people, 0).auc
    assert figure.low <= 0.5 <= figure.high


def test_a_time_step_with_large_losses_does_not_outvote_the_others() -> None:
    rng = np.random.default_rng(0)
    noise = rng.uniform(0.9, 1.1, (40, 8))
    noise[:, 0] *= 1000
    noise[:20, 1:] *= 0.5
    people = ([str(i) for i in range(20)], [str(i) for i in range(20)])
    assert attack("loss", (noise[:20], noise[20:]), people, 0).auc.value == 1
