"""Adversarial training in two phases per step: first the discriminator, then the generator."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from palsykit import Conditioning, ConditioningSpec, FaceBatch, Network, TrainingData
from palsykit.interfaces import TrainedSynthesiser
from palsykit.recipe.ranges import Width
from palsykit_adversarial.discriminator import PatchDiscriminator, slope

Kind = Literal["non-saturating", "hinge"]


class AdversarialTrainer(nn.Module):
    """pix2pix's objective (Isola et al., arXiv:1611.07004): a conditional adversarial loss and L1 to the target.

    Phase "discriminator": higher scores for real pictures, lower scores for synthetic ones, and R1, the gradient
    penalty on real pictures (arXiv:1801.04406). Phase "generator": higher scores for synthetic pictures, L1, and
    1 - cosine of the recognition embeddings of synthetic and real picture. Differences from pix2pix: a gradient penalty
    on the discriminator replaces batch normalisation, as in StarGAN v2 (arXiv:1912.01865); there is an identity term;
    the optimiser is the loop's AdamW for both networks, with beta_1 = 0.9 (pix2pix: 0.5).

    The discriminator belongs to the trainer: it is in checkpoints, it is not averaged, and synthesis does not use it.

    Args:
        data: the training data; not used.
        adversarial: "non-saturating" (Goodfellow et al., arXiv:1406.2661) or "hinge" (arXiv:1705.02894).
        adversarial_weight: weight of the generator's adversarial loss.
        l1_weight: weight of the mean absolute difference to the target, pictures in [-1, 1]; pix2pix's lambda.
        identity_weight: weight of the identity loss.
        gradient_penalty: gamma of R1; the term is gamma / 2 |d score / d picture|^2; 0 for none.
        channels: of the discriminator's layers; each layer halves the picture.
        recognition: network that gives the embedding for the identity loss.

    Raises:
        ValueError: no channels, a negative weight, all weights 0, or an identity loss with a network that gives no
            gradient.
    """

    discriminator: PatchDiscriminator | None

    def __init__(
        self,
        data: TrainingData,
        *,
        adversarial: Kind = "non-saturating",
        adversarial_weight: float = 1.0,
        l1_weight: float = 100.0,
        identity_weight: float = 1.0,
        gradient_penalty: float = 1.0,
        channels: tuple[Width, ...] = (64, 128, 256),
        recognition: Network | str = "recognition",
    ):
        super().__init__()
        if not channels or min(channels) < 1 or data.image_size < 2 ** len(channels):
            raise ValueError(
                f"channels: {list(channels)}; expected one or more layers; each halves {data.image_size} px, at most "
                "down to 1"
            )
        weights = {"adversarial": adversarial_weight, "l1": l1_weight, "identity": identity_weight}
        if min(*weights.values(), gradient_penalty) < 0 or not any(weights.values()):
            values = ", ".join(f"{name}_weight {value:g}" for name, value in weights.items())
            raise ValueError(
                f"{values}, gradient_penalty {gradient_penalty:g}; expected none below 0, and a weight above 0"
            )
        if identity_weight > 0 and not getattr(recognition, "differentiable", True):
            raise ValueError(
                f"recognition: network {getattr(recognition, 'name', recognition)!r} gives no gradient (differentiable "
                "= False), expected a torch network such as ir; name another, or set identity_weight: 0"
            )
        self.kind, self.adversarial_weight, self.l1_weight = adversarial, adversarial_weight, l1_weight
        self.identity_weight, self.penalty, self.channels = identity_weight, gradient_penalty, channels
        self.recognition = recognition
        self.register_module("discriminator", None)

    def groups(self, model: nn.Module) -> dict[str, list[nn.Parameter]]:
        """One group per network. The discriminator is created here: its shape follows from the model's spec.

        Raises:
            ValueError: the model is not a trainable synthesiser.
        """
        spec = getattr(model, "spec", None)
        if not isinstance(spec, ConditioningSpec) or not hasattr(model, "generate"):
            raise ValueError(
                f"adversarial trains a synthesiser with trainable weights, found {type(model).__name__}; set "
                "synthesiser: {use: adversarial} and no denoiser in the recipe, or another trainer"
            )
        if self.discriminator is None:
            device = next(model.parameters()).device
            self.discriminator = PatchDiscriminator(spec, self.channels).to(device)
        return {
            "discriminator": list(self.discriminator.parameters()),
            "generator": [p for p in model.parameters() if p.requires_grad],
        }

    def losses(self, model: nn.Module, batch: FaceBatch, generator: torch.Generator, phase: str) -> dict[str, Tensor]:
        """Scalars: "real", "made", "penalty" (discriminator), or "adversarial", "l1", "identity" (generator)."""
        assert batch.target is not None  # true for all training batches
        if phase == "discriminator":
            return self._discriminator_losses(model, batch)
        return self._generator_losses(model, batch)

    def _discriminator_losses(self, model: nn.Module, batch: FaceBatch) -> dict[str, Tensor]:
        assert batch.target is not None
        # Synthetic pictures.
        with torch.no_grad():
            conditioning = cast(TrainedSynthesiser, model).encode(batch)
            picture = model(batch.identity.image, conditioning)
        terms = {"made": _score_loss(self._scores(picture, batch, conditioning), False, self.kind)}
        # Real pictures. The penalty is itself a gradient, so it needs a graph even under no_grad.
        real = batch.target.image.detach().requires_grad_(self.penalty > 0)
        with torch.set_grad_enabled(torch.is_grad_enabled() or self.penalty > 0):
            scores = self._scores(real, batch, conditioning)
            terms["real"] = _score_loss(scores, True, self.kind)
            if self.penalty > 0:
                terms["penalty"] = self.penalty / 2 * slope(scores, real)
        return terms

    def _generator_losses(self, model: nn.Module, batch: FaceBatch) -> dict[str, Tensor]:
        assert batch.target is not None
        conditioning = cast(TrainedSynthesiser, model).encode(batch)
        picture = model(batch.identity.image, conditioning)
        terms = {}
        if self.adversarial_weight > 0:
            # The gradient reaches the generator through the picture only: it must not change the discriminator's
            # conditions to get better scores.
            fixed = Conditioning({}, _detached(conditioning.pooled), _detached(conditioning.spatial))
            with _frozen(self.discriminator):
                scores = self._scores(picture, batch, fixed).float()
            loss = F.softplus(-scores).mean() if self.kind == "non-saturating" else -scores.mean()
            terms["adversarial"] = self.adversarial_weight * loss
        if self.l1_weight > 0:
            terms["l1"] = self.l1_weight * F.l1_loss(picture.float(), batch.target.image)
        if self.identity_weight > 0:
            with torch.no_grad():
                person = self._embed(batch.target.image)
            terms["identity"] = self.identity_weight * (1 - (self._embed(picture) * person).sum(-1)).mean()
        return terms

    def _scores(self, picture: Tensor, batch: FaceBatch, conditioning: Conditioning) -> Tensor:
        assert self.discriminator is not None  # groups() runs before the first loss
        scores: Tensor = self.discriminator(picture, batch.identity.image, conditioning)
        return scores

    def _embed(self, image: Tensor) -> Tensor:
        assert not isinstance(self.recognition, str)  # core replaces the name by the recipe's network
        embedding = self.recognition(image).embedding
        assert embedding is not None
        return F.normalize(embedding.float(), dim=-1)


def _score_loss(scores: Tensor, real: bool, kind: Kind) -> Tensor:
    """The discriminator's loss, a scalar, for the scores of real (``real``) or of synthetic pictures."""
    wrong = -scores.float() if real else scores.float()
    return (F.softplus(wrong) if kind == "non-saturating" else F.relu(1 + wrong)).mean()


def _detached(value: Tensor | None) -> Tensor | None:
    return None if value is None else value.detach()


@contextmanager
def _frozen(module: nn.Module | None) -> Iterator[None]:
    """Within this context a module's parameters get no gradients; its inputs still do."""
    parameters = [] if module is None else [p for p in module.parameters() if p.requires_grad]
    try:
        for parameter in parameters:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
