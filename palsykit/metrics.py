"""What a metric is given and what it gives; part of palsykit.interfaces, from where it is imported."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from torch import Tensor

from palsykit.faces.vocabulary import FaceLabels

if TYPE_CHECKING:
    from palsykit.faces.views import FaceBatch


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


class Metric(Protocol):
    """What is measured: ``factory(*, ...)``. A metric keeps nothing of what it reads; core gathers the rows of a run.

    ``read`` gives a value or features for each row. The figures are the means of its columns, or what a method
    ``figures`` makes of the rows. A class may have more; what it leaves out is as in brackets:

    - ``needs: frozenset[str]``: passes of ``Images`` beyond ``generated`` (none).
    - ``cards: {figure: MetricCard}``: of the figures that ``card`` does not describe (none).
    - ``figures(rows) -> {figure: float}``: of any rows; a row may come more than once; NaN where it is not defined (the
      mean of each column without its NaN).
    - ``prepare(rows) -> rows``: called once with all rows, for what a row is only among all others, such as the nearest
      in a gallery (the rows as they are).
    - ``describe(rows) -> {figure: MetricCard}``: cards that say how many rows there are (``cards`` and ``card``).
    - ``quick: bool``: whether the figures get an interval, by a bootstrap over subjects. False for a distance between
      sets, which is slow and biased where rows repeat: it gets one only where a caller asks for it (True).
    - ``bootstrap_figures(rows)``: the figures of a bootstrap sample, where there is a faster way or none (``figures``).
    - ``beside: {metric: reason}``: metrics that a benchmark must have beside this one, with the same network (none).

    Rows are ``{column: [N, ...]}`` on the CPU. A figure counts the rows whose column of its own name has no NaN; where
    there is no such column, the rows without NaN in any column.

    Attributes:
        card: definition, unit, direction ("higher" | "lower"), source and settings, in words, for the report; of a
            network that it reads pictures with, the name and ``SharedNetwork.fingerprint()`` of the weights.
    """

    card: MetricCard

    def read(self, batch: "FaceBatch", images: Images) -> dict[str, Tensor]:
        """{column: a value [B], or features [B, ...], for each row}; NaN where unknown (no target, no landmarks)."""
        ...


def needs(metric: Metric) -> frozenset[str]:
    """The passes of ``Images`` that a metric needs."""
    found: frozenset[str] = getattr(metric, "needs", frozenset())
    return found


def to_8_bit(image: Tensor) -> Tensor:
    """[-1, 1] -> the 8-bit picture that is saved, as float32 in [0, 1], so that the PNG files give the same figures."""
    return ((image.float() + 1) * 127.5).round().clamp(0, 255) / 255


def target_labels(batch: "FaceBatch") -> tuple[FaceLabels, ...]:
    """What each row should show: the target's labels where there is one, else the driver's."""
    return (batch.driver if batch.target is None else batch.target).labels
