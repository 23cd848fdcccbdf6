"""Which rows make which step: a pure function of seed and step, so that a resumed run sees what it would have seen."""

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
    """A row of a batch: the number of a pair, and whether it is seen in a mirror."""

    row: int
    mirrored: bool = False


class PairedFaces(Dataset[FaceBatch]):
    """Pairs of a data set, by whole batches: an index is a list of draws."""

    def __init__(self, dataset: FaceDataset, pairs: list[Pair]):
        self.dataset, self.pairs = dataset, pairs

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, draws: list[Draw]) -> FaceBatch:
        pairs = [self.pairs[draw.row] for draw in draws]
        return batch(self.dataset, pairs, [draw.mirrored for draw in draws])


class StepSampler(Sampler[list[Draw]]):
    """Endless batches of rows: one shuffle of all rows after another, cut into batches across the seams.

    Args:
        rows: how many there are.
        batch_size: rows in a batch.
        seed: of the shuffles and of which rows are flipped in each.
        first: number of the first batch.
        stride: from one batch to the next; the number of processes, each with its own ``first``.
        flip: probability with which a row is flipped; the order of the rows does not depend on it.
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
    """Refuses random flips that the data's labels do not allow, which is known before anything is trained.

    Raises:
        PalsykitError: ``flip`` is above 0 and the labels of some record cannot follow a flip.
    """
    if flip == 0:
        return
    refused = [(record.key, reason) for record in records if (reason := refusal(record.labels))]
    if refused:
        shown = [f"{key}: {reason}" for key, reason in refused[:3]]
        shown += [f"and {len(refused) - 3} more"] if len(refused) > 3 else []
        raise PalsykitError(
            f"{job}: flip is {flip:g}, and the labels of {len(refused)} of {len(records)} training photographs cannot "
            "follow a flip; say of each what is missing, or train with flip: 0",
            shown,
        )
