"""Which rows make which step: a pure function of seed and step, so that a resumed run sees what it would have seen."""

from collections.abc import Iterator

import torch
from torch.utils.data import Dataset, Sampler

from palsykit.faces.pairing import Pair
from palsykit.faces.records import FaceDataset
from palsykit.faces.views import batch
from palsykit.interfaces import FaceBatch
from palsykit.seeds import generator


class PairedFaces(Dataset[FaceBatch]):
    """Pairs of a data set, by whole batches: an index is a list of rows."""

    def __init__(self, dataset: FaceDataset, pairs: list[Pair]):
        self.dataset, self.pairs = dataset, pairs

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, rows: list[int]) -> FaceBatch:
        return batch(self.dataset, [self.pairs[row] for row in rows])


class StepSampler(Sampler[list[int]]):
    """Endless batches of rows: one shuffle of all rows after another, cut into batches across the seams.

    Args:
        rows: how many there are.
        batch_size: rows in a batch.
        seed: of the shuffles.
        first: number of the first batch.
        stride: from one batch to the next; the number of processes, each with its own ``first``.
    """

    def __init__(self, rows: int, batch_size: int, seed: int, first: int = 0, stride: int = 1):
        self.rows, self.batch_size, self.seed, self.first, self.stride = rows, batch_size, seed, first, stride

    def __iter__(self) -> Iterator[list[int]]:
        shuffle, order = -1, [0]
        number = self.first
        while True:
            batch = []
            for position in range(number * self.batch_size, (number + 1) * self.batch_size):
                if position // self.rows != shuffle:
                    shuffle = position // self.rows
                    order = torch.randperm(self.rows, generator=generator("shuffle", self.seed, shuffle)).tolist()
                batch.append(order[position % self.rows])
            yield batch
            number += self.stride
