"""Progressive distillation (Salimans and Ho, arXiv:2202.00512): one step of the student is several of the teacher."""

import copy
from pathlib import Path
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from palsykit import ConditionalDiffusion, FaceBatch, TrainingData
from palsykit.devices import sent
from palsykit.diffusion.objective import denoising_pass, one_group
from palsykit.diffusion.windows import check_codec, check_side, draw_window
from palsykit.interfaces import Conditioning
from palsykit.run.model_folder import load_into, load_model
from palsykit.seeds import integers, normal, spawn
from palsykit_distillation.times import grid, levels


class DistillationTrainer:
    """Train a student for ``steps`` steps of deterministic DDIM (``sampler: {use: ddim, spacing: trailing, eta: 0}``).

    Per row: one of the student's times t is drawn, x_t is the noised photograph, and the teacher walks from t to the
    student's next time in ``substeps`` steps of deterministic DDIM. The student learns the x_0 with which a single step
    of DDIM from x_t arrives where the teacher arrived: with signal a and noise n at t, a' and n' at the next time,

        x_0 = (x' - n'/n x_t) / (a' - a n'/n)      (arXiv:2202.00512, appendix G)

    The last step ends without noise, where x_0 is the teacher's picture. The loss is that of plain diffusion with this
    x_0 and the noise that belongs to it. Differences to the paper: the student has its final number of steps at once,
    in place of halving it several times, and the loss has no truncated SNR weight: with a guess the error is that of
    the denoiser's own output, whose scale is the same at all times.

    The teacher is a frozen copy and no module of this trainer, so no checkpoint or average contains it. It drops the
    same conditions in the same rows.

    Args:
        data: the training data.
        steps: of the student's sampler; a divisor of the training's number of time steps.
        substeps: of the teacher in one step of the student.
        teacher: a run folder, or a safetensors file with the weights of this recipe's model; student and teacher start
            from it. None: both start from the weights in ``train.start``.
        window: side in px of the squares about the face on which most steps train; None: whole pictures.
        whole: share of the steps on whole pictures, with a window.

    Raises:
        ValueError: the window is larger than the pictures.
    """

    def __init__(
        self,
        data: TrainingData,
        *,
        steps: Annotated[int, Field(ge=1)] = 4,
        substeps: Annotated[int, Field(ge=2)] = 2,
        teacher: Path | None = None,
        window: Annotated[int, Field(ge=16)] | None = None,
        whole: Annotated[float, Field(ge=0, le=1)] = 0.2,
    ):
        check_side(window, data.image_size)
        self.steps, self.substeps, self.window, self.whole = steps, substeps, window, whole
        self.path = teacher
        self.teacher: ConditionalDiffusion | None = None

    def groups(self, model: ConditionalDiffusion) -> dict[str, list[nn.Parameter]]:
        """One optimiser for all trainable parameters; the teacher is copied here, before a checkpoint is loaded.

        Raises:
            PalsykitError: the model is not a diffusion model, or the teacher's weights are not this model's.
            ValueError: the window does not fit the codec, or the steps do not fit the model's time steps.
        """
        group = one_group(model)
        check_codec(self.window, model)
        self.times = grid(model.timesteps, self.steps, self.substeps)
        if self.path is not None:
            (load_model if self.path.is_dir() else load_into)(model, _weights(self.path))
        self.teacher = copy.deepcopy(model).eval().requires_grad_(False)
        return group

    def losses(
        self, model: ConditionalDiffusion, batch: FaceBatch, generator: torch.Generator, phase: str
    ) -> dict[str, Tensor]:
        """{"distillation": scalar}."""
        assert batch.target is not None  # true for all training batches
        assert self.teacher is not None  # groups() runs before the first loss
        # Draw the noise and one of the student's steps.
        x_0 = model.codec.encode(batch.target.image)
        noise = normal(x_0.shape, generator, x_0.device)
        walk = sent(self.times[integers(0, self.steps, (len(x_0),), generator)], x_0.device)
        # Encode with both models, drop the same conditions, and cut the same window.
        conditioning, known = (
            each.fuse(each.drop(each.encode(batch), spawn(generator, "drop"))) for each in (model, self.teacher)
        )
        window = draw_window(model, batch.target, self.window, self.whole, generator)
        if window is not None:
            x_0, noise, conditioning, known = (
                window.cut(x_0), window.cut(noise), window.within(conditioning), window.within(known)
            )  # fmt: skip
        # Let the teacher walk, and train on what takes the student there in one step.
        x_t = model.add_noise(x_0, noise, walk[:, 0])
        aim, implied = self._aim(x_t, walk, known)
        return {"distillation": denoising_pass(model, aim, conditioning, implied, walk[:, 0]).loss}

    @torch.no_grad()
    def _aim(self, x_t: Tensor, walk: Tensor, conditioning: Conditioning) -> tuple[Tensor, Tensor]:
        """The x_0 to predict at x_t [B, C, H, W], and the noise that belongs to it.

        ``walk`` [B, substeps + 1]: the teacher's times from t on; -1 is without noise.
        """
        teacher = self.teacher
        assert teacher is not None
        x = x_t
        for t, later in zip(walk.T[:-1], walk.T[1:], strict=True):
            estimate = teacher.predict_x0(teacher.predict(x, t, conditioning).float(), x, t)
            signal, sigma = teacher.signal_and_noise(t)
            next_signal, next_sigma = levels(teacher, later)
            x = next_signal * estimate + next_sigma / sigma * (x - signal * estimate)
        (signal, sigma), (end_signal, end_sigma) = teacher.signal_and_noise(walk[:, 0]), levels(teacher, walk[:, -1])
        ratio = end_sigma / sigma
        aim = (x - ratio * x_t) / (end_signal - ratio * signal)
        return aim, (x_t - signal * aim) / sigma


def _weights(path: Path) -> Path:
    return path / "model" if (path / "model").is_dir() else path
