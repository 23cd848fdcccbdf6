"""Fits a network with heads on expression, affected side and severity, as far as they are known."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from palsykit.faces.classes import (
    EXPRESSION_CLASSES,
    SIDE_CLASSES,
    UNKNOWN,
    expression_class,
    severity_fraction,
    side_class,
)
from palsykit.faces.vocabulary import FaceLabels
from palsykit.interfaces import FaceBatch, TrainingData
from palsykit_trainers.augmentation import augmented, truth

OUTPUTS = {
    "expression": (len(EXPRESSION_CLASSES),),
    "side": (len(SIDE_CLASSES) - 1, len(SIDE_CLASSES)),
    "severity": (1,),
}
"""Heads that can be fitted, and how many outputs each may have."""


class ExpressionTrainer:
    """Cross-entropy over expressions and sides, smooth L1 of severity (our own sum); unknown labels do not count.

    Which of the three are fitted is the network's choice, by the heads it has.

    Args:
        data: training records; some must be labelled with one of the eight expressions.
        side_weight: weight of the side's cross-entropy.
        severity_weight: weight of severity's smooth L1, severity running from 0 (House-Brackmann I) to 1 (VI).
        augment: change light and position of every picture; never flip it.
    """

    def __init__(
        self,
        data: TrainingData,
        *,
        side_weight: float = 1.0,
        severity_weight: float = 1.0,
        augment: bool = True,
    ):
        if all(expression_class(record.labels) == UNKNOWN for record in data.records):
            raise ValueError(
                f"none of the {len(data.records)} training photographs is labelled with an expression; expected "
                f"some with one of {', '.join(EXPRESSION_CLASSES)}: fit on other data, or give the network weights"
            )
        self.weights = {"expression": 1.0, "side": side_weight, "severity": severity_weight}
        self.augment = augment

    def groups(self, model: nn.Module) -> dict[str, list[nn.Parameter]]:
        """One optimiser for the whole network."""
        return {"network": [p for p in model.parameters() if p.requires_grad]}

    def losses(self, model: nn.Module, batch: FaceBatch, generator: torch.Generator, phase: str) -> dict[str, Tensor]:
        """One term a head, named as the head; a term is 0 where no row of the batch has that label."""
        view = augmented(truth(batch), generator) if self.augment else truth(batch)
        logits = {name: value.float() for name, value in model(view.image).logits.items()}
        _check_heads(logits, model)
        return {name: self.weights[name] * _loss(name, value, view.labels) for name, value in logits.items()}


def _loss(name: str, logits: Tensor, labels: tuple[FaceLabels, ...]) -> Tensor:
    """A head's mean loss over the rows [B, K] whose label is known; 0 if none is."""
    if name == "severity":
        truths = torch.tensor([severity_fraction(row) for row in labels], device=logits.device)
        known = ~truths.isnan()
        return F.smooth_l1_loss(logits[known, 0], truths[known], reduction="sum", beta=0.1) / known.sum().clamp(min=1)
    of = expression_class if name == "expression" else lambda row: side_class(row, logits.shape[-1])
    classes = torch.tensor([of(row) for row in labels], device=logits.device)
    summed = F.cross_entropy(logits, classes, ignore_index=UNKNOWN, reduction="sum")
    return summed / (classes != UNKNOWN).sum().clamp(min=1)


def _check_heads(logits: dict[str, Tensor], model: nn.Module) -> None:
    found = {name: value.shape[-1] for name, value in logits.items()}
    if "expression" not in found or any(count not in OUTPUTS.get(name, ()) for name, count in found.items()):
        raise ValueError(
            f"the trainer `expression` fits heads, and {type(model).__name__} has {found or 'none'}; expected "
            f"expression: {len(EXPRESSION_CLASSES)} and, if wanted, side: 3 or 4 and severity: 1 in the network's "
            "key heads"
        )
