"""A model goes on from a file, whole or with modules that begin afresh."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from palsykit.diffusion.model import ConditionalDiffusion
from palsykit.errors import PalsykitError
from palsykit.files.weights import save
from palsykit.recipe import Recipe
from palsykit.run.folder import RunFolder
from palsykit.run.model_folder import start_from
from palsykit.run.parts import Parts
from palsykit.run.tracking import Trackers
from palsykit.run.train import fit

State = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def file(tiny: Callable[..., Recipe], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, State]:
    """The miniature's weights, all of them 0.25, and the same."""
    path = tmp_path_factory.mktemp("weights") / "base.safetensors"
    state = {
        name: torch.full_like(value, 0.25) if value.is_floating_point() else value
        for name, value in Parts(tiny()).model().state_dict().items()
    }
    save(state, path)
    return path, state


def fresh(tiny: Callable[..., Recipe], *changes: str) -> tuple[ConditionalDiffusion, State]:
    model = Parts(tiny(*changes)).model()
    return model, {name: value.clone() for name, value in model.state_dict().items()}


def loaded(model: ConditionalDiffusion, before: State, state: State) -> dict[str, str]:
    """Every key -> "file" or "own"."""
    found = {}
    for name, value in model.state_dict().items():
        of_file = name in state and torch.equal(value, state[name])
        found[name] = "file" if of_file else "own"
        assert of_file or torch.equal(value, before[name]), name
    return found


def test_everything_but_what_is_named(tiny: Callable[..., Recipe], file: tuple[Path, State]) -> None:
    model, before = fresh(tiny)
    start_from(model, file[0], ["fusion", "encoders.landmark"])
    for name, source in loaded(model, before, file[1]).items():
        begins_afresh = name.startswith(("fusion.", "encoders.landmark."))
        assert source == ("own" if begins_afresh else "file"), name


def test_nothing_named_loads_everything(tiny: Callable[..., Recipe], file: tuple[Path, State]) -> None:
    model, before = fresh(tiny)
    start_from(model, file[0])
    assert set(loaded(model, before, file[1]).values()) == {"file"}


def test_a_model_with_a_condition_less_and_another_fusion(
    tiny: Callable[..., Recipe], file: tuple[Path, State]
) -> None:
    ring = "fusion.ring={identity: expression, expression: identity}"
    changes = ("conditions.landmark=null", ring)
    model, before = fresh(tiny, *changes)
    start_from(model, file[0], ["fusion", "encoders.landmark", "null_tokens.landmark"])
    assert not any("landmark" in name for name in before)
    assert {n for n, source in loaded(model, before, file[1]).items() if source == "own"} == {
        n for n in before if n.startswith("fusion.")
    }


def test_a_recipe_says_it(tiny: Callable[..., Recipe], file: tuple[Path, State]) -> None:
    settings = tiny(f"train.start={file[0]}", "train.start_without=[fusion]").settings
    assert settings.train.start_without == ("fusion",)
    assert tiny().settings.train.start_without == ()
    assert tiny("train.start_without=[fusion]").hash != tiny().hash == tiny("train.start_without=[]").hash


def test_what_does_not_fit_is_refused_and_named(tiny: Callable[..., Recipe], file: tuple[Path, State]) -> None:
    model, before = fresh(tiny, "denoiser.channels=[8, 24]")
    with pytest.raises(PalsykitError, match=r"ConditionalDiffusion, fusion left out: of another shape: denoiser"):
        start_from(model, file[0], ["fusion"])
    model, _ = fresh(tiny)
    with pytest.raises(PalsykitError, match=r"has a module 'fusoin'; expected one of denoiser, encoders, fusion"):
        start_from(model, file[0], ["fusoin"])
    with pytest.raises(PalsykitError, match="no such file"):
        start_from(model, file[0].with_name("none.safetensors"), ["fusion"])
    assert before.keys() == model.state_dict().keys()


def test_a_fit_starts_from_a_network_s_file(tiny: Callable[..., Recipe], tmp_path: Path) -> None:
    state = {
        name: torch.zeros_like(value) for name, value in Parts(tiny()).networks["points"].module.state_dict().items()
    }
    file = tmp_path / "points.safetensors"
    save(state, file)
    none = "fits.0.steps=0", "fits.1.steps=0", "fits.2.steps=0"
    recipe = tiny(f"fits.2.start={file}", *none)
    assert recipe.hash != tiny(*none).hash == tiny("fits.2.start=null", *none).hash
    parts = Parts(recipe)
    run = RunFolder(tmp_path / "run")
    fit(run, parts, {}, Trackers(run))
    assert not any(value.any() for value in parts.networks["points"].module.state_dict().values())
    assert any(value.any() for value in parts.networks["expression"].module.state_dict().values())
    run = RunFolder(tmp_path / "other")
    with pytest.raises(PalsykitError, match=r"points.safetensors: not the weights of this"):
        fit(run, Parts(tiny(f"fits.0.start={file}", *none)), {}, Trackers(run))
