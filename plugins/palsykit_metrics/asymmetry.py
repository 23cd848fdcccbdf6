"""Whether the picture is as asymmetric as was asked for, measured from its pixels."""

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
from palsykit_metrics.reading import called, points

Values = NDArray[np.float64]
_NUMBERS = {name: float(number) for number, name in enumerate(EXPRESSIONS)}
_SIGN = {Side.LEFT: 1.0, Side.RIGHT: -1.0, Side.NONE: 0.0}


class AsymmetryAgreement:
    """Agreement of the signed asymmetry index (palsykit_metrics.asymmetry_index) asked for with the one measured.

    Asked for is the index of the target's landmarks: the data set's where it has them, else those that the network
    finds in the target. Measured is the index of the landmarks that the network finds in the generated picture. Both
    know the expression and the kind of palsy. Rank correlations (Spearman 1904) are of all rows together, and, with the
    signed House-Brackmann grade (left positive, grade I zero), the mean over expressions, for the index counts
    otherwise in each.

    Args:
        network: the landmark network.
        least_severity: House-Brackmann grade from which the index should name the side.
    """

    def __init__(self, *, network: Network | str = "points", least_severity: float = 3.0):
        self.network, self.least_severity = network, least_severity
        source = f"palsykit_metrics.asymmetry_index, landmarks by {called(network)}"
        note = "faces should look into the camera; the network's own errors count"
        index = "the signed asymmetry index measured in the generated picture"

        def card(name: str, definition: str, unit: str, better: str = "higher") -> MetricCard:
            return MetricCard(name, definition, unit, better, source, note)

        self.card = card("Asymmetry agreement", f"Spearman correlation of {index} with the target's", "-1 to 1")
        self.cards = {
            "asymmetry_grade_spearman": card(
                "Asymmetry by grade",
                f"Spearman correlation of {index} with the signed House-Brackmann grade asked for (left positive), the "
                "mean over expressions",
                "-1 to 1",
            ),
            "asymmetry_side": card(
                "Affected side by asymmetry",
                f"share of palsied pictures in which {index} has the affected side's sign, from grade "
                f"{least_severity:g} up",
                "0 to 1",
            ),
            "asymmetry_error": card(
                "Asymmetry error",
                f"mean absolute difference of {index} and the target's",
                "% of the outer eye distance",
                "lower",
            ),
        }

    def read(self, batch: FaceBatch, images: Images) -> dict[str, Tensor]:
        """Of each row what its figure is made of, NaN where unknown: pairs, or a value.

        {"asymmetry_spearman": indices asked for and measured, "asymmetry_grade_spearman": signed grade less one and
        number of the expression, "asymmetry_side": whether the side is right, "asymmetry_error": % of the eye distance}
        """
        labels = target_labels(batch)
        measured = np.array(indices(points(self.network, images.generated).cpu().numpy(), labels))
        wanted = np.array(self._indices_of_target(batch))
        grade = np.array([_signed_grade(face) for face in labels])
        expression = [_NUMBERS.get(face.expression or "", math.nan) for face in labels]
        right = np.where(np.abs(grade) + 1 >= self.least_severity, np.sign(measured) == np.sign(grade), math.nan)
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
        """The four figures that the cards define; NaN where fewer than two values differ."""
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
    """The combined index of faces [B, 68, 2], each by its own expression and kind of palsy as far as they are known."""
    known = [row.expression if row.expression in EXPRESSIONS else None for row in labels]
    return [
        float(Asymmetry.of(face).combined(expression, row.group))
        for face, row, expression in zip(landmarks, labels, known, strict=True)
    ]


def spearman(a: Values, b: Values) -> float:
    """Spearman's rank correlation of what both know, ties by their mean rank; NaN where one of them does not vary."""
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
    """The mean of what is defined."""
    defined = np.asarray(values, dtype=np.float64)
    defined = defined[~np.isnan(defined)]
    return float(defined.mean()) if len(defined) else math.nan
