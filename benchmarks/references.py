"""What palsykit's speed is compared with: CFCPalsy as its released code computes it, and diffusers' stock loop.

Both are written plainly from the method's description (arXiv:2409.07271 and the settings of the released code), with
the very same U-Net and encoder networks as palsykit's recipe, so that only the algorithm differs:

- ``released``: both passes of the cycle and their identity and landmark losses; every network reads every picture
  whenever its output is needed; sampling runs all encoders again in each of 50 steps of DDIM with eta 1;
- ``stock``: the loop of diffusers' training examples: encoders without gradients in every step, one pass, mean
  squared error of the noise; sampling runs the encoders once.
"""

import torch
import torch.nn.functional as F
from diffusers import DDIMScheduler, DDPMScheduler
from diffusers.training_utils import EMAModel
from torch import Tensor

from palsykit.diffusion.model import ConditionalDiffusion
from palsykit.interfaces import Encoded, NetworkOutput
from palsykit.run.parts import Parts

STEPS = 50
CYCLE, IDENTITY, LANDMARK = 0.3, 0.05, 10.0


class References:
    """Training steps and samplers on one model, which both references share to save memory.

    Args:
        parts: of a recipe with the conditions identity, expression and landmark, without maps.
        rows: of a batch; pictures are noise, which does not change the cost.
    """

    def __init__(self, parts: Parts, rows: int):
        model = parts.model().to(parts.device).train()
        assert isinstance(model, ConditionalDiffusion)
        self.encoders, self.fusion, self.unet = model.encoders, model.fusion, model.denoiser.unet
        self.modules = {name: parts.networks[name].module for name in ("recognition", "expression", "points")}
        self.device, self.rows, size = parts.device, rows, parts.settings.image_size
        self.person, self.face = (torch.rand(rows, 3, size, size, device=self.device) * 2 - 1 for _ in range(2))
        trained = [p for p in model.parameters() if p.requires_grad]
        self.trained, self.optimiser = trained, torch.optim.AdamW(trained, lr=1e-4)
        self.average = EMAModel(self.unet.parameters(), decay=0.9999, use_ema_warmup=True, power=0.75)
        self.process = DDPMScheduler()  # 1000 steps, beta linear from 1e-4 to 0.02, noise prediction
        self.abar = self.process.alphas_cumprod.to(self.device)

    def released(self) -> None:
        """One training step of the released algorithm, in full precision."""
        noise, t = self._draw()
        signal, sigma = (share[:, None, None, None] for share in (self.abar[t].sqrt(), (1 - self.abar[t]).sqrt()))
        seen, total = self.face, torch.zeros((), device=self.device)
        for weight in (1.0, CYCLE):
            x_t = signal * seen + sigma * noise
            prediction = self._predict(x_t, t, *self._conditions(self.person, seen))
            x0_hat = ((x_t - sigma * prediction) / signal).clamp(-1, 1)
            total = total + weight * (F.mse_loss(prediction, noise) + self._auxiliary(x0_hat, t))
            seen = x0_hat
        total.backward()
        self._update()

    def stock(self, dtype: torch.dtype | None = None) -> None:
        """One training step of diffusers' loop; with autocast to ``dtype``."""
        noise, t = self._draw()
        with torch.autocast(self.device.type, dtype=dtype, enabled=dtype is not None):
            x_t = self.process.add_noise(self.face, noise, t)
            prediction = self._predict(x_t, t, *self._conditions(self.person, self.face))
            loss = F.mse_loss(prediction.float(), noise)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.trained, 1.0)
        self._update()

    @torch.no_grad()
    def sample(self, steps: int, again: bool) -> Tensor:
        """The first ``steps`` of 50 steps of DDIM with eta 1; ``again``: every encoder runs in every step."""
        scheduler = DDIMScheduler()
        scheduler.set_timesteps(STEPS)
        x = torch.randn_like(self.face)
        known = self._conditions(self.person, self.face)
        for number, t in enumerate(scheduler.timesteps[:steps]):
            if again and number:
                known = self._conditions(self.person, self.face)
            prediction = self._predict(x, t.to(self.device).expand(self.rows), *known)
            x = scheduler.step(prediction, t, x, eta=1.0).prev_sample
        return x

    def _draw(self) -> tuple[Tensor, Tensor]:
        return torch.randn_like(self.face), torch.randint(0, len(self.abar), (self.rows,), device=self.device)

    def _read(self, name: str, image: Tensor) -> NetworkOutput:
        output: NetworkOutput = self.modules[name](image)
        return output

    def _embed(self, name: str, image: Tensor) -> Tensor:
        embedding = self._read(name, image).embedding
        assert embedding is not None
        return F.normalize(embedding.float(), dim=-1)

    def _conditions(self, person: Tensor, face: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens and pooled vector."""
        who = self._read("recognition", person)
        assert who.embedding is not None
        features = {
            "identity": {"map": who.map, "embedding": F.normalize(who.embedding, dim=-1)},
            "expression": {"deviation": self._embed("expression", face) - self._embed("recognition", face)},
            "landmark": {"map": self._read("points", face).map},
        }
        encoded: dict[str, Encoded] = {name: self.encoders[name](value) for name, value in features.items()}
        pooled = encoded["identity"].pooled
        assert pooled is not None
        return self.fusion(encoded).tokens["fused"], pooled

    def _predict(self, x_t: Tensor, t: Tensor, tokens: Tensor, pooled: Tensor) -> Tensor:
        prediction: Tensor = self.unet(x_t, t, encoder_hidden_states=tokens, class_labels=pooled, return_dict=False)[0]
        return prediction

    def _auxiliary(self, x0_hat: Tensor, t: Tensor) -> Tensor:
        """Identity and landmark losses on the estimate; the references are read again each time."""
        made, late = self._embed("recognition", x0_hat), t / len(self.abar)
        to_person, to_face = ((made * self._embed("recognition", x)).sum(-1) for x in (self.person, self.face))
        found, true = (self._read("points", x).points for x in (x0_hat, self.face))
        assert found is not None
        assert true is not None
        side = x0_hat.shape[-1]
        identity = 1 - (late * to_person + (1 - late) * to_face).mean()
        return IDENTITY * identity + LANDMARK * F.mse_loss(found / side, true / side)

    def _update(self) -> None:
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.average.step(self.unet.parameters())
