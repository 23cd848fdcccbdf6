"""The processes of one run: what they agree on, and what the others do if one of them ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs

from palsykit.errors import PalsykitError
from palsykit.stopping import requested

_LOST = ("gloo", "connection closed by peer", "connection reset", "nccl", "process group")
"""What the errors of a collective operation name; torch has no class for those of gloo."""


@cache
def accelerator() -> Accelerator:
    """This process's Accelerator. It handles device and distribution; the loop handles precision and accumulation."""
    return Accelerator(kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)])


def stop_signal() -> int | None:
    """The signal that asks any process of this run to stop, so that all stop after the same step."""
    number = requested()
    if accelerator().num_processes == 1:
        return number
    numbers = accelerator().gather(torch.tensor([number or 0], device=accelerator().device))
    return int(numbers.max()) or None


def means(terms: dict[str, float]) -> dict[str, float]:
    """The means over all processes; each gives the same names."""
    if accelerator().num_processes == 1:
        return terms
    values = torch.tensor([*terms.values()], device=accelerator().device)
    reduced = accelerator().reduce(values, reduction="mean")
    return dict(zip(terms, reduced.tolist(), strict=True))


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
