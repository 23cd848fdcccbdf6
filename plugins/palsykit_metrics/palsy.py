"""Whether a judge sees the palsy that was asked for: its side and its severity."""

import math

import torch
from torch import Tensor

from palsykit.faces.classes import UNKNOWN, severity_fraction, side_class
from palsykit.faces.vocabulary import Side
from palsykit.interfaces import FaceBatch, Images, MetricCard, Network
from palsykit.metrics import target_labels
from palsykit_metrics.reading import called, logits


class AffectedSide:
    """How often the network names the affected side that was asked for, where there is one and it is plain to see.

    Args:
        network: one with a head "side".
        least_severity: House-Brackmann grade from which a side counts; a slight palsy (II) may be hard to see at rest.
    """

    def __init__(self, *, network: Network | str = "expression", least_severity: float = 3.0):
        self.network, self.least_severity = network, least_severity
        self.card = MetricCard(
            name="Affected side",
            definition="share of pictures with a palsy in which the judge names the affected side that was asked for, "
            f"from House-Brackmann grade {least_severity:g} up",
            unit="0 to 1",
            better="higher",
            source=f"head 'side' of {called(network)}",
            note="the judge may also answer that no side is affected, which is wrong here",
        )

    def read(self, batch: FaceBatch, images: Images) -> dict[str, Tensor]:
        """{"side_accuracy": [B]}, 1 or 0; NaN without a palsy, below the grade, and where either is unknown."""
        scores = logits(self.network, images.generated, "side")
        found = scores.argmax(dim=-1).tolist()
        right = []
        for labels, seen in zip(target_labels(batch), found, strict=True):
            want = side_class(labels, scores.shape[-1])
            counts = labels.side is not Side.NONE and (labels.severity or 0.0) >= self.least_severity
            right.append(float(want == seen) if counts and want != UNKNOWN else math.nan)
        return {"side_accuracy": torch.tensor(right)}


class SeverityError:
    """Mean absolute difference between the House-Brackmann grade asked for and the one that the network sees.

    Args:
        network: one with a head "severity", which gives 0 for grade I and 1 for grade VI.
    """

    def __init__(self, *, network: Network | str = "expression"):
        self.network = network
        self.card = MetricCard(
            name="Severity error",
            definition="mean absolute difference of the grade asked for and the grade that the judge sees",
            unit="House-Brackmann grades",
            better="lower",
            source=f"head 'severity' of {called(network)}",
            note="the grades are ordinal; their difference takes them for equally far apart",
        )

    def read(self, batch: FaceBatch, images: Images) -> dict[str, Tensor]:
        """{"severity_error": [B]}; NaN where no grade was asked for."""
        seen = logits(self.network, images.generated, "severity")[:, 0].clamp(0, 1)
        wanted = torch.tensor([severity_fraction(labels) for labels in target_labels(batch)], device=seen.device)
        return {"severity_error": 5 * (seen - wanted).abs()}
