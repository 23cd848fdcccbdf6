"""What makes a training faster or smaller without changing what it learns: loader, recomputation, compilation."""

import signal
import sys
from typing import Any

import torch
from diffusers import ModelMixin
from torch import nn
from torch.utils.data import DataLoader

from palsykit import parallel
from palsykit.errors import PalsykitError
from palsykit.interfaces import FaceBatch, Trainer
from palsykit.networks import SharedNetwork
from palsykit.recipe.schema import Optimisation
from palsykit.stopping import SIGNALS
from palsykit.training.batches import PairedFaces, StepSampler
from palsykit.training.kernels import recomputed

AHEAD = 2
"""Batches that each worker has ready."""

MOST = 8
"""Workers beside a GPU, unless the recipe says how many."""


def loader(
    faces: PairedFaces, sampler: StepSampler, settings: Optimisation, device: torch.device
) -> DataLoader[FaceBatch]:
    """Batches in the sampler's order. Rows depend on nothing but their number, so workers change no bit."""
    more: dict[str, Any] = {}
    if count := workers(settings.workers, device):
        if faces.pairs:  # a data set that makes its pictures at the first reading makes them here, not in each worker
            faces.dataset.image(faces.pairs[0].record)
        more = {"num_workers": count, "prefetch_factor": AHEAD, "worker_init_fn": _leave_signals}
        if sys.platform == "linux":  # a copy of this process: what it has read is not sent to the workers
            more["multiprocessing_context"] = "fork"
    pinned = device.type == "cuda"
    return DataLoader(faces, sampler=sampler, batch_size=None, pin_memory=pinned, **more)


def workers(setting: int | None, device: torch.device) -> int:
    """How many processes read ahead; None: those that are beside a GPU's own process, and none on a CPU."""
    if setting is not None:
        return setting
    return min(MOST, parallel.workers() - 1) if device.type == "cuda" else 0


def _leave_signals(_: int) -> None:
    """The training process decides when to stop; its workers end with it."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def recompute(job: str, model: nn.Module, compiled: bool = False) -> None:
    """Compute the denoiser's activations again in the backward pass (Chen et al., arXiv:1604.06174).

    ``compiled``: by diffusers' own function, which the compiler knows.

    Raises:
        PalsykitError: the denoiser holds no model of diffusers that can.
    """
    denoiser: Any = getattr(model, "denoiser", model)
    able = [m for m in denoiser.modules() if getattr(m, "_supports_gradient_checkpointing", False)]
    for module in able:
        module.enable_gradient_checkpointing(None if compiled else recomputed)
    if not able:
        raise PalsykitError(
            f"{job}: gradient_checkpointing: {type(denoiser).__name__} cannot compute its activations again; expected "
            "a denoiser that holds a model of diffusers with enable_gradient_checkpointing; remove the key, and for "
            "less memory lower batch_size and raise accumulate"
        )


def compile_model(model: nn.Module, trainer: Trainer) -> None:
    """Compile the denoiser and the networks that losses differentiate; names and weights stay.

    Of a denoiser that holds a model of diffusers only this model is compiled: the denoiser may choose an attention
    backend by time. The first steps take minutes longer.
    """
    target: Any = getattr(model, "denoiser", model)
    inner: list[Any] = [part for part in target.children() if isinstance(part, ModelMixin)]
    for module in inner or [target]:
        module.compile()
    readers = [trainer, *getattr(model, "encoders", {}).values()]
    readers += [overlay.map for overlay in getattr(model, "maps", {}).values()]
    for network in {id(part): part for reader in readers for part in vars(reader).values()}.values():
        if isinstance(network, SharedNetwork):
            network.compile()
