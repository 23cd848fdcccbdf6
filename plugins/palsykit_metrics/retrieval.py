"""Whether the person in the picture is told from everybody else."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from palsykit.interfaces import FaceBatch, Images, MetricCard, Network
from palsykit_metrics.reading import called, embeddings


class IdentityRetrieval:
    """Top-1 identification (closed set): the gallery holds one identity photograph of every subject that was fed.

    A hit is a generated picture whose embedding is nearer, by cosine, to its own person's identity photograph than to
    anybody else's. The gallery is the same in every bootstrap sample.

    Args:
        network: the recognition network.
    """

    needs: frozenset[str] = frozenset()

    def __init__(self, *, network: Network | str = "recognition"):
        self.network = network
        self._generated: list[Tensor] = []
        self._subjects: list[str] = []
        self._gallery: dict[str, Tensor] = {}

    @property
    def card(self) -> MetricCard:
        """Says how many people the gallery holds by now."""
        return MetricCard(
            name="Identity retrieval top-1",
            definition="share of generated pictures whose nearest identity photograph, by cosine of embeddings, is "
            f"their own person's, among {len(self._gallery)} people",
            unit="0 to 1",
            better="higher",
            source=f"embeddings by {called(self.network)}",
            note="the more people, the harder; comparable for the same people and network weights only",
        )

    def update(self, batch: FaceBatch, images: Images) -> None:
        """Adds generated pictures, and identity photographs of subjects not seen before.

        Raises:
            ValueError: for a row whose person is not known.
        """
        people = F.normalize(embeddings(self.network, batch.identity.image), dim=-1).cpu()
        self._generated.extend(F.normalize(embeddings(self.network, images.generated), dim=-1).cpu())
        for labels, embedding in zip(batch.identity.labels, people, strict=True):
            if labels.subject is None:
                raise ValueError("retrieval: a row's subject is unknown; expected people who are told apart by name")
            self._subjects.append(labels.subject)
            self._gallery.setdefault(labels.subject, embedding)

    def figures(self, rows: NDArray[np.int64]) -> dict[str, float]:
        """{"retrieval_top1": share}; NaN of one person, who cannot be told from others."""
        if len(self._gallery) < 2:
            return {"retrieval_top1": float("nan")}
        names = list(self._gallery)
        nearest = (torch.stack(self._generated) @ torch.stack(list(self._gallery.values())).T).argmax(dim=1)
        hits = np.array([names[found] == own for found, own in zip(nearest.tolist(), self._subjects, strict=True)])
        return {"retrieval_top1": float(hits[rows].mean())}

    def counts(self) -> dict[str, int]:
        """Every row."""
        return {"retrieval_top1": len(self._subjects)}
