"""Fit a network with heads for expression, affected side and severity, on the labels that are known."""

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
from palsykit_trainers.augmentation import Augment, augmented, truth

OUTPUTS = {
    "expression": (len(EXPRESSION_CLASSES),),
    "side": (len(SIDE_CLASSES) - 1, len(SIDE_CLASSES)),
    "severity": (1,),
}
"""Heads that can be fitted -> the numbers of outputs that each may have."""


class ExpressionTrainer:
    """Cross-entropy of expression and side plus smooth L1 of severity (our own sum); unknown labels are ignored.

    The network's heads decide which of the three are fitted.

    Args:
        data: training records; some must have one of the eight expressions as label.
        side_weight: weight of the side's cross-entropy.
        severity_weight: weight of the severity's smooth L1; severity is from 0 (House-Brackmann I) to 1 (VI).
        augment: change brightness, contrast and position of every picture; "camera" also framing, colour, sharpness,
            noise and JPEG loss. It never flips.
    """

    def __init__(
        self,
        data: TrainingData,
        *,
        side_weight: float = 1.0,
        severity_weight: float = 1.0,
        augment: Augment = True,
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
        """One term per head, with the head's name; 0 if no row of the batch has that label."""
        view = augmented(truth(batch), generator, self.augment)
        logits = {name: value.float() for name, value in model(view.image).logits.items()}
        _check_heads(logits, model)
        return {name: self.weights[name] * _loss(name, value, view.labels) for name, value in logits.items()}


def _loss(name: str, logits: Tensor, labels: tuple[FaceLabels, ...]) -> Tensor:
    """A head's mean loss over the rows of [B, K] with a known label; 0 if there are none."""
    if name == "severity":
        truths = torch.tensor([severity_fraction(row) for row in labels], device=logits.device)
        known = ~truths.isnan()
        return F.smooth_l1_loss(logits[known, 0], truths[known], reduction="sum", beta=0.1) / known.sum().clamp(min=1)
    class_of = expression_class if name == "expression" else lambda row: side_class(row, logits.shape[-1])
    classes = torch.tensor([class_of(row) for row in labels], device=logits.device)
    summed = F.cross_entropy(logits, classes, ignore_index=UNKNOWN, reduction="sum")
    return summed / (classes != UNKNOWN).sum().clamp(min=1)


def _check_heads(logits: dict[str, Tensor], model: nn.Module) -> None:
    heads = {name: value.shape[-1] for name, value in logits.items()}
    if "expression" not in heads or any(count not in OUTPUTS.get(name, ()) for name, count in heads.items()):
        raise ValueError(
            f"the trainer `expression` fits heads, and {type(model).__name__} has {heads or 'none'}; in the network's "
            f"key heads expected expression: {len(EXPRESSION_CLASSES)} and optionally side: 3 or 4 and severity: 1"
        )
