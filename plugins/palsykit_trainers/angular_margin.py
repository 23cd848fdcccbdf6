"""Fit a face-recognition network: subjects are classes, separated by an angular margin."""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from palsykit.interfaces import FaceBatch, FaceView, TrainingData
from palsykit_trainers.augmentation import Augment, augmented, truth


def margin_cosines(cosines: Tensor, classes: Tensor, margin: float, kind: Literal["cosface", "arcface"]) -> Tensor:
    """Apply the margin: cosines [B, K], lower for the true class; classes [B] int64.

    CosFace (arXiv:1801.09414, eq. 4): cos(theta) - m. ArcFace (arXiv:1801.07698, eq. 3): cos(theta + m), continued
    beyond theta = pi - m by cos(theta) - m sin(m), so that it never rises with the angle.
    """
    true = cosines.gather(1, classes[:, None])
    if kind == "cosface":
        harder = true - margin
    else:
        # Not +-1, where the slope of the sine is infinite.
        inside = true.clamp(-1 + 1e-6, 1 - 1e-6)
        rotated = inside * math.cos(margin) - (1 - inside**2).sqrt() * math.sin(margin)
        harder = torch.where(true > -math.cos(margin), rotated, true - margin * math.sin(margin))
    return cosines.scatter(1, classes[:, None], harder)


class AngularMarginTrainer(nn.Module):
    """Softmax over subjects with an angular margin; it owns one unit vector per subject, [K, D].

    The defaults are milder than the papers' (margin 0.5, scale 64), which need tens of thousands of subjects.

    Args:
        data: its subjects are the classes; at least two.
        margin: in radians for arcface, in cosine for cosface.
        scale: factor of the cosines before the softmax.
        kind: which margin: arcface or cosface.
        augment: change brightness, contrast and position of every picture; "camera" also framing, colour, sharpness,
            noise and JPEG loss. It never flips.
    """

    weight: nn.Parameter | None

    def __init__(
        self,
        data: TrainingData,
        *,
        margin: float = 0.3,
        scale: float = 32.0,
        kind: Literal["cosface", "arcface"] = "arcface",
        augment: Augment = True,
    ):
        super().__init__()
        if len(data.subjects) < 2:
            raise ValueError(
                f"angular_margin tells subjects apart, and the training data has {len(data.subjects)}; "
                "expected 2 or more"
            )
        if kind == "arcface" and not 0 <= margin < math.pi:
            raise ValueError(f"margin is {margin}; expected an angle from 0 to below pi radians for arcface")
        self.margin, self.scale, self.kind, self.augment = margin, scale, kind, augment
        self.classes = {subject: index for index, subject in enumerate(data.subjects)}
        self.register_parameter("weight", None)

    def groups(self, model: nn.Module) -> dict[str, list[nn.Parameter]]:
        """One optimiser for the network and the subjects' vectors, which are created here with its embedding's width.

        Raises:
            ValueError: the network gives no embedding.
        """
        if self.weight is None:
            width = model.embedding_width
            if not isinstance(width, int):
                raise ValueError(
                    f"angular_margin fits networks with an embedding; {type(model).__name__} gives none: fit a network "
                    "such as ir, or use another trainer"
                )
            device = next(model.parameters()).device
            self.weight = nn.Parameter((torch.randn(len(self.classes), width) * 0.05).to(device))
        return {"network": [p for p in (*model.parameters(), self.weight) if p.requires_grad]}

    def losses(self, model: nn.Module, batch: FaceBatch, generator: torch.Generator, phase: str) -> dict[str, Tensor]:
        """{"identity": cross-entropy over subjects}."""
        view = augmented(truth(batch), generator, self.augment)
        embedding = model(view.image).embedding
        assert self.weight is not None  # groups() runs before the first loss
        with torch.autocast(embedding.device.type, enabled=False):  # bf16's three digits are too few for a margin
            cosines = F.linear(F.normalize(embedding.float(), dim=-1), F.normalize(self.weight.float(), dim=-1))
            classes = self._classes_of(view).to(cosines.device)
            logits = self.scale * margin_cosines(cosines, classes, self.margin, self.kind)
            return {"identity": F.cross_entropy(logits, classes)}

    def _classes_of(self, view: FaceView) -> Tensor:
        subjects = [labels.subject for labels in view.labels]
        if unknown := sorted({str(subject) for subject in subjects if subject not in self.classes}):
            raise ValueError(f"subjects {', '.join(unknown)} are not among the {len(self.classes)} training subjects")
        return torch.tensor([self.classes[subject] for subject in subjects if subject is not None])
