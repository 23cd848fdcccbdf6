"""Weights that processes share out (FSDP2: Zhao et al., arXiv:2304.11277): each holds a part of every tensor.

accelerate's configuration asks for it and says which layers are gathered one by one. Checkpoints and results hold whole
tensors, so a run may resume with another number of processes, with or without FSDP.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from accelerate import DistributedType
from torch import Tensor, nn

from palsykit.errors import PalsykitError
from palsykit.recipe.schema import Optimisation
from palsykit.training.processes import accelerator


def is_asked() -> bool:
    """Whether accelerate's configuration asks for it; on a CPU accelerate itself only passes the variable on."""
    if accelerator().distributed_type == DistributedType.FSDP:
        return True
    return accelerator().num_processes > 1 and os.environ.get("ACCELERATE_USE_FSDP", "").lower() == "true"


def require_able(job: str, settings: Optimisation, model: nn.Module, average: nn.Module) -> None:
    """Refuse what cannot be shared out; ``average``: the EMA of ``model``.

    Raises:
        PalsykitError: the configuration asks for FSDP 1; or the recipe for fp16, 8-bit moments, compilation or an
            adapter.
    """
    if (version := _plugin().fsdp_version) != 2:
        raise PalsykitError(
            f"{job}: accelerate's configuration has fsdp_version {version}, expected 2; choose FSDP2 in "
            "`accelerate config`, or set fsdp_version: 2 under fsdp_config"
        )
    weights = {id(weight) for weight in model.parameters()}
    asked = {
        "precision: fp16": settings.precision == "fp16",
        "optimiser: adamw8bit": settings.optimiser != "adamw",
        "compile: true": settings.compile,
        "an adapter": any(id(weight) in weights for weight in average.parameters()),
    }
    if unable := [name for name, is_set in asked.items() if is_set]:
        raise PalsykitError(
            f"{job}: found {', '.join(unable)} with weights that processes share out (FSDP), which takes none of "
            "these; change the recipe, or choose distributed_type: MULTI_GPU, where each process holds the whole model"
        )


def share_out(module: nn.Module) -> None:
    """Leave each process a part of every parameter of ``module``, in place; names stay.

    The layers that the configuration names are gathered one by one, the other parameters together.

    Raises:
        PalsykitError: the configuration names a class of layers that the model does not have.
    """
    from accelerate.utils.fsdp_utils import fsdp2_prepare_auto_wrap_policy
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    plugin = _plugin()
    try:
        plugin.set_auto_wrap_policy(module)
        apart = fsdp2_prepare_auto_wrap_policy(plugin, module)
    except ValueError as error:
        where = "accelerate's configuration, fsdp_transformer_layer_cls_to_wrap"
        raise PalsykitError(f"{where}: {error} Correct the name of the class") from error
    mesh = init_device_mesh(accelerator().device.type, (accelerator().num_processes,))
    keys: dict[str, Any] = {"mesh": mesh} | ({"offload_policy": plugin.cpu_offload} if plugin.cpu_offload else {})
    layers = [part for part in module.modules() if part is not module and apart is not None and apart(part)]
    for layer in reversed(layers):  # inner ones first
        fully_shard(layer, reshard_after_forward=bool(plugin.reshard_after_forward), **keys)
    fully_shard(module, **keys)


@contextmanager
def without_exchange(module: nn.Module) -> Iterator[None]:
    """Within this context backward passes add up gradients that processes do not exchange yet."""
    shared: Any = module
    shared.set_requires_gradient_sync(False)
    try:
        yield
    finally:
        shared.set_requires_gradient_sync(True)


def here(tensor: Tensor) -> Tensor:
    """The part of a tensor that this process holds; all of one that is not shared out."""
    shared: Any = tensor
    own: Tensor = shared.to_local() if _is_shared(tensor) else tensor
    return own


def whole(tensor: Tensor) -> Tensor:
    """All of a tensor; of one that is shared out every process must ask."""
    shared: Any = tensor
    full: Tensor = shared.full_tensor() if _is_shared(tensor) else tensor
    return full


def like(value: Tensor, model: Tensor) -> Tensor:
    """A whole tensor, shared out as ``model`` is, on its device."""
    if not _is_shared(model):
        return value.to(model.device)
    from torch.distributed.tensor import distribute_tensor

    shared: Any = model
    return distribute_tensor(value.to(model.device), shared.device_mesh, shared.placements)


def _is_shared(tensor: Tensor) -> bool:
    return hasattr(tensor, "device_mesh")


def load(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """``load_state_dict`` of whole tensors."""
    own = module.state_dict()
    module.load_state_dict({name: like(value, own[name]) if name in own else value for name, value in state.items()})


def anywhere(found: bool) -> bool:
    """Whether it is true in any process."""
    number = torch.tensor(int(found), device=accelerator().device)
    return bool(accelerator().reduce(number, reduction="sum") > 0)


def _plugin() -> Any:
    from accelerate.utils import FullyShardedDataParallelPlugin

    return getattr(accelerator().state, "fsdp_plugin", None) or FullyShardedDataParallelPlugin()
