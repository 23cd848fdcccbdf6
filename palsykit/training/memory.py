"""What a training does when the memory is too small: on a GPU smaller parts of a batch, otherwise one clear message."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from palsykit.errors import PalsykitError
from palsykit.recipe.schema import Optimisation

_ON_A_CPU = ("can't allocate memory", "not enough memory", "cannot allocate memory")
"""How torch says it; there is no class of its own for it."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the memory of the machine or of its GPU is too small."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _ON_A_CPU)


@contextmanager
def enough_memory(job: str, settings: Optimisation) -> Iterator[None]:
    """Turn an error about memory into one message with the next step.

    Raises:
        PalsykitError: the memory is too small.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        found = " ".join(str(error).split())
        raise PalsykitError(
            f"{job}: not enough memory for batch_size: {settings.batch_size} ({found[:200] or type(error).__name__}); "
            f"{smaller(settings)}; or lower image_size or the widths of the model, or train on a window (trainer "
            "diffusion). With a changed recipe, name another --output, or start again with --fresh"
        ) from error


def smaller(settings: Optimisation, parts: int = 2) -> str:
    """What a user sets for the same step in smaller parts; if the batch cannot be cut evenly, for nearly the same."""
    if settings.batch_size == 1:
        return "one row is too large"
    size = -(-settings.batch_size // parts)
    return f"set batch_size: {size} and accumulate: {-(-settings.batch_size // size) * settings.accumulate}"


def bounds(rows: int, parts: int) -> list[tuple[int, int]]:
    """First row and end of each part of a batch, in order; the parts differ by one row at most."""
    parts = min(rows, parts)
    return [(rows * part // parts, rows * (part + 1) // parts) for part in range(parts)]
