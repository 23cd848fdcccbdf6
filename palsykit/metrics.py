"""The interface of metrics: their input and output. Import the names from palsykit.interfaces."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from torch import Tensor

from palsykit.faces.vocabulary import FaceLabels

if TYPE_CHECKING:
    from palsykit.faces.views import FaceBatch


@dataclass(frozen=True)
class MetricCard:
    """Explanation of a figure for the reader of a report."""

    name: str
    definition: str
    unit: str
    better: str
    source: str
    note: str = ""


@dataclass
class Images:
    """Synthesis passes that metrics name in ``needs``, each [N, 3, H, W] in [-1, 1] for the N rows of a FaceBatch.

    Attributes:
        generated: first pass.
        regenerated: second pass; reads every condition from the first pass's pictures (afid/self2).
        swapped_back: second pass; the first pass's pictures are the identities, the identity photographs the drivers,
            so the expression is put on and taken off again (afid/swap_back).
    """

    generated: Tensor
    regenerated: Tensor | None = None
    swapped_back: Tensor | None = None

    def rows(self, start: int, stop: int) -> "Images":
        """Rows ``start`` to ``stop`` (exclusive) of every pass."""
        again, back = (None if part is None else part[start:stop] for part in (self.regenerated, self.swapped_back))
        return Images(self.generated[start:stop], again, back)


class Metric(Protocol):
    """Measure pictures: ``factory(*, ...)``. A metric has no state; core gathers the rows of a run.

    ``read`` returns a value or features per row. The figures are the means of its columns, or the result of a method
    ``figures``. Optional members, with their defaults in brackets:

    - ``needs: frozenset[str]``: passes of ``Images`` besides ``generated`` (none).
    - ``cards: {figure: MetricCard}``: for figures that ``card`` does not describe (none).
    - ``figures(rows) -> {figure: float}``: figures of any rows, which may repeat; NaN if not defined (the mean of each
      column without its NaN).
    - ``prepare(rows) -> rows``: called once with all rows, for values that depend on all rows, such as the nearest one
      in a gallery (the rows unchanged).
    - ``describe(rows) -> {figure: MetricCard}``: cards that state the number of rows (``cards`` and ``card``).
    - ``quick: bool``: whether the figures always get an interval, by a bootstrap over subjects. False for a distance
      between sets, which is slow and biased if rows repeat: it gets one only if the caller asks for it (True).
    - ``bootstrap_figures(rows)``: the figures of a bootstrap sample, if they are computed in another way (``figures``).
    - ``beside: {metric: reason}``: metrics that a benchmark must report with this one, with the same network (none).

    Rows are ``{column: [N, ...]}`` on the CPU. The count of a figure is the number of rows without NaN in the column of
    its name or, if there is no such column, in any column.

    Attributes:
        card: definition, unit, direction ("higher" | "lower"), source and settings, as text for the report; if it reads
            pictures with a network, also the network's name and ``SharedNetwork.fingerprint()``.
    """

    card: MetricCard

    def read(self, batch: "FaceBatch", images: Images) -> dict[str, Tensor]:
        """{column: values [B] or features [B, ...]}, one per row; NaN where unknown (no target, no landmarks)."""
        ...


def needs(metric: Metric) -> frozenset[str]:
    """The passes of ``Images`` that a metric needs."""
    passes: frozenset[str] = getattr(metric, "needs", frozenset())
    return passes


def to_8_bit(image: Tensor) -> Tensor:
    """Round [-1, 1] to 8 bits, as float32 in [0, 1]: the same values as in the saved PNG files."""
    return ((image.float() + 1) * 127.5).round().clamp(0, 255) / 255


def target_labels(batch: "FaceBatch") -> tuple[FaceLabels, ...]:
    """The labels that each row should show: the target's if there is a target, else the driver's."""
    return (batch.driver if batch.target is None else batch.target).labels
