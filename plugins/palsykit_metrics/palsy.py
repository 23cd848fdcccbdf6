"""Does a judge network see the requested palsy: its side and its severity?"""

import math

import torch
from torch import Tensor

from palsykit.faces.classes import UNKNOWN, severity_fraction, side_class
from palsykit.faces.vocabulary import FaceLabels, Group, Side
from palsykit.interfaces import FaceBatch, Images, MetricCard, Network
from palsykit.metrics import target_labels
from palsykit_metrics.reading import describe_network, logits


def shows_its_side(labels: FaceLabels) -> bool:
    """Whether a palsy of one side can be seen: at rest a face is symmetric up to grade IV, unless it is synkinetic.

    So House and Brackmann (1985); an unknown kind of palsy counts as flaccid, an unknown expression as a movement.
    """
    return labels.expression != "rest" or (labels.severity or 0.0) >= 5 or labels.group is Group.SYNKINETIC


class AffectedSide:
    """Accuracy with which the network names the requested affected side, for palsies that are easy to see.

    Args:
        network: has a head "side".
        least_severity: lowest House-Brackmann grade that counts; a slight palsy (II) may be hard to see.
    """

    def __init__(self, *, network: Network | str = "expression", least_severity: float = 3.0):
        self.network, self.least_severity = network, least_severity
        self.card = MetricCard(
            name="Affected side",
            definition="share of pictures with a palsy in which the judge names the requested affected side, "
            f"from House-Brackmann grade {least_severity:g} up; at rest from V, or synkinetic",
            unit="0 to 1",
            better="higher",
            source=f"head 'side' of {describe_network(network)}",
            note="the judge may also answer that no side is affected, which is wrong here",
        )

    def read(self, batch: FaceBatch, images: Images) -> dict[str, Tensor]:
        """{"side_accuracy": [B]}, 1 or 0; NaN without a palsy that shows, below the grade, or if one is unknown."""
        scores = logits(self.network, images.generated, "side")
        best = scores.argmax(dim=-1).tolist()
        hits = []
        for labels, seen in zip(target_labels(batch), best, strict=True):
            want = side_class(labels, scores.shape[-1])
            counts = labels.side is not Side.NONE and (labels.severity or 0.0) >= self.least_severity
            counts = counts and shows_its_side(labels)
            hits.append(float(want == seen) if counts and want != UNKNOWN else math.nan)
        return {"side_accuracy": torch.tensor(hits)}


class SeverityError:
    """Mean absolute difference between the requested House-Brackmann grade and the one that the network sees.

    Args:
        network: has a head "severity", which gives 0 for grade I and 1 for grade VI.
    """

    def __init__(self, *, network: Network | str = "expression"):
        self.network = network
        self.card = MetricCard(
            name="Severity error",
            definition="mean absolute difference between the requested grade and the grade that the judge sees",
            unit="House-Brackmann grades",
            better="lower",
            source=f"head 'severity' of {describe_network(network)}",
            note="the grades are ordinal; the difference treats them as equally far apart",
        )

    def read(self, batch: FaceBatch, images: Images) -> dict[str, Tensor]:
        """{"severity_error": [B]}; NaN if no grade was requested."""
        seen = logits(self.network, images.generated, "severity")[:, 0].clamp(0, 1)
        wanted = torch.tensor([severity_fraction(labels) for labels in target_labels(batch)], device=seen.device)
        return {"severity_error": 5 * (seen - wanted).abs()}
