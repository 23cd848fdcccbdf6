"""The model folder: denoiser and scheduler in diffusers' layout, all other weights in safetensors files."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import nn

from palsykit.diffusion.model import ConditionalDiffusion
from palsykit.errors import PalsykitError
from palsykit.files import weights
from palsykit.networks import SharedNetwork

SYNTHESISER = "synthesiser.safetensors"
"""All weights of a model that is not a diffusion model."""
CONDITIONING, ADAPTER = "conditioning.safetensors", "adapter"
"""The weights of a diffusion model that are in no other file; the folder of what a denoiser's adapter has learnt."""


def load_into(module: nn.Module, path: Path) -> None:
    """Load a safetensors file; every key and shape must match.

    Raises:
        PalsykitError: the file cannot be read or does not match; the message says what differs.
    """
    try:
        weights.load_exact(module, path)
    except (OSError, ValueError) as error:
        raise PalsykitError(str(error)) from error


def start_from(module: nn.Module, path: Path, without: Sequence[str] = ()) -> None:
    """Load the weights that training starts from, except for the modules named in ``without``.

    Raises:
        PalsykitError: the file does not match, or neither file nor model has a module named in ``without``.
    """
    if not without:
        load_into(module, path)
        return
    try:
        state, _ = weights.load(path)
    except (OSError, ValueError) as error:
        raise PalsykitError(str(error)) from error
    own = module.state_dict()
    for name in without:
        if not any(_is_in(name, key) for key in (*own, *state)):
            modules = sorted({key.split(".")[0] for key in (*own, *state)})
            raise PalsykitError(
                f"train.start_without: neither the model nor {path} has a module {name!r}; expected one of "
                f"{', '.join(modules)}, or a module inside one"
            )
    unchanged = {key: value for key, value in own.items() if any(_is_in(name, key) for name in without)}
    loaded = {key: value for key, value in state.items() if not any(_is_in(name, key) for name in without)}
    if problems := weights.misfits(own, unchanged | loaded):
        raise PalsykitError(
            f"{path}: not the weights of this {type(module).__name__}, {', '.join(without)} left out: "
            f"{'; '.join(problems)}. Use the settings that the weights were trained with, or name the modules that "
            "start with new weights in train.start_without"
        )
    module.load_state_dict(unchanged | loaded)


def _is_in(module: str, key: str) -> bool:
    return key == module or key.startswith(f"{module}.")


def save_network(network: SharedNetwork, folder: Path) -> None:
    """Save the weights of a fitted network."""
    weights.save(network.module.state_dict(), folder / f"{network.name}.safetensors")


def save_model(model: nn.Module, folder: Path) -> None:
    """Save the main model: a diffusion model (denoiser, scheduler and the rest) or a synthesiser.

    The header of ``CONDITIONING`` has the SHA-256 of frozen weights that the model needs and this folder lacks, as one
    entry, because safetensors gives several a random order.
    """
    state = model.state_dict()
    if not isinstance(model, ConditionalDiffusion):
        weights.save(state, folder / SYNTHESISER)
        return
    if (part := _pretrained_part(model)) is not None:
        model.denoiser.get_submodule(part).save_pretrained(folder / part, safe_serialization=True)  # type: ignore[operator]
        state = {key: value for key, value in state.items() if not _is_in(f"denoiser.{part}", key)}
    if has_adapter(model):
        model.denoiser.save_adapter(folder / ADAPTER)  # type: ignore[operator]
        for key in model.denoiser.load_adapter(folder / ADAPTER):  # type: ignore[operator]
            del state[f"denoiser.{key}"]
    model.scheduler.save_pretrained(folder / "scheduler")
    frozen = {"frozen": json.dumps(needed)} if (needed := _frozen(model)) else {}
    weights.save(state, folder / CONDITIONING, frozen)  # last: if it exists, the other files do, too


def load_model(model: nn.Module, folder: Path) -> None:
    """Load the files of ``save_model`` into a model built from the same recipe.

    Raises:
        PalsykitError: a file is missing, damaged or belongs to another model.
    """
    try:
        if not isinstance(model, ConditionalDiffusion):
            weights.load_exact(model, folder / SYNTHESISER)
            return
        state, header = weights.load(folder / CONDITIONING)
        _check_frozen(json.loads(header.get("frozen", "{}")), _frozen(model))
        if (part := _pretrained_part(model)) is not None:
            saved, _ = weights.load(folder / part / "diffusion_pytorch_model.safetensors")
            state |= {f"denoiser.{part}.{key}": value for key, value in saved.items()}
        if has_adapter(model):
            saved = model.denoiser.load_adapter(folder / ADAPTER)  # type: ignore[operator]
            state |= {f"denoiser.{key}": value for key, value in saved.items()}
        model.load_state_dict(state)
    except (OSError, ValueError, RuntimeError) as error:
        raise PalsykitError(f"{folder}: not this recipe's model: {error}; run the recipe again to train it") from error


def _pretrained_part(model: ConditionalDiffusion) -> str | None:
    """The denoiser's attribute that is a diffusers model and is saved in a folder of this name; None if it has none."""
    part: str | None = getattr(model.denoiser, "pretrained_part", None)
    return part


def has_adapter(model: nn.Module) -> bool:
    """Whether the denoiser trains an adapter of frozen weights, which this folder does not have."""
    return hasattr(getattr(model, "denoiser", None), "save_adapter") and _pretrained_part(model) is None  # type: ignore[arg-type]


def _frozen(model: ConditionalDiffusion) -> dict[str, str]:
    """The SHA-256, by part, of the frozen weights that are not in the model folder."""
    found = {"codec": model.codec.fingerprint}
    if has_adapter(model):
        found["denoiser"] = str(model.denoiser.fingerprint)
    return {part: digest for part, digest in found.items() if digest}


def _check_frozen(trained: Mapping[str, str], found: Mapping[str, str]) -> None:
    """Refuse other frozen weights than those of the training.

    Raises:
        ValueError: a part's weights are others.
    """
    for part in ("codec", "denoiser"):
        if trained.get(part) != found.get(part):
            raise ValueError(
                f"the {part}'s frozen weights have SHA-256 {found.get(part, 'none')}..., in training "
                f"{trained.get(part, 'none')}...; put back the files that {part}.weights names"
            )
