"""What is measured on a model while it trains: losses at fixed noise, and how much each condition matters to it.

Nothing here changes the training: the caller hands in copies, random numbers are drawn from named streams, and the
frozen networks remember what they see here in caches of their own.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from palsykit.diffusion.model import ConditionalDiffusion, EncodedBatch
from palsykit.diffusion.objective import denoising_pass, draw_noise
from palsykit.interfaces import Encoded, FaceBatch, Trainer
from palsykit.networks import SharedNetwork
from palsykit.seeds import by_row, derive


@contextmanager
def apart(networks: Iterable[SharedNetwork], trainer: Trainer, seed: int) -> Iterator[None]:
    """Within this context, torch's global numbers, the networks' caches and the trainer's mode are others."""
    modules = list(trainer.modules()) if isinstance(trainer, nn.Module) else []
    modes = [module.training for module in modules]
    with ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng())
        for network in networks:
            stack.enter_context(network.apart())
        torch.manual_seed(derive("watch", seed))
        try:
            for module in modules:
                module.training = False
            yield
        finally:
            for module, mode in zip(modules, modes, strict=True):
                module.training = mode


def losses_at_fixed_noise(
    model: nn.Module, trainer: Trainer, faces: FaceBatch, phases: Iterable[str], seed: int, size: int
) -> dict[str, float]:
    """The trainer's loss terms, means over all rows; the same noise and time steps for a row in every call.

    Args:
        model: in eval mode.
        trainer: as in training.
        faces: B rows with targets.
        phases: the trainer's groups.
        seed: of the noise.
        size: rows per batch.
    """
    totals: dict[str, float] = {}
    for start in range(0, len(faces), size):
        stop = min(start + size, len(faces))
        for phase in phases:
            draws = by_row(derive("watch", seed), 0, range(start, stop))
            with torch.enable_grad():  # a loss may need the gradient in a picture
                terms = trainer.losses(model, faces.rows(start, stop), draws, phase)
            for name, term in terms.items():
                totals[name] = totals.get(name, 0.0) + float(term.detach()) * (stop - start) / len(faces)
    return totals


def shares_of_conditions(model: nn.Module, faces: FaceBatch, seed: int) -> dict[str, float]:
    """How much the denoising loss depends on each condition: shares that add up to 1, by name.

    A condition's share is the norm of the gradient of the loss in its tokens and its pooled vector, divided by the sum
    of these norms. 0 means that the model's output does not depend on it. Empty for a model without conditions.
    """
    if not isinstance(model, ConditionalDiffusion) or faces.target is None:
        return {}
    with torch.no_grad():
        encoded = model.encode(faces)
        x_0 = model.codec.encode(faces.target.image)
    inputs = {name: _leaves(condition) for name, condition in encoded.conditions.items()}
    noise, t = draw_noise(model, x_0, by_row(derive("watch shares", seed), 0, range(len(faces))))
    with torch.enable_grad():
        conditioning = model.fuse(EncodedBatch(inputs, encoded.maps, encoded.guess))
        loss = denoising_pass(model, x_0, conditioning, noise, t).loss
        flat = [tensor for condition in inputs.values() for tensor in _tensors(condition)]
        if not loss.requires_grad:  # no condition reaches the denoiser
            return dict.fromkeys(inputs, 0.0)
        gradients = dict(zip(map(id, flat), torch.autograd.grad(loss, flat, allow_unused=True), strict=True))
    return _shares({name: [gradients[id(t)] for t in _tensors(condition)] for name, condition in inputs.items()})


def _leaves(condition: Encoded) -> Encoded:
    tokens, pooled = condition.tokens, condition.pooled
    return Encoded(
        tokens.detach().requires_grad_(), None if pooled is None else pooled.detach().clone().requires_grad_()
    )


def _tensors(condition: Encoded) -> list[Tensor]:
    return [condition.tokens] if condition.pooled is None else [condition.tokens, condition.pooled]


def _shares(gradients: Mapping[str, list[Any]]) -> dict[str, float]:
    squares = {
        name: sum(float(gradient.double().square().sum()) for gradient in found if gradient is not None)
        for name, found in gradients.items()
    }
    norms = {name: square**0.5 for name, square in squares.items()}
    total = sum(norms.values())
    return {name: norm / total if total > 0 else 0.0 for name, norm in norms.items()}
