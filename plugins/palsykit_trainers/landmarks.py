"""Fits a landmark network on known points."""

import math
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from palsykit.faces.landmarks import COUNT, LEFT_EYE, RIGHT_EYE
from palsykit.interfaces import FaceBatch, TrainingData
from palsykit_trainers.augmentation import augmented, truth


def wing(error: Tensor, width: float, curvature: float) -> Tensor:
    """The wing loss of errors >= 0 (Feng et al., CVPR 2018): w ln(1 + x / epsilon) below w, x - C from there on."""
    offset = width - width * math.log1p(width / curvature)
    return torch.where(error < width, width * torch.log1p(error / curvature), error - offset)


class LandmarksTrainer:
    """Weighted mean loss of the coordinates' errors in units of the image side; points that are not known do not count.

    Args:
        data: training records; some must have landmarks.
        loss: wing, which stays steep for small errors, or L1.
        wing_width: the wing's w, in image sides.
        wing_curvature: the wing's epsilon, in image sides.
        eyes: weight of each of the twelve eye points, where every other one has 1. An open eye is 3 px high in a
            picture of 64 px: with equal weights a network learns to guess lids from brows and mouth.
        augment: change light and position of every picture, points with it; never flip it.
    """

    def __init__(
        self,
        data: TrainingData,
        *,
        loss: Literal["wing", "l1"] = "wing",
        wing_width: float = 0.05,
        wing_curvature: float = 0.01,
        eyes: Annotated[float, Field(gt=0)] = 1.0,
        augment: bool = True,
    ):
        if all(record.landmarks is None for record in data.records):
            raise ValueError(
                f"none of the {len(data.records)} training photographs has landmarks; fit on other data, or give the "
                "network weights"
            )
        self.loss, self.wing_width, self.wing_curvature, self.augment = loss, wing_width, wing_curvature, augment
        self.weight = torch.ones(COUNT, 1)
        self.weight[[*RIGHT_EYE, *LEFT_EYE]] = eyes

    def groups(self, model: nn.Module) -> dict[str, list[nn.Parameter]]:
        """One optimiser for the whole network."""
        return {"network": [p for p in model.parameters() if p.requires_grad]}

    def losses(self, model: nn.Module, batch: FaceBatch, generator: torch.Generator, phase: str) -> dict[str, Tensor]:
        """{"points": scalar}, 0 where no point of the batch is known.

        Raises:
            ValueError: the network gives no points.
        """
        view = augmented(truth(batch), generator) if self.augment else truth(batch)
        points = model(view.image).points
        if points is None:
            raise ValueError(
                f"the trainer `landmarks` fits points, and {type(model).__name__} gives none; fit a network such as "
                "mobilefacenet"
            )
        known = ~view.landmarks.isnan()
        # unknown coordinates are taken out before the subtraction: NaN times 0 would still be NaN
        error = (points[known] - view.landmarks[known]).abs() / view.image.shape[-1]
        values = error if self.loss == "l1" else wing(error, self.wing_width, self.wing_curvature)
        weight = self.weight.to(values).expand_as(points)[known]
        return {"points": (weight * values).sum() / weight.sum().clamp(min=1)}
