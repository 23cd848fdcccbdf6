"""Is the generated face as asymmetric as requested? Measured from landmarks that a network finds in the picture."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import Tensor

from palsykit.faces.vocabulary import EXPRESSIONS, FaceLabels, Side
from palsykit.interfaces import FaceBatch, Images, MetricCard, Network
from palsykit.metrics import target_labels
from palsykit_metrics.asymmetry_index import Asymmetry
from palsykit_metrics.palsy import shows_its_side
from palsykit_metrics.reading import describe_network, points

Values = NDArray[np.float64]
_NUMBERS = {name: float(number) for number, name in enumerate(EXPRESSIONS)}
_SIGN = {Side.LEFT: 1.0, Side.RIGHT: -1.0, Side.NONE: 0.0}


class AsymmetryAgreement:
    """Agreement of the requested and the measured signed asymmetry index (palsykit_metrics.asymmetry_index).

    The requested index comes from the target's landmarks: those of the data set, or, if it has none, those that the
    network finds in the target. The measured index comes from the landmarks that the network finds in the generated
    picture. Both use the expression and the kind of palsy. The rank correlation (Spearman 1904) with the target's index
    is over all rows. The one with the signed House-Brackmann grade (left positive, grade I zero) is the mean over
    expressions, because the index has other weights in each expression.

    Args:
        network: the landmark network.
        least_severity: lowest House-Brackmann grade at which the sign of the index is compared with the affected side.
    """

    def __init__(self, *, network: Network | str = "points", least_severity: float = 3.0):
        self.network, self.least_severity = network, least_severity
        source = f"palsykit_metrics.asymmetry_index, landmarks by {describe_network(network)}"
        note = "faces should look into the camera; includes the network's own errors"
        index = "the signed asymmetry index measured in the generated picture"

        def card(name: str, definition: str, unit: str, better: str = "higher") -> MetricCard:
            return MetricCard(name, definition, unit, better, source, note)

        self.card = card("Asymmetry agreement", f"Spearman correlation of {index} with the target's", "-1 to 1")
        self.cards = {
            "asymmetry_grade_spearman": card(
                "Asymmetry by grade",
                f"Spearman correlation of {index} with the requested signed House-Brackmann grade (left positive), the "
                "mean over expressions",
                "-1 to 1",
            ),
            "asymmetry_side": card(
                "Affected side by asymmetry",
                f"share of pictures with a palsy of grade {least_severity:g} or more (at rest V, or synkinetic) in "
                f"which {index} has the sign of the affected side",
                "0 to 1",
            ),
            "asymmetry_error": card(
                "Asymmetry error",
                f"mean absolute difference between {index} and the target's",
                "% of the outer eye distance",
                "lower",
            ),
        }

    def read(self, batch: FaceBatch, images: Images) -> dict[str, Tensor]:
        """One value or pair of values per row and figure; NaN if unknown.

        {"asymmetry_spearman": requested and measured index [B, 2], "asymmetry_grade_spearman": signed (grade - 1) and
        number of the expression [B, 2], "asymmetry_side": 1 if the side is correct, else 0 [B], "asymmetry_error":
        absolute difference in inter-ocular distances [B]}
        """
        labels = target_labels(batch)
        measured = np.array(indices(points(self.network, images.generated).cpu().numpy(), labels))
        wanted = np.array(self._indices_of_target(batch))
        grade = np.array([_signed_grade(face) for face in labels])
        expression = [_NUMBERS.get(face.expression or "", math.nan) for face in labels]
        counts = (np.abs(grade) + 1 >= self.least_severity) & np.array([shows_its_side(face) for face in labels])
        right = np.where(counts, np.sign(measured) == np.sign(grade), math.nan)
        columns = {
            "asymmetry_spearman": np.stack([wanted, measured], 1),
            "asymmetry_grade_spearman": np.stack([grade, expression], 1),
            "asymmetry_side": right,
            "asymmetry_error": np.abs(measured - wanted),
        }
        return {name: torch.from_numpy(column) for name, column in columns.items()}

    def _indices_of_target(self, batch: FaceBatch) -> list[float]:
        if batch.target is None:
            return [math.nan] * len(batch)
        truth = batch.target.landmarks.cpu().numpy()
        if np.isnan(truth).any():
            truth = np.where(np.isnan(truth), points(self.network, batch.target.image).cpu().numpy(), truth)
        return indices(truth, target_labels(batch))

    def figures(self, rows: dict[str, Tensor]) -> dict[str, float]:
        """The four figures that the cards define; a correlation is NaN if fewer than two values differ."""
        values = {name: column.numpy() for name, column in rows.items()}
        wanted, measured = values["asymmetry_spearman"].T
        grade, expression = values["asymmetry_grade_spearman"].T
        each = [expression == number for number in _NUMBERS.values()]
        return {
            "asymmetry_spearman": spearman(wanted, measured),
            "asymmetry_grade_spearman": _mean([spearman(grade[chosen], measured[chosen]) for chosen in each]),
            "asymmetry_side": _mean(values["asymmetry_side"]),
            "asymmetry_error": 100 * _mean(values["asymmetry_error"]),
        }


def indices(landmarks: NDArray[np.floating], labels: Sequence[FaceLabels]) -> list[float]:
    """The combined index of faces [B, 68, 2], each with its own expression and kind of palsy, if known."""
    known = [row.expression if row.expression in EXPRESSIONS else None for row in labels]
    return [
        float(Asymmetry.of(face).combined(expression, row.group))
        for face, row, expression in zip(landmarks, labels, known, strict=True)
    ]


def spearman(a: Values, b: Values) -> float:
    """Spearman's rank correlation over rows where both are known; ties get their mean rank; NaN if one is constant."""
    both = ~np.isnan(a) & ~np.isnan(b)
    a, b = a[both], b[both]
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return math.nan
    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])


def _signed_grade(labels: FaceLabels) -> float:
    if labels.side not in _SIGN or labels.severity is None:
        return math.nan
    return _SIGN[labels.side] * (labels.severity - 1)


def _mean(values: Values | list[float]) -> float:
    """The mean of the values that are not NaN."""
    defined = np.asarray(values, dtype=np.float64)
    defined = defined[~np.isnan(defined)]
    return float(defined.mean()) if len(defined) else math.nan
