"""Whether a judge sees the expression that was asked for."""

import math

import numpy as np
import torch
from torch import Tensor

from palsykit.faces.classes import EXPRESSION_CLASSES, UNKNOWN, expression_class
from palsykit.interfaces import FaceBatch, Images, MetricCard, Network
from palsykit.metrics import target_labels
from palsykit_metrics.reading import called, logits


class ExpressionAccuracy:
    """How often the network names the expression asked for, and that relative to how often it does on true pictures.

    The second is the quotient of two accuracies over the same rows, so a judge's own errors do not count against a
    synthesis. Rows whose expression is none of the eight are left out.

    Args:
        network: one with a head "expression"; better none that the synthesis was conditioned or trained with.
    """

    def __init__(self, *, network: Network | str = "expression"):
        self.network = network
        source = f"head 'expression' of {called(network)}"
        self.card = MetricCard(
            name="Expression accuracy",
            definition=f"share of pictures in which the judge names the expression asked for, of {_COUNT}",
            unit="0 to 1",
            better="higher",
            source=source,
            note="the judge's own errors lower it",
        )
        self.cards = {
            "expression_accuracy_relative": MetricCard(
                name="Expression accuracy, relative",
                definition="expression accuracy of the generated pictures over that of the true ones",
                unit="ratio",
                better="higher",
                source=source,
                note="the judge's own errors cancel; it may exceed 1",
            )
        }

    def read(self, batch: FaceBatch, images: Images) -> dict[str, Tensor]:
        """{"expression_accuracy": hits [B] in generated pictures, "true": hits [B] in true ones}; NaN where unknown."""
        wanted = [expression_class(labels) for labels in target_labels(batch)]
        generated = _hits(logits(self.network, images.generated, "expression"), wanted)
        if batch.target is None:
            return {"expression_accuracy": generated, "true": torch.full_like(generated, torch.nan)}
        true = _hits(logits(self.network, batch.target.image, "expression"), wanted)
        return {"expression_accuracy": generated, "true": true}

    def figures(self, rows: dict[str, Tensor]) -> dict[str, float]:
        """{"expression_accuracy": share, "expression_accuracy_relative": quotient}; NaN where not defined."""
        generated, truth = (rows[name].numpy() for name in ("expression_accuracy", "true"))
        both = ~np.isnan(generated) & ~np.isnan(truth)
        right = truth[both].sum()
        return {
            "expression_accuracy": float(np.nanmean(generated)) if (~np.isnan(generated)).any() else math.nan,
            "expression_accuracy_relative": float(generated[both].sum() / right) if right else math.nan,
        }


_COUNT = len(EXPRESSION_CLASSES)


def _hits(scores: Tensor, wanted: list[int]) -> Tensor:
    """1 where the highest score is the class asked for, 0 where not, NaN where no known class was."""
    found = scores.argmax(dim=-1).tolist()
    hits = [math.nan if want == UNKNOWN else float(want == seen) for want, seen in zip(wanted, found, strict=True)]
    return torch.tensor(hits, dtype=torch.float64)
