"""Every declared-trainable part of CFCPalsy moves, fits come in order, and what was fitted stays as it is."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from palsykit.faces.pairing import pair
from palsykit.files.weights import load
from palsykit.networks import SharedNetwork
from palsykit.recipe import Recipe
from palsykit.recipe.schema import Optimisation
from palsykit.run import run_recipe, runner, train
from palsykit.run.folder import RunFolder
from palsykit.run.parts import Parts
from palsykit.training import loop
from palsykit.training.batches import PairedFaces

LR = 1e-3
UNMOVED = tuple(f"fusion.attention.{name}.key.bias" for name in ("identity", "expression", "landmark"))
"""A constant added to every key adds one to all of a query's scores, which the softmax takes out again: the gradient is
rounding error. The maps are as the method has them, so the bias stays."""


def trained(parts: Parts, folder: Path, **settings: Any) -> dict[str, torch.Tensor]:
    """How far each trainable parameter is moved at most, in units of the learning rate.

    Without weight decay, which would move a weight that no loss reaches.
    """
    model, data = parts.model(), parts.data()
    trainer = parts.trainer(parts.settings.trainer, data)
    faces = PairedFaces(data.dataset, pair(data.splits["train"], 0))
    keys = {"steps": 20, "batch_size": 4, "lr": LR, "weight_decay": 0.0, "precision": "fp32"} | settings
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    loop.train(loop.Job("train", model, trainer, faces, Optimisation(**keys), 0, folder, lambda line: None))
    return {name: (value.detach() - before[name]).abs().max() / LR for name, value in model.named_parameters()}


def test_every_trainable_parameter_moves_within_20_steps(tiny: Callable[..., Recipe], tmp_path: Path) -> None:
    # two channels a group at least: with one, group norm takes out the bias of the convolution before it
    parts = Parts(tiny("denoiser.channels=[16, 24]"))
    moved = trained(parts, tmp_path)
    families = {"encoders.identity", "encoders.expression", "encoders.landmark", "fusion", "denoiser.unet"}
    families |= {f"null_tokens.{name}" for name in ("identity", "expression", "landmark")} | {"null_pooled.identity"}
    assert {family for family in families if not any(name.startswith(family) for name in moved)} == set()
    assert {name: float(far) for name, far in moved.items() if far < 1 and name not in UNMOVED} == {}
    assert set(UNMOVED) <= set(moved)


def test_a_parameter_that_no_loss_reaches_is_seen(tiny: Callable[..., Recipe], tmp_path: Path) -> None:
    """Null tokens of a condition that was not dropped in the only step stay; what was in use moves."""
    parts = Parts(tiny("conditions.identity.drop=0.01"))
    moved = trained(parts, tmp_path, steps=1, batch_size=1)
    assert moved["null_tokens.identity"] == 0
    assert moved["fusion.output.weight"] > 0.5


def fingerprint(network: SharedNetwork) -> str:
    """Of the weights as they are now, not as they were when first asked for."""
    digest = hashlib.sha256()
    for key, value in network.module.state_dict().items():
        digest.update(key.encode() + value.cpu().numpy().tobytes())
    return digest.hexdigest()


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What each training of a run saw at its start: its name, rows, and which networks were trainable."""
    seen: list[dict[str, Any]] = []
    running: list[Parts] = []
    build = Parts.__init__

    def remember(self: Parts, *arguments: Any) -> None:
        build(self, *arguments)
        running.append(self)

    def watched(job: loop.Job) -> torch.nn.Module:
        networks = running[-1].networks
        seen.append(
            {
                "name": job.name,
                "rows": len(job.faces),
                "trainable": [n for n, net in networks.items() if any(p.requires_grad for p in net.parameters())],
                "before": {name: fingerprint(network) for name, network in networks.items()},
            }
        )
        result = loop.train(job)
        seen[-1]["after"] = {name: fingerprint(network) for name, network in networks.items()}
        return result

    monkeypatch.setattr(Parts, "__init__", remember)
    monkeypatch.setattr(train, "train", watched)
    monkeypatch.setattr(runner, "_show", lambda run, parts: None)
    return seen


def test_fits_come_in_order_and_leave_the_others_alone(
    tiny: Callable[..., Recipe], tmp_path: Path, fits: list[dict[str, Any]]
) -> None:
    run_recipe(tiny("train.steps=2"), tmp_path / "run")
    order = ["recognition", "expression", "points"]
    assert [fit["name"] for fit in fits] == [*(f"fit-{name}" for name in order), "train"]
    assert [fit["trainable"] for fit in fits] == [[name] for name in order] + [[]]
    assert [fit["rows"] for fit in fits] == [12, 9, 12, 12], "the expression network has data of its own"
    for fit in fits:
        moved = {name for name in order if fit["before"][name] != fit["after"][name]}
        assert moved <= set(fit["trainable"]), fit["name"]
    assert fits[0]["after"]["recognition"] != fits[0]["before"]["recognition"]


def test_a_fitted_network_is_its_average_in_training_and_in_the_folder(
    tiny: Callable[..., Recipe], tmp_path: Path, fits: list[dict[str, Any]]
) -> None:
    """What the model was trained with is what is saved, and what a later process reads."""
    run_recipe(tiny("train.steps=1"), tmp_path / "run")
    again = Parts(tiny("train.steps=1"))
    for name, network in again.networks.items():
        state, _ = load(tmp_path / "run/model/networks" / f"{name}.safetensors")
        network.module.load_state_dict(state)
        assert fingerprint(network) == fits[-1]["before"][name] == fits[-1]["after"][name], name


def test_a_network_with_weights_is_not_fitted(
    finished: RunFolder, tiny: Callable[..., Recipe], tmp_path: Path, fits: list[dict[str, Any]]
) -> None:
    recipe = tiny(f"networks.points.weights={finished.networks / 'points.safetensors'}", "train.steps=1")
    run_recipe(recipe, tmp_path / "run")
    assert [fit["name"] for fit in fits] == ["fit-recognition", "fit-expression", "train"]
    assert "points" in {fit.network for fit in recipe.settings.fits}, "though the recipe has a fit for it"
    assert fingerprint(Parts(recipe).networks["points"]) == fits[-1]["before"]["points"]
