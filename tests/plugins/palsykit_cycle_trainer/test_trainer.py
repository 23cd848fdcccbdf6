import copy
from contextlib import nullcontext

import pytest
import torch

import palsykit_cycle_trainer.trainer
from palsykit.errors import PalsykitError
from palsykit.faces.pairing import pair
from palsykit.faces.views import batch
from palsykit.interfaces import TrainingData
from palsykit.networks import SharedNetwork
from palsykit.seeds import generator
from palsykit_cycle_trainer.trainer import CycleTrainer
from palsykit_trainers.diffusion import DiffusionTrainer


@pytest.fixture
def rows(faces):
    return batch(faces, pair(faces.records, 0)[:6])


def data(faces):
    return TrainingData(faces.image_size, faces.records, ())


def cycle(faces, networks, **keys):
    return CycleTrainer(data(faces), recognition=networks["recognition"], points=networks["points"], **keys)


def steps(model, trainer, rows, count=3):
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for step in range(count):
        optimiser.zero_grad()
        torch.stack(list(trainer.losses(model, rows, generator("step", step), "model").values())).sum().backward()
        optimiser.step()
    return model.state_dict()


def test_with_zero_weights_it_is_plain_diffusion_to_the_last_bit(model_of, faces, rows, networks):
    zero = cycle(faces, networks, cycle_weight=0.0, identity_weight=0.0, landmark_weight=0.0)
    one = steps(model_of(drop=0.3, **networks), zero, rows)
    other = steps(model_of(drop=0.3, **networks), DiffusionTrainer(data(faces)), rows)
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_the_first_pass_is_the_same_whatever_the_second_does(model_of, faces, rows, networks):
    plain = DiffusionTrainer(data(faces)).losses(model_of(drop=0.3, **networks), rows, generator("a"), "model")
    full = cycle(faces, networks).losses(model_of(drop=0.3, **networks), rows, generator("a"), "model")
    assert torch.equal(plain["noise"], full["noise"])
    assert set(full) == {"noise", "identity", "landmark", "cycle_noise", "cycle_identity", "cycle_landmark"}


def test_sigma_weighs_the_whole_second_pass(model_of, faces, rows, networks):
    terms = [
        cycle(faces, networks, cycle_weight=w).losses(model_of(**networks), rows, generator("a"), "m")
        for w in (0.3, 0.6)
    ]
    for name in ("cycle_noise", "cycle_identity", "cycle_landmark"):
        torch.testing.assert_close(2 * terms[0][name], terms[1][name])
    torch.testing.assert_close(terms[0]["landmark"], terms[1]["landmark"])


def test_fresh_and_same_noise_differ_only_in_the_second_pass(model_of, faces, rows, networks):
    fresh, same = (
        cycle(faces, networks, second_noise=kind).losses(model_of(**networks), rows, generator("a"), "m")
        for kind in ("fresh", "same")
    )
    assert torch.equal(fresh["noise"], same["noise"])
    assert not torch.equal(fresh["cycle_noise"], same["cycle_noise"])


def test_condition_gradients_can_be_turned_off(model_of, faces, rows, networks):
    gradients = []
    for on in (True, False):
        model = model_of(**networks)
        trainer = cycle(faces, networks, identity_weight=0.0, landmark_weight=0.0, condition_gradients=on)
        trainer.losses(model, rows, generator("a"), "m")["cycle_noise"].backward()
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]))
    assert not torch.allclose(*gradients)


def test_the_second_pass_reads_the_driver_from_x0_hat(model_of, faces, rows, networks):
    model, seen = model_of(**networks), []
    extract = model.encoders["landmark"].extract
    model.encoders["landmark"].extract = lambda view: seen.append(view.image) or extract(view)
    cycle(faces, networks).losses(model, rows, generator("a"), "m")
    assert torch.equal(seen[0][0], rows.driver.image[0])
    assert seen[-1].requires_grad  # x0_hat, with its graph
    assert not torch.allclose(seen[-1], rows.driver.image)
    assert seen[-1].abs().max() <= 1


