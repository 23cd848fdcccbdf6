"""The trivial baseline: no synthesis at all."""

from collections.abc import Sequence

from torch import Tensor

from palsykit.interfaces import FaceBatch


class Copy:
    """Return the identity photograph: perfect identity, no change of expression. The least that a method must beat.

    Args:
        image_size: not used; every picture of a batch has it.
    """

    def __init__(self, image_size: int):
        self.image_size = image_size

    def generate(self, batch: FaceBatch, seeds: Sequence[int]) -> Tensor:
        """The identity images [B, 3, H, W] in [-1, 1], copied; the seeds change nothing."""
        return batch.identity.image.clone()
