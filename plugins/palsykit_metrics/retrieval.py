"""Whether the person in the picture is told from everybody else."""

import hashlib
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from palsykit.interfaces import FaceBatch, Images, MetricCard, Network
from palsykit_metrics.reading import called, embeddings


class IdentityRetrieval:
    """Top-1 identification (closed set): the gallery holds one identity photograph of every subject of the rows.

    A hit is a generated picture whose embedding is nearer, by cosine, to its own person's identity photograph than to
    anybody else's. The gallery is the same in every bootstrap sample.

    Args:
        network: the recognition network.
    """

    def __init__(self, *, network: Network | str = "recognition"):
        self.network = network
        self.card = MetricCard(
            name="Identity retrieval top-1",
            definition="share of generated pictures whose nearest identity photograph, by cosine of embeddings, is "
            "their own person's, among everybody",
            unit="0 to 1",
            better="higher",
            source=f"embeddings by {called(network)}",
            note="the more people, the harder; comparable for the same people and network weights only",
        )

    def read(self, batch: FaceBatch, images: Images) -> dict[str, Tensor]:
        """{"identity": [B, D], "generated": [B, D], "subject": a number [B] for each name}; embeddings of length 1.

        Raises:
            ValueError: for a row whose person is not known.
        """
        return {
            "identity": F.normalize(embeddings(self.network, batch.identity.image), dim=-1),
            "generated": F.normalize(embeddings(self.network, images.generated), dim=-1),
            "subject": torch.tensor([_number(labels.subject) for labels in batch.identity.labels]),
        }

    def prepare(self, rows: dict[str, Tensor]) -> dict[str, Tensor]:
        """{"retrieval_top1": hits [N], "subject": [N]}; NaN of one person, who cannot be told from others."""
        first: dict[int, int] = {}  # each subject's first row, whose identity photograph is in the gallery
        for row, subject in enumerate(rows["subject"].tolist()):
            first.setdefault(subject, row)
        gallery = torch.tensor(list(first.values()))
        nearest = gallery[(rows["generated"] @ rows["identity"][gallery].T).argmax(dim=1)]
        hits = (rows["subject"][nearest] == rows["subject"]).double()
        return {"retrieval_top1": hits if len(first) > 1 else hits * torch.nan, "subject": rows["subject"]}

    def describe(self, rows: dict[str, Tensor]) -> dict[str, MetricCard]:
        """How many people the gallery holds."""
        people = f"among {len(rows['subject'].unique())} people"
        return {
            "retrieval_top1": replace(self.card, definition=self.card.definition.replace("among everybody", people))
        }

    def figures(self, rows: dict[str, Tensor]) -> dict[str, float]:
        """{"retrieval_top1": share}."""
        return {"retrieval_top1": float(rows["retrieval_top1"].numpy().mean())}


def _number(subject: str | None) -> int:
    """A name as a number that a tensor holds: 63 bits of its SHA-256."""
    if subject is None:
        raise ValueError("retrieval: a row's subject is unknown; expected people who are told apart by name")
    return int.from_bytes(hashlib.sha256(subject.encode()).digest()[:8], "big") >> 1
