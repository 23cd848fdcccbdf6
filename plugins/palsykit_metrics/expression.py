"""Does a judge network see the requested expression?"""

import math

import numpy as np
import torch
from torch import Tensor

from palsykit.faces.classes import EXPRESSION_CLASSES, UNKNOWN, expression_class
from palsykit.interfaces import FaceBatch, Images, MetricCard, Network
from palsykit.metrics import target_labels
from palsykit_metrics.reading import describe_network, logits


class ExpressionAccuracy:
    """Accuracy with which the network names the requested expression, absolute and relative to true pictures.

    The relative accuracy is the accuracy on generated pictures divided by that on true pictures of the same rows, so
    the judge's own errors do not count against a synthesis. Rows without one of the eight expressions are left out.

    Args:
        network: has a head "expression"; preferably not one that conditions or trains the synthesis.
    """

    def __init__(self, *, network: Network | str = "expression"):
        self.network = network
        source = f"head 'expression' of {describe_network(network)}"
        self.card = MetricCard(
            name="Expression accuracy",
            definition=f"share of pictures in which the judge names the requested one of {_COUNT} expressions",
            unit="0 to 1",
            better="higher",
            source=source,
            note="the judge's own errors lower it",
        )
        self.cards = {
            "expression_accuracy_relative": MetricCard(
                name="Expression accuracy, relative",
                definition="expression accuracy on generated pictures divided by that on true pictures",
                unit="ratio",
                better="higher",
                source=source,
                note="the judge's own errors cancel; it may exceed 1",
            )
        }

    def read(self, batch: FaceBatch, images: Images) -> dict[str, Tensor]:
        """{"expression_accuracy": hits [B] in generated pictures, "true": hits [B] in true ones}; NaN if unknown."""
        wanted = [expression_class(labels) for labels in target_labels(batch)]
        generated = _hits(logits(self.network, images.generated, "expression"), wanted)
        if batch.target is None:
            return {"expression_accuracy": generated, "true": torch.full_like(generated, torch.nan)}
        true = _hits(logits(self.network, batch.target.image, "expression"), wanted)
        return {"expression_accuracy": generated, "true": true}

    def figures(self, rows: dict[str, Tensor]) -> dict[str, float]:
        """{"expression_accuracy": share, "expression_accuracy_relative": ratio}; NaN if undefined."""
        generated, truth = (rows[name].numpy() for name in ("expression_accuracy", "true"))
        both = ~np.isnan(generated) & ~np.isnan(truth)
        right = truth[both].sum()
        return {
            "expression_accuracy": float(np.nanmean(generated)) if (~np.isnan(generated)).any() else math.nan,
            "expression_accuracy_relative": float(generated[both].sum() / right) if right else math.nan,
        }


_COUNT = len(EXPRESSION_CLASSES)


def _hits(scores: Tensor, wanted: list[int]) -> Tensor:
    """1 if the highest score is that of the requested class, 0 if not, NaN if the requested class is unknown."""
    best = scores.argmax(dim=-1).tolist()
    hits = [math.nan if want == UNKNOWN else float(want == seen) for want, seen in zip(wanted, best, strict=True)]
    return torch.tensor(hits, dtype=torch.float64)
