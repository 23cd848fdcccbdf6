"""Two phases a step: the discriminator learns to tell, the generator learns to be taken for real."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from palsykit import Conditioning, ConditioningSpec, FaceBatch, Network, TrainingData
from palsykit.interfaces import TrainedSynthesiser
from palsykit_adversarial.discriminator import PatchDiscriminator, slope

Kind = Literal["non-saturating", "hinge"]


class AdversarialTrainer(nn.Module):
    """pix2pix's objective (Isola et al., arXiv:1611.07004): a conditional adversarial loss and L1 to the truth.

    Phase "discriminator": scores of true pictures up, of made ones down, and R1, the gradient penalty on true pictures
    (arXiv:1801.04406). Phase "generator": scores of made pictures up, L1, and 1 - cosine of the recognition embeddings
    of made and true picture. Where we differ from pix2pix: the discriminator's gradient is penalised in the place of
    batch normalisation, as in StarGAN v2 (arXiv:1912.01865); identity is a term of its own; and the optimiser is the
    loop's AdamW, the same for both, with beta_1 = 0.9 (pix2pix: 0.5).

    The discriminator is the trainer's own: it is in checkpoints and in no average, and synthesis does without it.

    Args:
        data: what is trained on; not used.
        adversarial: "non-saturating" (Goodfellow et al., arXiv:1406.2661) or "hinge" (arXiv:1705.02894).
        adversarial_weight: weight of the generator's adversarial loss.
        l1_weight: weight of the mean absolute difference to the truth, pictures in [-1, 1]; pix2pix's lambda.
        identity_weight: weight of the identity loss.
        gradient_penalty: gamma of R1, which weighs gamma / 2 |d score / d picture|^2; 0 for none.
        channels: of the discriminator's layers, each of which halves the picture.
        recognition: network whose embedding is the identity.

    Raises:
        ValueError: no channels, a negative weight, no weight at all, or an identity loss that needs the gradient of
            a network that gives none.
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
        channels: tuple[int, ...] = (64, 128, 256),
        recognition: Network | str = "recognition",
    ):
        super().__init__()
        if not channels or min(channels) < 1 or data.image_size < 2 ** len(channels):
            raise ValueError(
                f"channels: {list(channels)}; expected at least one, and no more than halve {data.image_size} px "
                "down to 1"
            )
        weights = {"adversarial": adversarial_weight, "l1": l1_weight, "identity": identity_weight}
        if min(*weights.values(), gradient_penalty) < 0 or not any(weights.values()):
            given = ", ".join(f"{name}_weight {value:g}" for name, value in weights.items())
            raise ValueError(
                f"{given}, gradient_penalty {gradient_penalty:g}; expected none below 0, and a weight above 0"
            )
        if identity_weight > 0 and not getattr(recognition, "differentiable", True):
            raise ValueError(
                f"recognition: network {getattr(recognition, 'name', recognition)!r} gives no gradient (differentiable "
                "= False), expected one of torch such as ir; name another, or set identity_weight: 0"
            )
        self.kind, self.adversarial_weight, self.l1_weight = adversarial, adversarial_weight, l1_weight
        self.identity_weight, self.penalty, self.channels = identity_weight, gradient_penalty, channels
        self.recognition = recognition
        self.register_module("discriminator", None)

    def groups(self, model: nn.Module) -> dict[str, list[nn.Parameter]]:
        """An optimiser for each player; the discriminator is made here, for what the generator says of its conditions.

        Raises:
            ValueError: the model is no synthesiser that can be trained.
        """
        spec = getattr(model, "spec", None)
        if not isinstance(spec, ConditioningSpec) or not hasattr(model, "generate"):
            raise ValueError(
                f"adversarial trains a synthesiser with weights of its own, found {type(model).__name__}; give the "
                "recipe synthesiser: {use: adversarial} and no denoiser, or another trainer"
            )
        if self.discriminator is None:
            device = next(model.parameters()).device
            self.discriminator = PatchDiscriminator(spec, self.channels).to(device)
        return {
            "discriminator": list(self.discriminator.parameters()),
            "generator": [p for p in model.parameters() if p.requires_grad],
        }

    def losses(self, model: nn.Module, batch: FaceBatch, generator: torch.Generator, phase: str) -> dict[str, Tensor]:
        """Scalars: "real", "made", "penalty" in the one phase, "adversarial", "l1", "identity" in the other."""
        assert batch.target is not None  # core's training batches always have one
        if phase == "discriminator":
            return self._judged(model, batch)
        return self._made(model, batch)

    def _judged(self, model: nn.Module, batch: FaceBatch) -> dict[str, Tensor]:
        assert batch.target is not None
        with torch.no_grad():
            asked = cast(TrainedSynthesiser, model).encode(batch)
            made = model(batch.identity.image, asked)
        terms = {"made": _should_be(self._scores(made, batch, asked), False, self.kind)}
        real = batch.target.image.detach().requires_grad_(self.penalty > 0)
        # the penalty is a gradient itself, also where nobody asks for one
        with torch.set_grad_enabled(torch.is_grad_enabled() or self.penalty > 0):
            scores = self._scores(real, batch, asked)
            terms["real"] = _should_be(scores, True, self.kind)
            if self.penalty > 0:
                terms["penalty"] = self.penalty / 2 * slope(scores, real)
        return terms

    def _made(self, model: nn.Module, batch: FaceBatch) -> dict[str, Tensor]:
        assert batch.target is not None
        asked = cast(TrainedSynthesiser, model).encode(batch)
        made = model(batch.identity.image, asked)
        terms = {}
        if self.adversarial_weight > 0:
            # what was asked may not be bent to please: the gradient comes through the picture alone
            fixed = Conditioning({}, _detached(asked.pooled), _detached(asked.spatial))
            with _frozen(self.discriminator):
                scores = self._scores(made, batch, fixed).float()
            taken = F.softplus(-scores).mean() if self.kind == "non-saturating" else -scores.mean()
            terms["adversarial"] = self.adversarial_weight * taken
        if self.l1_weight > 0:
            terms["l1"] = self.l1_weight * F.l1_loss(made.float(), batch.target.image)
        if self.identity_weight > 0:
            with torch.no_grad():
                person = self._embed(batch.target.image)
            terms["identity"] = self.identity_weight * (1 - (self._embed(made) * person).sum(-1)).mean()
        return terms

    def _scores(self, picture: Tensor, batch: FaceBatch, asked: Conditioning) -> Tensor:
        assert self.discriminator is not None  # groups comes before the first loss
        scores: Tensor = self.discriminator(picture, batch.identity.image, asked)
        return scores

    def _embed(self, image: Tensor) -> Tensor:
        assert not isinstance(self.recognition, str)  # core hands over the network that the recipe names
        embedding = self.recognition(image).embedding
        assert embedding is not None
        return F.normalize(embedding.float(), dim=-1)


def _should_be(scores: Tensor, real: bool, kind: Kind) -> Tensor:
    """The discriminator's loss for scores of pictures that are, or are not, real: a scalar."""
    away = -scores.float() if real else scores.float()
    return (F.softplus(away) if kind == "non-saturating" else F.relu(1 + away)).mean()


def _detached(value: Tensor | None) -> Tensor | None:
    return None if value is None else value.detach()


@contextmanager
def _frozen(module: nn.Module | None) -> Iterator[None]:
    """No gradients into a module's parameters from what is computed within; into its inputs, yes."""
    parameters = [] if module is None else [p for p in module.parameters() if p.requires_grad]
    try:
        for parameter in parameters:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
