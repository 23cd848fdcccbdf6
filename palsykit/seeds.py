"""Seeds for all random numbers. A seed is the hash of a name, so it does not depend on what ran before.

In a training, what is drawn for a row belongs to the row, not to the process or the part of a batch that the row is in:
trainers draw it with ``normal``, ``uniform`` and ``integers``. So the same rows get the same numbers on one device, on
several, and in batches of any size.
"""

import hashlib
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

CPU = torch.device("cpu")


def derive(*parts: object) -> int:
    """A 63-bit seed from parts whose ``str`` is stable; the same parts give the same seed on every machine."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def generator(*parts: object) -> torch.Generator:
    """A CPU generator, seeded with ``derive(*parts)``."""
    return torch.Generator().manual_seed(derive(*parts))


class RowGenerator(torch.Generator):
    """A CPU generator for a batch, with one more generator for each row, and one that all batches of a step share.

    It is a generator like any other; then its numbers depend on the batch. ``by_row`` makes one.

    Attributes:
        rows: one generator per row.
        step: the same numbers in all batches and processes of a step.
    """

    rows: Sequence[torch.Generator]
    step: torch.Generator


def by_row(seed: object, step: int, numbers: Sequence[int]) -> RowGenerator:
    """The generators of a batch of a training: ``numbers`` are those of its rows, counted from the first step on."""
    made = RowGenerator()
    made.manual_seed(derive("batch", seed, *numbers[:1]))
    made.rows, made.step = [generator("row", seed, number) for number in numbers], generator("step", seed, step)
    return made


def spawn(parent: torch.Generator, name: str) -> torch.Generator:
    """A generator that depends on ``parent``'s seed and ``name`` only, not on how much ``parent`` has drawn."""
    if not isinstance(parent, RowGenerator):
        return generator(parent.initial_seed(), name)
    made = RowGenerator()
    made.manual_seed(derive(parent.initial_seed(), name))
    made.rows, made.step = [spawn(row, name) for row in parent.rows], spawn(parent.step, name)
    return made


def of_step(generator: torch.Generator) -> torch.Generator:
    """The generator for what all rows of a step share, whatever process they are in."""
    return generator.step if isinstance(generator, RowGenerator) else generator


def normal(shape: Sequence[int], generator: torch.Generator, device: torch.device = CPU) -> Tensor:
    """Standard normal numbers [B, ...]; row i is drawn from the generator of row i, if it has one.

    A GPU draws them itself (``normal_there``), so they are others than a CPU's.
    """
    if device.type == "cuda":
        return normal_there(shape, generator, device)
    return _by_row(torch.empty(*shape), generator, lambda part, own: part.normal_(generator=own)).to(device)


def normal_there(shape: Sequence[int], generator: torch.Generator, device: torch.device) -> Tensor:
    """Standard normal numbers that ``device`` draws, each row from a seed that its own generator draws.

    For 64 pictures of 112 px a core draws 12 ms, 64 seeds under one.
    """
    there = torch.Generator(device)

    def fill(part: Tensor, own: torch.Generator) -> Tensor:
        return part.normal_(generator=there.manual_seed(int(torch.randint(1 << 62, (), generator=own))))

    return _by_row(torch.empty(*shape, device=device), generator, fill)


def uniform(shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """Numbers from 0 to 1, drawn as by ``normal``."""
    return _by_row(torch.empty(*shape), generator, lambda part, own: part.uniform_(generator=own))


def integers(low: int, high: int, shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """Whole numbers from ``low`` to ``high`` (exclusive), int64, drawn as by ``normal``."""
    empty = torch.empty(*shape, dtype=torch.int64)
    return _by_row(empty, generator, lambda part, own: part.random_(low, high, generator=own))


def _by_row(empty: Tensor, generator: torch.Generator, fill: Callable[[Tensor, torch.Generator], Tensor]) -> Tensor:
    if not isinstance(generator, RowGenerator):
        return fill(empty, generator)
    for row, own in zip(empty, generator.rows, strict=True):
        fill(row, own)
    return empty
