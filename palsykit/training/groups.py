"""Optimisers: one per parameter group; every trainable parameter is in exactly one group."""

from collections.abc import Iterable, Mapping
from math import cos, pi
from typing import Any

import torch
from torch import nn

from palsykit.errors import PalsykitError
from palsykit.interfaces import Trainer
from palsykit.recipe.schema import Optimisation

Groups = dict[str, dict[str, nn.Parameter]]


def trainable(model: nn.Module, trainer: Trainer) -> dict[str, nn.Parameter]:
    """Parameters with ``requires_grad``, by name: "model.*" and, if the trainer is a module, "trainer.*"."""
    parts: dict[str, Any] = {"model": model, "trainer": trainer}
    return {
        f"{part}.{name}": parameter
        for part, module in parts.items()
        if isinstance(module, nn.Module)
        for name, parameter in module.named_parameters()
        if parameter.requires_grad
    }


def checked_groups(model: nn.Module, trainer: Trainer) -> Groups:
    """The trainer's groups, with the name of each parameter.

    Raises:
        PalsykitError: a trainable parameter is in no group or in two groups, or a group holds another tensor.
    """
    # Call groups() before listing parameters: a trainer may create its own weights there.
    declared: Mapping[str, Iterable[nn.Parameter]] = trainer.groups(model)
    named = trainable(model, trainer)
    names = {id(parameter): name for name, parameter in named.items()}
    groups: Groups = {}
    seen: dict[str, str] = {}
    for group, parameters in declared.items():
        groups[group] = {}
        for parameter in parameters:
            name = names.get(id(parameter))
            if name is None:
                raise _fault(trainer, f"group {group!r} holds a {tuple(parameter.shape)} tensor that is not trainable")
            if name in seen:
                raise _fault(trainer, f"{name} is in group {seen[name]!r} and in group {group!r}")
            seen[name] = group
            groups[group][name] = parameter
    if missing := [name for name in named if name not in seen]:
        raise _fault(trainer, f"in no optimiser group: {', '.join(missing[:8])} ({len(missing)} in all)")
    return groups


def _fault(trainer: Trainer, problem: str) -> PalsykitError:
    return PalsykitError(
        f"{type(trainer).__name__}.groups: {problem}; expected every trainable parameter of model and trainer in "
        "exactly one group; correct groups(), or freeze what is not to be trained"
    )


def optimisers(groups: Groups, settings: Optimisation) -> dict[str, torch.optim.Optimizer]:
    """One AdamW (arXiv:1711.05101) per group. No weight decay for biases, norms and other vectors.

    "adamw8bit" keeps its moments in 8 bits (Dettmers et al., arXiv:2110.02861): 2 bytes a weight for 8. torch's own is
    fused where it can be: it reads and writes each weight once, on a CPU in a quarter of the time, and on a GPU it also
    leaves out a step by itself (training/finite.py).

    Raises:
        PalsykitError: bitsandbytes is missing, or a weight is not on a GPU, where it computes.
    """
    result: dict[str, torch.optim.Optimizer] = {}
    make: Any = _eight_bits(groups) if settings.optimiser == "adamw8bit" else torch.optim.AdamW
    for group, parameters in groups.items():
        matrices = [p for p in parameters.values() if p.ndim > 1]
        vectors = [p for p in parameters.values() if p.ndim <= 1]
        split: list[dict[str, Any]] = [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}]
        fused: dict[str, Any] = {"fused": True} if settings.optimiser == "adamw" and _fuses(parameters.values()) else {}
        result[group] = make(
            [part for part in split if part["params"]], lr=settings.lr, weight_decay=settings.weight_decay, **fused
        )
    return result


def _fuses(parameters: Iterable[nn.Parameter]) -> bool:
    return all(parameter.device.type in ("cpu", "cuda") for parameter in parameters)


def _eight_bits(groups: Groups) -> Any:
    """bitsandbytes' AdamW8bit."""
    try:
        from bitsandbytes.optim import AdamW8bit
    except ImportError as error:
        raise PalsykitError(
            f"optimiser: adamw8bit needs bitsandbytes, which is not installed ({error}); run pip install "
            "'palsykit[eight-bit]', or set optimiser: adamw"
        ) from error
    if found := {p.device.type for named in groups.values() for p in named.values()} - {"cuda"}:
        raise PalsykitError(
            f"optimiser: adamw8bit computes on a GPU with CUDA, and weights are on {', '.join(sorted(found))}; set "
            "optimiser: adamw"
        )
    return AdamW8bit


def rate(step: int, settings: Optimisation) -> float:
    """Learning rate of a step: linear warm-up, then constant, or half a cosine down to zero at the last step."""
    warm = min(1.0, (step + 1) / settings.warmup) if settings.warmup else 1.0
    if settings.decay == "cosine":
        return settings.lr * warm * 0.5 * (1 + cos(pi * min(1.0, step / max(1, settings.steps))))
    return settings.lr * warm
