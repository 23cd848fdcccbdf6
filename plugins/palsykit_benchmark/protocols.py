"""What a synthesis is asked for and compared with: protocols by name, printed with every figure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from palsykit.faces.pairing import Pair, grid, of_first_people
from palsykit.faces.records import FaceDataset, FaceRecord
from palsykit.faces.views import batch
from palsykit.interfaces import FaceBatch
from palsykit.run.evaluate import SELF_RECONSTRUCTION
from palsykit_benchmark.transfer import input_batch, transfer_batch, transfer_pairs


@dataclass(frozen=True)
class Protocol:
    """Who is synthesised with whose expression, and what the result is compared with.

    Attributes:
        words: says it to a reader.
        pairs: (records, seed) -> identity photographs with what drives them.
        faces: (data set, pairs) -> the batch, with its truth where the protocol knows one.
    """

    name: str
    words: str
    pairs: Callable[[Sequence[FaceRecord], int], list[Pair]]
    faces: Callable[[FaceDataset, Sequence[Pair]], FaceBatch]

    @property
    def title(self) -> str:
        """The name as a heading begins."""
        return self.name[0].upper() + self.name[1:]

    def chosen(self, records: Sequence[FaceRecord], identities: int | None, seed: int) -> list[Pair]:
        """The pairs among the first ``identities`` subjects of the records, in their order; None for all of them."""
        return self.pairs(of_first_people(records, identities), seed)


SELF = Protocol("self-reconstruction", SELF_RECONSTRUCTION, grid, batch)
TRANSFER = Protocol(
    "transfer",
    "transfer with ground truth: the driver is another held-out person with an expression and palsy; the synthesis is "
    "compared with the identity person's own face, computed with the driver's expression, side, severity and kind of "
    "palsy, in the light, framing and noise of the identity photograph",
    transfer_pairs,
    transfer_batch,
)
UNTOLD = Protocol(
    "transfer-without-truth",
    "transfer-without-truth: the driver is another held-out person; nobody knows what the identity person would "
    "look like, so only what needs no true picture is measured: who it is, and which expression, side and grade a "
    "judge sees against those of the driver; the row of the truth is the people's real photographs, each against its "
    "own labels",
    transfer_pairs,
    input_batch,
)
PROTOCOLS = {protocol.name: protocol for protocol in (SELF, TRANSFER, UNTOLD)}