def test_conditions_and_losses_share_what_a_network_reads_in_a_picture(model_of, faces, rows, networks, monkeypatch):
    read, gradients = [], []
    networks["points"].module.register_forward_hook(lambda _, inputs, __: read.append(inputs[0].requires_grad))
    for share in (palsykit_cycle_trainer.trainer.computed_once, nullcontext):
        monkeypatch.setattr(palsykit_cycle_trainer.trainer, "computed_once", share)
        model = model_of(drop=0.2, **networks)
        terms = cycle(faces, networks).losses(model, rows, generator("a"), "model")
        torch.stack([*terms.values()]).sum().backward()
        gradients.append({name: p.grad for name, p in model.named_parameters()})
        # With a graph: both estimates for their losses; alone, the first one also as the driver of the second pass.
        assert sum(read) == (3 if share is nullcontext else 2)
        read.clear()
    for name, shared in gradients[0].items():
        torch.testing.assert_close(shared, gradients[1][name], msg=name)


def test_the_references_are_in_full_precision_whatever_the_step_is(model_of, faces, rows, networks):
    full = cycle(faces, networks)._references(rows)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert all(torch.equal(full[key], value) for key, value in cycle(faces, networks)._references(rows).items())


def test_the_identity_reference_moves_with_time(model_of, faces, rows, networks):
    trainer, model = cycle(faces, networks), model_of(**networks)
    references = trainer._references(rows)
    late, early = (torch.full((6,), t) for t in (1000, 0))
    perfect = type("Pass", (), {"x0_hat": rows.target.image})
    perfect.t = early
    assert float(trainer._auxiliary(model, perfect, references)["identity"]) == pytest.approx(0, abs=1e-6)
    perfect.t = late
    expected = 0.05 * (1 - (references["truth"] * references["person"]).sum(-1)).mean()
    assert float(trainer._auxiliary(model, perfect, references)["identity"]) == pytest.approx(float(expected), rel=1e-4)
    assert float(trainer._auxiliary(model, perfect, references)["landmark"]) == 0


def test_every_trainable_part_moves_within_20_steps(model_of, faces, rows, networks):
    model = model_of(drop=0.2, **networks)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    frozen = {n: {k: v.clone() for k, v in net.module.state_dict().items()} for n, net in networks.items()}
    steps(model, cycle(faces, networks), rows, 20)
    assert [name for name, p in model.named_parameters() if torch.equal(before[name], p)] == []
    for name, net in networks.items():
        assert all(torch.equal(frozen[name][key], value) for key, value in net.module.state_dict().items())


@pytest.fixture
def blind(networks):
    """A recognition network that says that it gives no gradient, as an ONNX graph does."""
    network = SharedNetwork("arcface", copy.deepcopy(networks["recognition"].module))
    network.module.differentiable = False
    return network


@pytest.mark.parametrize(("key", "weight"), [("recognition", "identity_weight"), ("points", "landmark_weight")])
def test_a_network_without_gradient_is_refused_when_built(faces, networks, blind, key, weight):
    given = {**networks, key: blind}
    with pytest.raises(PalsykitError, match=rf"^{key}: network 'arcface' gives no gradient .* set {weight}: 0"):
        cycle(faces, given)
    cycle(faces, given, **{weight: 0.0})


def test_a_driven_condition_without_gradient_is_refused_before_the_first_step(model_of, faces, networks, blind):
    model = model_of(recognition=networks["recognition"], points=blind)
    with pytest.raises(PalsykitError, match=r"^conditions.landmark: network 'arcface' .* condition_gradients: false"):
        cycle(faces, networks).groups(model)
    for without in ({"condition_gradients": False}, {"cycle_weight": 0.0}):
        assert cycle(faces, networks, **without).groups(model)["model"]
    # who it is stays the photograph's: that condition is not encoded again
    assert cycle(faces, networks).groups(model_of(recognition=blind, points=networks["points"]))["model"]
