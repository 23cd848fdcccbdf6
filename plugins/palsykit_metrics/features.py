"""Features of true and of generated pictures by any network: what distances between two sets of pictures compare."""

from functools import cached_property

import torch
from torch import Tensor

from palsykit.interfaces import FaceBatch, Images, Network
from palsykit_metrics.reading import as_saved, called, comparability

FEW = 2048
"""Pictures below which Inception's 2,048-d covariance has not full rank and FID is called biased."""


class Features:
    """Features of N targets and of their N generated pictures, both 8-bit as saved, fed batch by batch.

    A network's embedding, not normalised; of a network without one, the mean of its last feature map over positions.

    Args:
        network: any network.
    """

    def __init__(self, network: Network | str):
        self.network = network
        self._real: list[Tensor] = []
        self._generated: list[Tensor] = []

    def add(self, batch: FaceBatch, images: Images) -> None:
        """Reads a batch; one without a target has no true pictures and is left out."""
        if batch.target is not None:
            self._real.append(self._read(batch.target.image))
            self._generated.append(self._read(images.generated))

    @torch.no_grad()
    def _read(self, image: Tensor) -> Tensor:
        """image [B, 3, H, W] in [-1, 1] -> features [B, D], float64 on the CPU."""
        if isinstance(self.network, str):
            raise TypeError(f"found the name {self.network!r}, expected the network that the recipe's networks has")
        output = self.network(as_saved(image) * 2 - 1)
        found = output.map.mean(dim=(2, 3)) if output.embedding is None else output.embedding
        return found.double().cpu()

    def __len__(self) -> int:
        return sum(len(part) for part in self._real)

    @property
    def real(self) -> Tensor:
        """Of the targets, [N, D]; [0, 0] before anything was fed."""
        return torch.cat(self._real) if self._real else torch.zeros(0, 0, dtype=torch.float64)

    @property
    def generated(self) -> Tensor:
        """Of the generated pictures, [N, D]."""
        return torch.cat(self._generated) if self._generated else torch.zeros(0, 0, dtype=torch.float64)

    @cached_property
    def extractor(self) -> str:
        """Which features these are, for a card: the network, what is read, the weights' hash, comparability."""
        width = getattr(self.network, "embedding_width", None)
        what = "mean of the last feature map" if width is None else f"{width}-d embedding"
        return f"features: {what} of {called(self.network)}, {comparability(self.network)}"

    @property
    def counted(self) -> str:
        """How many pictures there are of each kind, for a card's note."""
        return f"{len(self)} true and {len(self)} generated pictures, 8-bit as saved"
