"""The cycle trainer of CFCPalsy (Gao, Zhang and Xia, arXiv:2409.07271): denoise, then denoise the result again."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from palsykit import ConditionalDiffusion, FaceBatch, FaceView, Network, TrainingData
from palsykit.diffusion.model import EncodedBatch
from palsykit.diffusion.objective import Pass, denoising_pass, draw_noise, one_group
from palsykit.errors import PalsykitError
from palsykit.networks import SharedNetwork, computed_once
from palsykit.seeds import spawn


class CycleTrainer:
    """L(theta) + sigma L(theta'), with identity and landmark losses on x0_hat in both passes.

    First pass: X_t = sqrt(abar_t) X_0 + sqrt(1 - abar_t) eps, conditions from X_ID and X_0; it gives L and x0_hat,
    clipped to [-1, 1]. Second pass: x0_hat replaces X_0; it is noised, the driver's conditions (expression, landmarks)
    are encoded again from it, and the noise is predicted again. With a codec x0_hat is latents: it is noised as it is,
    and decoded for the conditions and the networks. In each pass:

    - identity: 1 - cosine of the recognition embeddings of x0_hat and a reference that moves with time from X_0
      (t = 0) to X_ID (t = T): (t/T) (1 - cos(., X_ID)) + (1 - t/T) (1 - cos(., X_0)), as in DCFace (arXiv:2304.07060);
    - landmark: mean squared difference of the 136 coordinates that the points network finds in x0_hat and in X_0, in
      image sides.

    If the authors' released code differs from their paper, we follow the paper: the second pass draws its own noise and
    time steps (``second_noise: same`` re-uses those of the first pass, as in the released code), and its losses compute
    x0 from its own noisy image. sigma weights the whole second pass, including the auxiliary losses; the paper leaves
    this open. The second pass has its own random stream, so with all weights 0 the steps equal those of plain diffusion
    to the last bit.

    Args:
        data: the training data; not used.
        cycle_weight: sigma.
        identity_weight: weight of the identity loss.
        landmark_weight: weight of the landmark loss.
        second_noise: "fresh" draws new noise and time steps for the second pass; "same" re-uses those of the first.
        condition_gradients: let the gradient of the second pass also reach x0_hat through the conditions encoded from
            it.
        min_snr: gamma of min-SNR weighting (arXiv:2303.09556) of both noise losses; None for the paper's equal weights.
        recognition: network that gives the embedding for the identity loss.
        points: network that finds landmarks.

    Raises:
        PalsykitError: a loss needs the gradient of a network that gives none.
    """

    def __init__(
        self,
        data: TrainingData,
        *,
        cycle_weight: float = 0.3,
        identity_weight: float = 0.05,
        landmark_weight: float = 10.0,
        second_noise: Literal["fresh", "same"] = "fresh",
        condition_gradients: bool = True,
        min_snr: float | None = None,
        recognition: Network | str = "recognition",
        points: Network | str = "points",
    ):
        self.cycle_weight, self.identity_weight, self.landmark_weight = cycle_weight, identity_weight, landmark_weight
        self.second_noise, self.condition_gradients, self.min_snr = second_noise, condition_gradients, min_snr
        self.recognition, self.points = recognition, points
        if identity_weight > 0:
            _require_gradient(recognition, "recognition", "or set identity_weight: 0")
        if landmark_weight > 0:
            _require_gradient(points, "points", "or set landmark_weight: 0")

    def groups(self, model: ConditionalDiffusion) -> dict[str, list[nn.Parameter]]:
        """One optimiser for all trainable parameters: encoders, fusion, null tokens and denoiser.

        Raises:
            PalsykitError: the model is not a diffusion model, or the second pass needs the gradient of a condition's
                network that gives none.
        """
        group = one_group(model)
        if self.cycle_weight > 0 and self.condition_gradients:
            readers = {f"conditions.{name}": (model.encoders[name], views) for name, views in model.views.items()}
            readers |= {f"maps.{name}": (overlay.map, overlay.map.views) for name, overlay in model.maps.items()}
            for key, (reader, views) in readers.items():
                for network in vars(reader).values() if "driver" in views else ():
                    if isinstance(network, SharedNetwork):
                        _require_gradient(network, key, "or set condition_gradients: false")
        return group

    def losses(
        self, model: ConditionalDiffusion, batch: FaceBatch, generator: torch.Generator, phase: str
    ) -> dict[str, Tensor]:
        """Terms "noise", "identity", "landmark", and "cycle_..." for the second pass. A weight of 0 omits its term.

        Conditions and losses read the photographs and the estimate of the first pass with the same networks, which
        therefore run once for both.
        """
        with computed_once():
            return self._both_passes(model, batch, generator)

    def _both_passes(
        self, model: ConditionalDiffusion, batch: FaceBatch, generator: torch.Generator
    ) -> dict[str, Tensor]:
        assert batch.target is not None  # true for all training batches
        # First pass.
        x_0 = model.codec.encode(batch.target.image)
        noise, t = draw_noise(model, x_0, generator)
        encoded = model.drop(model.encode(batch), generator)
        references = self._references(batch)
        first = denoising_pass(model, x_0, model.fuse(encoded), noise, t, self.min_snr)
        picture = model.codec.decode(first.x0_hat)
        terms = {"noise": first.loss, **self._auxiliary(model, first, references, picture)}
        # Second pass.
        if self.cycle_weight > 0:
            if self.second_noise == "fresh":
                noise, t = draw_noise(model, x_0, spawn(generator, "second pass"))
            second = self._second_pass(model, batch, encoded, first, picture, noise, t)
            again = {"noise": second.loss, **self._auxiliary(model, second, references)}
            terms |= {f"cycle_{name}": self.cycle_weight * term for name, term in again.items()}
        return terms

    def _second_pass(
        self,
        model: ConditionalDiffusion,
        batch: FaceBatch,
        encoded: EncodedBatch,
        first: Pass,
        picture: Tensor,
        noise: Tensor,
        t: Tensor,
    ) -> Pass:
        """Denoise x0_hat of the first pass, with the driver's conditions encoded from its ``picture``."""
        seen = picture if self.condition_gradients else picture.detach()
        again = FaceBatch(batch.identity, FaceView.of_images(seen))
        # Conditions that were dropped in the first pass are encoded, too, because x0_hat is known.
        encoded = encoded | model.encode(again, reading="driver", grad=True)
        return denoising_pass(model, first.x0_hat, model.fuse(encoded), noise, t, self.min_snr)

    @torch.no_grad()
    def _references(self, batch: FaceBatch) -> dict[str, Tensor]:
        """References of the auxiliary losses: embeddings of X_ID and X_0, landmarks in X_0; in full precision."""
        assert batch.target is not None
        references = {}
        with torch.autocast(batch.target.image.device.type, enabled=False):  # only so can networks use their caches
            if self.identity_weight > 0:
                references["person"] = self._embed(batch.identity.image)
                references["truth"] = self._embed(batch.target.image)
            if self.landmark_weight > 0:
                references["points"] = self._coordinates(batch.target.image)
        return references

    def _auxiliary(
        self,
        model: ConditionalDiffusion,
        result: Pass,
        references: dict[str, Tensor],
        picture: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """The identity and landmark losses of one pass, weighted; ``picture``: its x0_hat, if it is decoded already."""
        terms: dict[str, Tensor] = {}
        if not references:
            return terms
        picture = model.codec.decode(result.x0_hat) if picture is None else picture
        if self.identity_weight > 0:
            embedding = self._embed(picture)
            gamma = result.t / model.timesteps
            to_person, to_truth = ((embedding * references[name]).sum(-1) for name in ("person", "truth"))
            cosine = gamma * to_person + (1 - gamma) * to_truth
            terms["identity"] = self.identity_weight * (1 - cosine).mean()
        if self.landmark_weight > 0:
            terms["landmark"] = self.landmark_weight * F.mse_loss(self._coordinates(picture), references["points"])
        return terms

    def _embed(self, image: Tensor) -> Tensor:
        return F.normalize(self.recognition(image).embedding.float(), dim=-1)

    def _coordinates(self, image: Tensor) -> Tensor:
        return self.points(image).points.float() / image.shape[-1]


def _require_gradient(network: Network | str, key: str, otherwise: str) -> None:
    """Refuse, before any training, a network that passes no gradient to the picture."""
    if not getattr(network, "differentiable", True):
        name = getattr(network, "name", type(network).__name__)
        raise PalsykitError(
            f"{key}: network {name!r} gives no gradient (differentiable = False), expected a torch network such as ir, "
            f"because the trainer cycle differentiates through it; name another, {otherwise}"
        )
