"""The processes of one run: what they agree on, and what the others do if one of them ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs, DistributedType
from accelerate.utils import GradientAccumulationPlugin
from torch import Tensor

from palsykit.errors import PalsykitError
from palsykit.stopping import requested

_LOST = ("gloo", "connection closed by peer", "connection reset", "nccl", "process group")
"""What the errors of a collective operation name; torch has no class for those of gloo."""


ABLE = [DistributedType.NO, DistributedType.MULTI_CPU, DistributedType.MULTI_GPU, DistributedType.FSDP]
"""How processes may share the work: each one holds the whole model or, with FSDP, a part of every weight."""


@cache
def accelerator() -> Accelerator:
    """This process's Accelerator. It handles device and distribution; the loop handles precision and accumulation."""
    # What `accelerate config` may have set of these is the recipe's: precision, accumulate, compile.
    return Accelerator(
        mixed_precision="no",
        gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1),
        dynamo_backend="no",
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )


def require_able_processes(job: str) -> None:
    """Refuse ways to share the work that this loop cannot go.

    Raises:
        PalsykitError: accelerate's configuration asks for DeepSpeed or the like, which take the optimiser over.
    """
    kind = accelerator().distributed_type
    if kind not in ABLE:
        raise PalsykitError(
            f"{job}: accelerate's configuration asks for {kind.value}, expected "
            f"{', '.join(one.value for one in ABLE)}. Choose MULTI_GPU with `accelerate config`, or FSDP "
            "if the model is too large for one GPU (docs/scale.md)"
        )


def stop_signal() -> int | None:
    """The signal that asks any process of this run to stop, so that all stop after the same step."""
    number = requested()
    if accelerator().num_processes == 1:
        return number
    numbers = accelerator().gather(torch.tensor([number or 0], device=accelerator().device))
    return int(numbers.max()) or None


def exact(value: Tensor) -> Tensor:
    """A loss term as a number in which sums of terms are exact, where the device has such numbers."""
    return value.float() if value.device.type == "mps" else value.double()


def means(terms: dict[str, Tensor]) -> dict[str, Tensor]:
    """The means over all processes, as 0-dim tensors on the device; each process gives the same names."""
    if accelerator().num_processes == 1:
        return terms
    values = torch.stack([value.float() for value in terms.values()])
    reduced = accelerator().reduce(values, reduction="mean")
    return dict(zip(terms, reduced.unbind(), strict=True))


def is_lost(error: BaseException) -> bool:
    """Whether an error says that another process of this run has ended."""
    if accelerator().num_processes == 1 or not isinstance(error, RuntimeError):
        return False
    return isinstance(error, torch.distributed.DistError) or any(word in str(error).lower() for word in _LOST)


@contextmanager
def together(job: str) -> Iterator[None]:
    """End this process, too, if another one of the run has ended.

    Raises:
        PalsykitError: another process has ended.
    """
    try:
        yield
    except RuntimeError as error:
        if not is_lost(error):
            raise
        raise PalsykitError(
            f"{job}: another process of this run has ended or cannot be reached; process "
            f"{accelerator().process_index} stops, too. Look at what the other one said, and start the same command "
            "again: the run resumes from its last checkpoint"
        ) from error
