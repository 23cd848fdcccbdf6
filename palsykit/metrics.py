"""What a metric is given and what it gives; part of palsykit.interfaces, from where it is imported."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

if TYPE_CHECKING:
    from palsykit.interfaces import FaceBatch


@dataclass(frozen=True)
class MetricCard:
    """What a reader needs to trust a figure."""

    name: str
    definition: str
    unit: str
    better: str
    source: str
    note: str = ""


@dataclass
class Images:
    """The passes that metrics ask for by ``needs``, each [N, 3, H, W] in [-1, 1] for the N rows of a FaceBatch.

    Attributes:
        generated: first synthesis.
        regenerated: synthesised once more with every condition taken from the first (afid/self2).
        swapped_back: synthesised once more from the first, driven by the identity photograph: an expression put on and
            taken off again (afid/swap_back).
    """

    generated: Tensor
    regenerated: Tensor | None = None
    swapped_back: Tensor | None = None

    def rows(self, start: int, stop: int) -> "Images":
        """Rows ``start`` to ``stop`` (exclusive) of every pass."""
        again, back = (None if found is None else found[start:stop] for found in (self.regenerated, self.swapped_back))
        return Images(self.generated[start:stop], again, back)


class RowMetric(Protocol):
    """A figure a row: ``factory(*, ...)``.

    Attributes:
        needs: passes of ``Images`` beyond ``generated``.
        card: definition, unit, direction ("higher" | "lower"), source and settings, in words, for the report; of a
            network that it reads pictures with, the name and ``SharedNetwork.fingerprint()`` of the weights. A metric
            whose figures need cards of their own has them in a further attribute ``cards``, {figure: card}; so may
            metrics of the other two kinds.
    """

    needs: frozenset[str]
    card: MetricCard

    def rows(self, batch: "FaceBatch", images: Images) -> dict[str, Tensor]:
        """{figure: [B]}; NaN where it is not defined for a row (no target, landmarks unknown)."""
        ...


class SetMetric(Protocol):
    """A figure of a whole set, fed batch by batch."""

    needs: frozenset[str]
    card: MetricCard

    def update(self, batch: "FaceBatch", images: Images) -> None: ...

    def compute(self) -> dict[str, float]:
        """{figure: value} of everything fed since it was built."""
        ...


class PooledMetric(Protocol):
    """A figure of rows together that can be asked of any of them, so that its interval is a bootstrap over subjects.

    Such as a rank correlation, a ratio of two accuracies, or retrieval among everybody who was fed.
    """

    needs: frozenset[str]
    card: MetricCard

    def update(self, batch: "FaceBatch", images: Images) -> None: ...

    def figures(self, rows: NDArray[np.int64]) -> dict[str, float]:
        """{figure: value} of these rows, numbered in the order they were fed; a row may come more than once.

        A SetMetric may have it as well: its figure then gets an interval where somebody asks for one.
        """
        ...

    def counts(self) -> dict[str, int]:
        """{figure: how many of the rows fed it is defined for}."""
        ...
