"""Can the person in the picture be told from all other people?"""

import hashlib
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from palsykit.interfaces import FaceBatch, Images, MetricCard, Network
from palsykit_metrics.reading import describe_network, embeddings


class IdentityRetrieval:
    """Top-1 identification (closed set): the gallery has one identity photograph per subject of the rows.

    A hit is a generated picture whose embedding is nearer, by cosine, to its own person's identity photograph than to
    that of any other person. The gallery is the same in every bootstrap sample.

    Args:
        network: the recognition network.
    """

    def __init__(self, *, network: Network | str = "recognition"):
        self.network = network
        self.card = MetricCard(
            name="Identity retrieval top-1",
            definition="share of generated pictures whose nearest identity photograph, by cosine of embeddings, is "
            "their own person's, among all people",
            unit="0 to 1",
            better="higher",
            source=f"embeddings by {describe_network(network)}",
            note="harder with more people; compare only with the same people and network weights",
        )

    def read(self, batch: FaceBatch, images: Images) -> dict[str, Tensor]:
        """{"identity": [B, D], "generated": [B, D], "subject": a number [B] for each name}; embeddings of length 1.

        Raises:
            ValueError: the person of a row is not known.
        """
        return {
            "identity": F.normalize(embeddings(self.network, batch.identity.image), dim=-1),
            "generated": F.normalize(embeddings(self.network, images.generated), dim=-1),
            "subject": torch.tensor([_number(labels.subject) for labels in batch.identity.labels]),
        }

    def prepare(self, rows: dict[str, Tensor]) -> dict[str, Tensor]:
        """{"retrieval_top1": hits [N], "subject": [N]}; NaN if there is only one person."""
        first: dict[int, int] = {}  # subject -> its first row, whose identity photograph is in the gallery
        for row, subject in enumerate(rows["subject"].tolist()):
            first.setdefault(subject, row)
        gallery = torch.tensor(list(first.values()))
        nearest = gallery[(rows["generated"] @ rows["identity"][gallery].T).argmax(dim=1)]
        hits = (rows["subject"][nearest] == rows["subject"]).double()
        return {"retrieval_top1": hits if len(first) > 1 else hits * torch.nan, "subject": rows["subject"]}

    def describe(self, rows: dict[str, Tensor]) -> dict[str, MetricCard]:
        """The card with the number of people in the gallery."""
        people = f"among {len(rows['subject'].unique())} people"
        return {
            "retrieval_top1": replace(self.card, definition=self.card.definition.replace("among all people", people))
        }

    def figures(self, rows: dict[str, Tensor]) -> dict[str, float]:
        """{"retrieval_top1": share}."""
        return {"retrieval_top1": float(rows["retrieval_top1"].numpy().mean())}


def _number(subject: str | None) -> int:
    """Turn a name into a number for a tensor: 63 bits of its SHA-256."""
    if subject is None:
        raise ValueError("retrieval: a row's subject is unknown; expected data that names the subject of every row")
    return int.from_bytes(hashlib.sha256(subject.encode()).digest()[:8], "big") >> 1
