"""Fit a landmark network on known points."""

import math
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from palsykit.faces.landmarks import COUNT, FLIP, FURTHER, JAW, LEFT_BROW, LEFT_EYE, RIGHT_BROW, RIGHT_EYE
from palsykit.interfaces import FaceBatch, FaceView, NetworkOutput, TrainingData
from palsykit_trainers.augmentation import Augment, augmented, truth

_LIDS = [37, 38, 43, 44], [41, 40, 47, 46]
"""Points of the upper lids, and the points of the lower lids directly below them."""
_CORNERS = 48, 54
_SMOOTH = 0.02
"""In image sides: below it, the loss of an error of the lids' distance is quadratic."""
_PAIRS = [(right, left) for right, left in enumerate(FLIP) if right < left and right not in JAW]
"""Points of the two halves of a face that mirror each other; the jaw's are the outline of a head, not of a muscle."""


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
        brows: the same for the ten points of the brows.
        corners: the same for the mouth's corners.
        lids: weight of one more term, the smooth L1 loss (Girshick, arXiv:1504.08083) of the vectors from the upper
            lid's points to the lower lid's. A shut and an open eye differ by two px, which have almost no effect on a
            mean over 68 points; this term makes the network learn the eye's state.
        sides: weight of one more term, the mean error of the asymmetry of brows, eyes, nose and mouth. A network that
            has seen mostly faces with little asymmetry guesses one half from the other; this term makes that costly.
        further: weight of each pupil and each point of a nasolabial fold, if the network finds them and the data knows
            them.
        augment: change brightness, contrast and position of every picture, with its points; "camera" also framing,
            colour, sharpness, noise and JPEG loss. It never flips.
    """

    def __init__(
        self,
        data: TrainingData,
        *,
        loss: Literal["wing", "l1"] = "wing",
        wing_width: float = 0.05,
        wing_curvature: float = 0.01,
        eyes: Annotated[float, Field(gt=0)] = 1.0,
        brows: Annotated[float, Field(gt=0)] = 1.0,
        corners: Annotated[float, Field(gt=0)] = 1.0,
        lids: Annotated[float, Field(ge=0)] = 0.0,
        sides: Annotated[float, Field(ge=0)] = 0.0,
        further: Annotated[float, Field(ge=0)] = 1.0,
        augment: Augment = True,
    ):
        if all(record.landmarks is None for record in data.records):
            raise ValueError(
                f"none of the {len(data.records)} training photographs has landmarks; fit on other data, or set the "
                "network's key weights"
            )
        self.loss, self.wing_width, self.wing_curvature, self.augment = loss, wing_width, wing_curvature, augment
        self.lids, self.sides = lids, sides
        self.weight = torch.ones(COUNT + FURTHER, 1)
        self.weight[[*RIGHT_EYE, *LEFT_EYE]] = eyes
        self.weight[[*RIGHT_BROW, *LEFT_BROW]] = brows
        self.weight[[*_CORNERS]] = corners
        self.weight[COUNT:] = further

    def groups(self, model: nn.Module) -> dict[str, list[nn.Parameter]]:
        """One optimiser for the whole network."""
        return {"network": [p for p in model.parameters() if p.requires_grad]}

    def losses(self, model: nn.Module, batch: FaceBatch, generator: torch.Generator, phase: str) -> dict[str, Tensor]:
        """{"points": scalar} and, if they have a weight, "lids" and "sides"; 0 if no point of the batch is known.

        Raises:
            ValueError: the network gives no points.
        """
        view = augmented(truth(batch), generator, self.augment)
        output: NetworkOutput = model(view.image)
        if output.points is None:
            raise ValueError(
                f"the trainer `landmarks` fits points, and {type(model).__name__} gives none; fit a network such as "
                "mobilefacenet or heatmaps"
            )
        points, true = (value / view.image.shape[-1] for value in _known_to_both(output, view))
        known = ~true.isnan()
        # Remove unknown coordinates before the subtraction: NaN times 0 is still NaN.
        error = (points[known] - true[known]).abs()
        values = error if self.loss == "l1" else wing(error, self.wing_width, self.wing_curvature)
        weight = self.weight[: points.shape[1]].to(values).expand_as(points)[known]
        terms = {"points": (weight * values).sum() / weight.sum().clamp(min=1)}
        if self.lids > 0:
            terms["lids"] = self.lids * lid_loss(points, true)
        if self.sides > 0:
            terms["sides"] = self.sides * side_loss(points, true)
        return terms


def _known_to_both(output: NetworkOutput, view: FaceView) -> tuple[Tensor, Tensor]:
    """Found and true points, px: [B, 68, 2], or [B, 76, 2] if network and data have the further points."""
    assert output.points is not None
    if output.further is None or view.further is None:
        return output.points, view.landmarks
    return torch.cat([output.points, output.further], 1), torch.cat([view.landmarks, view.further], 1)


def lid_loss(points: Tensor, true: Tensor) -> Tensor:
    """Mean smooth L1 loss of the vectors from upper to lower lid points [B, 68, 2], in image sides; NaN means unknown.

    The quadratic part ends with slope 1: x^2 / (2 s) if x < s = 0.02, otherwise x - s / 2.
    """
    upper, lower = _LIDS
    aim = true[:, lower] - true[:, upper]
    known = ~aim.isnan()
    opening = (points[:, lower] - points[:, upper])[known]
    return F.smooth_l1_loss(opening, aim[known], reduction="sum", beta=_SMOOTH) / known.sum().clamp(min=1)


def side_loss(points: Tensor, true: Tensor) -> Tensor:
    """Mean absolute error of the asymmetry of points [B, N, 2], in image sides; NaN means unknown.

    With errors e of a point and f of its mirror image on the other half: |e_x + f_x| and |e_y - f_y|. Both are 0 if the
    network is wrong on both halves alike.
    """
    right, left = ([pair[half] for pair in _PAIRS] for half in range(2))
    known = ~(true[:, right] + true[:, left]).isnan()
    mirror = points.new_tensor([-1.0, 1.0])
    found, aim = (value[:, right] - mirror * value[:, left] for value in (points, true))
    return (found[known] - aim[known]).abs().sum() / known.sum().clamp(min=1)
