"""Two players: each moves in its own phase, and what is minimised is what the papers write."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from palsykit.diffusion.model import ConditionalDiffusion
from palsykit.errors import PalsykitError
from palsykit.interfaces import Conditioning, ConditioningSpec
from palsykit.seeds import generator
from palsykit.testing import check
from palsykit.testing.stand_ins import Networks, face_batch, model
from palsykit_adversarial.discriminator import PatchDiscriminator, slope

SIZE = 32
Build = Callable[..., Any]
TERMS = {"discriminator": {"real", "made", "penalty"}, "generator": {"adversarial", "l1", "identity"}}


def players(
    generator_of: Build, trainer_of: Build, **keys: Any
) -> tuple[nn.Module, Any, dict[str, list[nn.Parameter]]]:
    made, trainer = generator_of(residual=False), trainer_of(**keys)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return made, trainer, trainer.groups(made)


def test_it_keeps_the_contract_of_a_trainer() -> None:
    check("trainer", "adversarial", channels=[8, 16])


@pytest.mark.parametrize("phase", list(TERMS))
def test_a_phase_reaches_its_own_players_parameters_alone(generator_of: Build, trainer_of: Build, phase: str) -> None:
    made, trainer, groups = players(generator_of, trainer_of)
    terms = trainer.losses(made, face_batch(4, SIZE), generator("a"), phase)
    assert set(terms) == TERMS[phase]
    torch.stack(list(terms.values())).sum().backward()
    reached = {name: [p.grad is not None and bool(p.grad.any()) for p in group] for name, group in groups.items()}
    assert all(reached.pop(phase))
    assert not any(any(others) for others in reached.values())
    assert all(p.requires_grad for group in groups.values() for p in group), "what was frozen for a phase is free again"


def test_the_players_are_all_that_is_trained_and_the_discriminator_is_the_trainers(
    generator_of: Build, trainer_of: Build
) -> None:
    made, trainer, groups = players(generator_of, trainer_of)
    assert {id(p) for p in groups["generator"]} == {id(p) for p in made.parameters()}
    assert {id(p) for p in groups["discriminator"]} == {id(p) for p in trainer.parameters()}
    assert not any("discriminator" in name for name in made.state_dict()), "the average and the run's model lack it"


@pytest.mark.parametrize("kind", ["non-saturating", "hinge"])
def test_terms_are_the_papers(generator_of: Build, trainer_of: Build, kind: str) -> None:
    made, trainer, _ = players(generator_of, trainer_of, adversarial=kind, adversarial_weight=2.0, l1_weight=5.0)
    batch = face_batch(4, SIZE)
    with torch.no_grad():
        asked = made.encode(batch)
        picture = made(batch.identity.image, asked)
        real, fake = (trainer.discriminator(x, batch.identity.image, asked) for x in (batch.target.image, picture))
    judged = trainer.losses(made, batch, generator("a"), "discriminator")
    taken = trainer.losses(made, batch, generator("a"), "generator")
    if kind == "hinge":
        expected = {"real": (1 - real).relu().mean(), "made": (1 + fake).relu().mean(), "adversarial": -2 * fake.mean()}
    else:
        probability = {"real": real.sigmoid(), "made": 1 - fake.sigmoid(), "adversarial": fake.sigmoid()}
        expected = {name: -value.log().mean() for name, value in probability.items()}
        expected["adversarial"] *= 2
    expected["l1"] = 5 * (picture - batch.target.image).abs().mean()
    for name, value in expected.items():
        torch.testing.assert_close((judged | taken)[name].detach(), value, msg=name)


class Quadratic(nn.Module):
    """Scores a x^2 / 2 summed over a row, at each of two patches half of it: its slope is a x."""

    def forward(self, picture: Tensor) -> Tensor:
        row = 1.5 * picture.square().sum((1, 2, 3)) / 2
        return row[:, None, None, None].expand(-1, 1, 1, 2)


def test_the_gradient_penalty_is_the_squared_slope_and_has_a_gradient_itself() -> None:
    picture = face_batch(3, 8).target.image.clone().requires_grad_()  # type: ignore[union-attr]
    found = slope(Quadratic()(picture), picture)
    torch.testing.assert_close(found, (1.5 * picture).square().sum((1, 2, 3)).mean())
    judge = PatchDiscriminator(ConditioningSpec(0, None), (8,))
    slope(judge(picture, picture.detach(), Conditioning({})), picture).backward()
    assert all(layer.weight.grad.abs().sum() > 0 for layer in (judge.layers[0], judge.features, judge.score))


def test_the_penalty_holds_the_slope_down(generator_of: Build, trainer_of: Build) -> None:
    """The discriminator alone, trained with and without: with it the slope at real pictures is smaller."""
    batch, found = face_batch(4, SIZE), {}
    for gamma in (0.0, 1000.0):
        made, trainer, groups = players(generator_of, trainer_of, gradient_penalty=gamma)
        optimiser = torch.optim.Adam(groups["discriminator"], lr=2e-3)
        for _ in range(10):
            optimiser.zero_grad()
            sum(trainer.losses(made, batch, generator("a"), "discriminator").values()).backward()
            optimiser.step()
        real = batch.target.image.clone().requires_grad_()  # type: ignore[union-attr]
        with torch.no_grad():
            asked = made.encode(batch)
        found[gamma] = float(slope(trainer.discriminator(real, batch.identity.image, asked), real).detach())
    assert found[1000.0] < 0.5 * found[0.0]


def test_the_discriminator_sees_the_conditioning() -> None:
    judge = PatchDiscriminator(ConditioningSpec(0, 4, spatial=2), (8, 16))
    picture, identity = (torch.rand(2, 3, 16, 16, generator=generator(name)) for name in "ab")
    asked = Conditioning({}, torch.ones(2, 4), torch.zeros(2, 2, 16, 16))
    scores = judge(picture, identity, asked)
    assert scores.shape == (2, 1, 4, 4)
    for other in (
        Conditioning({}, -torch.ones(2, 4), asked.spatial),
        Conditioning({}, asked.pooled, asked.spatial + 1),
    ):
        assert not torch.allclose(judge(picture, identity, other), scores)
    assert not torch.allclose(judge(picture, picture, asked), scores)


def test_a_weight_of_0_leaves_a_term_out(generator_of: Build, trainer_of: Build) -> None:
    keys = {"identity_weight": 0.0, "adversarial_weight": 0.0, "gradient_penalty": 0.0}
    made, trainer, groups = players(generator_of, trainer_of, **keys)
    found = {phase: set(trainer.losses(made, face_batch(2, SIZE), generator("a"), phase)) for phase in groups}
    assert found == {"discriminator": {"real", "made"}, "generator": {"l1"}}


def test_the_identity_term_falls_with_the_truths_embedding(generator_of: Build, trainer_of: Build) -> None:
    made, trainer, _ = players(generator_of, trainer_of, identity_weight=3.0)
    batch = face_batch(4, SIZE)
    term = trainer.losses(made, batch, generator("a"), "generator")["identity"]
    with torch.no_grad():
        picture = made(batch.identity.image, made.encode(batch))
        cosine = F.cosine_similarity(*(trainer.recognition(x).embedding for x in (picture, batch.target.image)))
    torch.testing.assert_close(term.detach(), 3 * (1 - cosine).mean())


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"channels": []}, r"channels: \[\]; expected one or more layers"),
        ({"channels": [8] * 6}, "each halves 32 px, at most down to 1"),
        ({"l1_weight": -1.0}, "l1_weight -1, .*expected none below 0"),
        ({"l1_weight": 0.0, "adversarial_weight": 0.0, "identity_weight": 0.0}, "a weight above 0"),
        ({"adversarial": "wasserstein"}, "adversarial: found"),
    ],
)
def test_what_cannot_be_trained_with_is_refused(trainer_of: Build, keys: dict[str, Any], said: str) -> None:
    with pytest.raises(PalsykitError, match=said):
        trainer_of(**keys)


def test_an_identity_loss_needs_a_network_that_gives_gradients(trainer_of: Build, networks: Networks) -> None:
    networks["graph"].module.differentiable = False  # type: ignore[assignment]
    with pytest.raises(PalsykitError, match=r"'graph' gives no gradient .*or set identity_weight: 0"):
        trainer_of(recognition="graph")
    trainer_of(recognition="graph", identity_weight=0.0)


def test_a_diffusion_model_is_refused_with_the_next_step(trainer_of: Build, networks: Networks) -> None:
    diffusion: ConditionalDiffusion = model(networks)
    with pytest.raises(ValueError, match=r"found ConditionalDiffusion; set synthesiser: \{use: adversarial\}"):
        trainer_of().groups(diffusion)
