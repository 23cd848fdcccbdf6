"""The model folder: unet/ and scheduler/ in diffusers' layout, all other weights in safetensors files."""

from collections.abc import Sequence
from pathlib import Path

from torch import nn

from palsykit.diffusion.model import ConditionalDiffusion
from palsykit.errors import PalsykitError
from palsykit.files import weights
from palsykit.networks import SharedNetwork

SYNTHESISER = "synthesiser.safetensors"
"""All weights of a model that is not a diffusion model."""


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
    """Save the main model: a diffusion model (denoiser, scheduler and the rest) or a synthesiser."""
    state = model.state_dict()
    if not isinstance(model, ConditionalDiffusion):
        weights.save(state, folder / SYNTHESISER)
        return
    if (prefix := _pretrained_prefix(model)) is not None:
        model.get_submodule(prefix).save_pretrained(folder / "unet", safe_serialization=True)  # type: ignore[operator]
        state = {key: value for key, value in state.items() if not _is_in(prefix, key)}
    model.scheduler.save_pretrained(folder / "scheduler")
    weights.save(state, folder / "conditioning.safetensors")  # last, so that if it exists the other files do, too


def load_model(model: nn.Module, folder: Path) -> None:
    """Load the files of ``save_model`` into a model built from the same recipe.

    Raises:
        PalsykitError: a file is missing, damaged or belongs to another model.
    """
    try:
        if not isinstance(model, ConditionalDiffusion):
            weights.load_exact(model, folder / SYNTHESISER)
            return
        state, _ = weights.load(folder / "conditioning.safetensors")
        if (prefix := _pretrained_prefix(model)) is not None:
            part, _ = weights.load(folder / "unet" / "diffusion_pytorch_model.safetensors")
            state |= {f"{prefix}.{key}": value for key, value in part.items()}
        model.load_state_dict(state)
    except (OSError, ValueError, RuntimeError) as error:
        raise PalsykitError(f"{folder}: not this recipe's model: {error}; run the recipe again to train it") from error


def _pretrained_prefix(model: ConditionalDiffusion) -> str | None:
    """Name of the submodule that is a diffusers model and is saved in unet/; None if the denoiser has none."""
    part = getattr(model.denoiser, "pretrained_part", None)
    return None if part is None else f"denoiser.{part}"
