"""Choose the rows of each step. The choice depends on seed and step only, so a resumed run sees the same batches."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch.utils.data import Dataset, Sampler

from palsykit.errors import PalsykitError
from palsykit.faces.flip import refusal
from palsykit.faces.pairing import Pair
from palsykit.faces.records import FaceDataset, FaceRecord
from palsykit.faces.views import batch
from palsykit.interfaces import FaceBatch
from palsykit.seeds import generator


class Draw(NamedTuple):
    """One row of a batch: the number of a pair, and whether to mirror it."""

    row: int
    mirrored: bool = False


class PairedFaces(Dataset[FaceBatch]):
    """The pairs of a data set, read one batch at a time: an index is a list of draws."""

    def __init__(self, dataset: FaceDataset, pairs: list[Pair]):
        self.dataset, self.pairs = dataset, pairs

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, draws: list[Draw]) -> FaceBatch:
        pairs = [self.pairs[draw.row] for draw in draws]
        return batch(self.dataset, pairs, [draw.mirrored for draw in draws]).hashed()


class StepSampler(Sampler[list[Draw]]):
    """Endless batches of rows. All rows are shuffled again and again; a batch may span two shuffles.

    Args:
        rows: number of rows.
        batch_size: rows per batch.
        seed: of the shuffles and of the flips.
        first: number of the first batch.
        stride: distance from one batch to the next: the number of processes, each with its own ``first``.
        flip: probability that a row is flipped; the order of the rows does not depend on it.
    """

    def __init__(
        self, rows: int, batch_size: int, seed: int, first: int = 0, stride: int = 1, flip: float = 0.0
    ) -> None:
        self.rows, self.batch_size, self.seed = rows, batch_size, seed
        self.first, self.stride, self.flip = first, stride, flip

    def __iter__(self) -> Iterator[list[Draw]]:
        shuffle, draws = -1, [Draw(0)]
        number = self.first
        while True:
            batch = []
            for position in range(number * self.batch_size, (number + 1) * self.batch_size):
                if position // self.rows != shuffle:
                    shuffle = position // self.rows
                    draws = self._shuffled(shuffle)
                batch.append(draws[position % self.rows])
            yield batch
            number += self.stride

    def _shuffled(self, shuffle: int) -> list[Draw]:
        order = torch.randperm(self.rows, generator=generator("shuffle", self.seed, shuffle)).tolist()
        chances = torch.rand(self.rows, generator=generator("flip", self.seed, shuffle)).tolist()
        return [Draw(row, chance < self.flip) for row, chance in zip(order, chances, strict=True)]


def check_flips(job: str, flip: float, records: Sequence[FaceRecord]) -> None:
    """Refuse random flips that the labels do not allow. Runs before any training.

    Raises:
        PalsykitError: ``flip`` is above 0 and some record has labels that cannot be mirrored.
    """
    if flip == 0:
        return
    refused = [(record.key, reason) for record in records if (reason := refusal(record.labels))]
    if refused:
        shown = [f"{key}: {reason}" for key, reason in refused[:3]]
        shown += [f"and {len(refused) - 3} more"] if len(refused) > 3 else []
        raise PalsykitError(
            f"{job}: flip is {flip:g}, and the labels of {len(refused)} of {len(records)} training photographs cannot "
            "follow a flip; add the missing labels, or train with flip: 0",
            shown,
        )
