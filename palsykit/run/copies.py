"""How close pictures come to the nearest training photograph, by a frozen network's embedding.

A distance is 1 - cosine of two embeddings. Whether it is small is judged against photographs of people who are not in
the training data: their distances say how close people come to each other by chance.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from palsykit.faces.records import FaceDataset, FaceRecord
from palsykit.faces.views import view
from palsykit.networks import SharedNetwork

MOST_TRAINING, MOST_HELD_OUT = 4096, 256
"""Of more photographs, so many are compared, evenly spaced."""
CLOSE = 0.05
"""This share of the held-out photographs counts as close; a picture that is closer than all others of them is close."""
ROWS = 32


@dataclass(frozen=True)
class Nearest:
    """For each picture the distance to the nearest training photograph, and that photograph's key."""

    distances: NDArray[np.float64]
    keys: list[str]


class TrainingFaces:
    """The embeddings of the training photographs.

    Args:
        network: frozen, with an embedding.
        dataset: of both kinds of records.
        training: the training records.
        held_out: records of people who are not among them.
        device: of the network.

    Attributes:
        compared: how many training photographs are compared.
        held_out: distances of the held-out photographs.
        limit: the distance below which a picture is close.
    """

    def __init__(
        self,
        network: SharedNetwork,
        dataset: FaceDataset,
        training: Sequence[FaceRecord],
        held_out: Sequence[FaceRecord],
        device: torch.device,
    ):
        # A handle without a cache: training reads these photographs in other batches, which round differently.
        self._network, self._device = SharedNetwork(network.name, network.module, network.own_size), device
        compared = spaced(training, MOST_TRAINING)
        self.compared, self._keys = len(compared), [record.key for record in compared]
        self._known = self._of_records(dataset, compared)
        shown = spaced(held_out, MOST_HELD_OUT)
        self.held_out = self._nearest(self._of_records(dataset, shown)).distances
        self.limit = float(np.quantile(self.held_out, CLOSE)) if len(self.held_out) else math.nan

    def nearest(self, images: Tensor) -> Nearest:
        """The nearest training photograph of pictures [B, 3, H, W]."""
        return self._nearest(self._embed(images))

    def facts(self, nearest: Nearest) -> dict[str, Any]:
        """What a look records."""
        close = nearest.distances < self.limit
        order = np.argsort(nearest.distances)
        return {
            "distances": [round(float(distance), 4) for distance in nearest.distances],
            "close": int(close.sum()),
            "closest": nearest.keys[order[0]],
            "held_out": round(float(np.median(self.held_out)), 4),
            "limit": round(self.limit, 4),
            "compared": self.compared,
        }

    def _nearest(self, embeddings: Tensor) -> Nearest:
        cosines = embeddings @ self._known.T
        values, places = cosines.max(dim=1)
        return Nearest((1 - values).double().numpy(), [self._keys[place] for place in places.tolist()])

    def _of_records(self, dataset: FaceDataset, records: Sequence[FaceRecord]) -> Tensor:
        parts = [
            self._embed(view(dataset, records[start : start + ROWS]).image) for start in range(0, len(records), ROWS)
        ]
        return torch.cat(parts) if parts else torch.empty(0, self._network.embedding_width)

    @torch.no_grad()
    def _embed(self, images: Tensor) -> Tensor:
        found = [self._network(images[i : i + ROWS].to(self._device)).embedding for i in range(0, len(images), ROWS)]
        return F.normalize(torch.cat([e.float().cpu() for e in found if e is not None]), dim=-1)


def spaced(items: Sequence[Any], most: int) -> list[Any]:
    """At most ``most`` of the items, evenly spaced, the first one among them."""
    if len(items) <= most:
        return list(items)
    return [items[len(items) * i // most] for i in range(most)]
