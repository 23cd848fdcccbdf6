"""Protocols: which identity gets which expression, and what the result is compared with. Each figure names its own."""

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
    """Pairs of identity and driver, and the truth to compare with.

    Attributes:
        words: a description for readers.
        pairs: (records, seed) -> identity photographs with their drivers.
        faces: (data set, pairs) -> the batch, with the truth if the protocol has one.
    """

    name: str
    words: str
    pairs: Callable[[Sequence[FaceRecord], int], list[Pair]]
    faces: Callable[[FaceDataset, Sequence[Pair]], FaceBatch]

    @property
    def title(self) -> str:
        """The name with a capital letter, for headings."""
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
    "transfer-without-truth: the driver is another held-out person; there is no true picture of the identity person "
    "with the driver's expression, so only figures that need none are measured: identity, and expression, side and "
    "grade as a judge sees them, compared with the driver's labels; for the row of the truth, real photographs of "
    "these people are compared with their own labels",
    transfer_pairs,
    input_batch,
)
PROTOCOLS = {protocol.name: protocol for protocol in (SELF, TRANSFER, UNTOLD)}
