"""Fit a landmark network on known points."""

import math
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from palsykit.faces.landmarks import COUNT, LEFT_EYE, RIGHT_EYE
from palsykit.interfaces import FaceBatch, TrainingData
from palsykit_trainers.augmentation import augmented, truth

_LIDS = [37, 38, 43, 44], [41, 40, 47, 46]
"""Points of the upper lids, and the points of the lower lids directly below them."""
_SMOOTH = 0.02
"""In image sides: below it, the loss of an error of the lids' distance is quadratic."""


def wing(error: Tensor, width: float, curvature: float) -> Tensor:
    """The wing loss of errors x >= 0 (Feng et al., CVPR 2018): w ln(1 + x / epsilon) if x < w, otherwise x - C."""
    offset = width - width * math.log1p(width / curvature)
    return torch.where(error < width, width * torch.log1p(error / curvature), error - offset)


class LandmarksTrainer:
    """Weighted mean loss of the coordinates' errors in image sides; unknown points are ignored.

    Args:
        data: training records; some must have landmarks.
        loss: wing, which stays steep for small errors, or L1.
        wing_width: the wing's w, in image sides.
        wing_curvature: the wing's epsilon, in image sides.
        eyes: weight of each of the twelve eye points; all others have weight 1. An open eye is 3 px high in a picture
            of 64 px: with equal weights a network learns to guess lids from brows and mouth.
        lids: weight of one more term, the smooth L1 loss (Girshick, arXiv:1504.08083) of the vectors from the upper
            lid's points to the lower lid's. A shut and an open eye differ by two px, which have almost no effect on a
            mean over 68 points; this term makes the network learn the eye's state.
        augment: change brightness, contrast and position of every picture, with its points; never flip it.
    """

    def __init__(
        self,
        data: TrainingData,
        *,
        loss: Literal["wing", "l1"] = "wing",
        wing_width: float = 0.05,
        wing_curvature: float = 0.01,
        eyes: Annotated[float, Field(gt=0)] = 1.0,
        lids: Annotated[float, Field(ge=0)] = 0.0,
        augment: bool = True,
    ):
        if all(record.landmarks is None for record in data.records):
            raise ValueError(
                f"none of the {len(data.records)} training photographs has landmarks; fit on other data, or set the "
                "network's key weights"
            )
        self.loss, self.wing_width, self.wing_curvature, self.augment = loss, wing_width, wing_curvature, augment
        self.lids = lids
        self.weight = torch.ones(COUNT, 1)
        self.weight[[*RIGHT_EYE, *LEFT_EYE]] = eyes

    def groups(self, model: nn.Module) -> dict[str, list[nn.Parameter]]:
        """One optimiser for the whole network."""
        return {"network": [p for p in model.parameters() if p.requires_grad]}

    def losses(self, model: nn.Module, batch: FaceBatch, generator: torch.Generator, phase: str) -> dict[str, Tensor]:
        """{"points": scalar} and, with ``lids``, {"lids": scalar}; 0 if no point of the batch is known.

        Raises:
            ValueError: the network gives no points.
        """
        view = augmented(truth(batch), generator) if self.augment else truth(batch)
        points = model(view.image).points
        if points is None:
            raise ValueError(
                f"the trainer `landmarks` fits points, and {type(model).__name__} gives none; fit a network such as "
                "mobilefacenet or heatmaps"
            )
        known = ~view.landmarks.isnan()
        # Remove unknown coordinates before the subtraction: NaN times 0 is still NaN.
        error = (points[known] - view.landmarks[known]).abs() / view.image.shape[-1]
        values = error if self.loss == "l1" else wing(error, self.wing_width, self.wing_curvature)
        weight = self.weight.to(values).expand_as(points)[known]
        terms = {"points": (weight * values).sum() / weight.sum().clamp(min=1)}
        if self.lids > 0:
            terms["lids"] = self.lids * lid_loss(points / view.image.shape[-1], view.landmarks / view.image.shape[-1])
        return terms


def lid_loss(points: Tensor, true: Tensor) -> Tensor:
    """Mean smooth L1 loss of the vectors from upper to lower lid points [B, 68, 2], in image sides; NaN means unknown.

    The quadratic part ends with slope 1: x^2 / (2 s) if x < s = 0.02, otherwise x - s / 2.
    """
    upper, lower = _LIDS
    aim = true[:, lower] - true[:, upper]
    known = ~aim.isnan()
    opening = (points[:, lower] - points[:, upper])[known]
    return F.smooth_l1_loss(opening, aim[known], reduction="sum", beta=_SMOOTH) / known.sum().clamp(min=1)
