"""The model folder: unet/ and scheduler/ as diffusers writes them, everything else safetensors."""

from pathlib import Path
from typing import Any

from torch import nn

from palsykit import weights
from palsykit.diffusion.model import ConditionalDiffusion
from palsykit.errors import PalsykitError
from palsykit.networks import SharedNetwork

UNET = "denoiser.unet."
"""Keys of a denoiser that wraps a diffusers model: they go to unet/, where diffusers finds them."""


def load_into(module: nn.Module, path: Path) -> None:
    """Loads a safetensors file; every key and shape must fit.

    Raises:
        PalsykitError: naming the file and what does not fit.
    """
    try:
        weights.load_exact(module, path)
    except (OSError, ValueError) as error:
        raise PalsykitError(str(error)) from error


def save_network(network: SharedNetwork, folder: Path) -> None:
    """A fitted network's weights."""
    weights.save(network.module.state_dict(), folder / f"{network.name}.safetensors")


def save_model(model: ConditionalDiffusion, folder: Path) -> None:
    """The main model, its scheduler and its denoiser, in their files."""
    state = model.state_dict()
    unet: Any = getattr(model.denoiser, "unet", None)
    if hasattr(unet, "save_pretrained"):
        unet.save_pretrained(folder / "unet", safe_serialization=True)
        state = {key: value for key, value in state.items() if not key.startswith(UNET)}
    model.scheduler.save_pretrained(folder / "scheduler")
    weights.save(state, folder / "conditioning.safetensors")  # last: where it is, the rest is


def load_model(model: ConditionalDiffusion, folder: Path) -> None:
    """Loads what ``save_model`` wrote into a model built from the same recipe.

    Raises:
        PalsykitError: where a file is missing, damaged or another model's.
    """
    try:
        state, _ = weights.load(folder / "conditioning.safetensors")
        if hasattr(getattr(model.denoiser, "unet", None), "save_pretrained"):
            unet, _ = weights.load(folder / "unet" / "diffusion_pytorch_model.safetensors")
            state |= {UNET + key: value for key, value in unet.items()}
        model.load_state_dict(state)
    except (OSError, ValueError, RuntimeError) as error:
        raise PalsykitError(f"{folder}: no model of this recipe: {error}; run the recipe again to train it") from error
