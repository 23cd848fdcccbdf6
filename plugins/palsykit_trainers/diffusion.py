"""Plain conditional diffusion: the only loss is that of the predicted noise."""

from dataclasses import replace
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from palsykit import ConditionalDiffusion, FaceBatch, FaceView, TrainingData
from palsykit.diffusion.objective import denoising_pass, draw_noise, one_group
from palsykit.faces.landmarks import JAW, NOSE_BRIDGE
from palsykit.interfaces import Conditioning
from palsykit.seeds import of_step, uniform

SHIFT = 0.2
"""A window lies at most this fraction of its side beside the middle of the face, in each direction: far enough that the
head's edge is often inside. With 0.1 lifted brows had bright lines beside the head, which only whole pictures show."""


class DiffusionTrainer:
    """L(theta) = E ||eps - eps_theta(X_t, t)||^2 (DDPM, arXiv:2006.11239, eq. 14; CFCPalsy's first term).

    With ``window``, most steps train on a part of the pictures: a square about forehead, brows, eyes and mouth, where
    expressions show. A step then costs a fraction of one on whole pictures (as in Patch Diffusion, Wang et al.,
    arXiv:2304.12526).

    Args:
        data: the training data.
        min_snr: gamma of min-SNR loss weighting (arXiv:2303.09556); None gives every time step the same weight.
        window: side in px of the square; None: whole pictures. The denoiser must work at this size, too. With a codec
            the latents are cut, at whole latents.
        whole: share of the steps on whole pictures, with a window.

    Raises:
        ValueError: the window is larger than the pictures, or not a multiple of the codec's factor.
    """

    def __init__(
        self,
        data: TrainingData,
        *,
        min_snr: float | None = None,
        window: Annotated[int, Field(ge=16)] | None = None,
        whole: Annotated[float, Field(ge=0, le=1)] = 0.2,
    ):
        if window is not None and window > data.image_size:
            raise ValueError(f"window: found {window} px, expected at most the pictures' side, {data.image_size} px")
        self.min_snr, self.window, self.whole = min_snr, window, whole

    def groups(self, model: ConditionalDiffusion) -> dict[str, list[nn.Parameter]]:
        """One optimiser for all trainable parameters."""
        group = one_group(model)
        if self.window is not None and self.window % model.codec.factor:
            factor = model.codec.factor
            raise ValueError(f"window: found {self.window} px, expected a multiple of the codec's factor, {factor}")
        return group

    def losses(
        self, model: ConditionalDiffusion, batch: FaceBatch, generator: torch.Generator, phase: str
    ) -> dict[str, Tensor]:
        """{"noise": scalar}."""
        assert batch.target is not None  # true for all training batches
        x_0 = model.codec.encode(batch.target.image)
        noise, t = draw_noise(model, x_0, generator)
        conditioning = model.fuse(model.drop(model.encode(batch), generator))
        if self.window is not None and float(torch.rand((), generator=of_step(generator))) >= self.whole:
            factor = model.codec.factor
            corners = [(y // factor, x // factor) for y, x in _corners(batch.target, self.window, generator)]
            side = self.window // factor
            x_0, noise = _cut(x_0, corners, side), _cut(noise, corners, side)
            conditioning = _within(conditioning, corners, side)
        return {"noise": denoising_pass(model, x_0, conditioning, noise, t, self.min_snr).loss}


def _corners(view: FaceView, side: int, generator: torch.Generator) -> list[tuple[int, int]]:
    """(top, left) of a window in each row: about the middle of the face without the jaw, shifted at random.

    The face without the jaw goes from the lower lip to the top of the forehead, which is as far above the brows as the
    bridge of the nose is long. Forehead lines are there, and the brows alone do not show who lifts them.
    """
    points, size = view.landmarks[:, len(JAW) :].cpu(), view.image.shape[-1]
    low, high = points.amin(1), points.amax(1)
    root, tip = (view.landmarks[:, NOSE_BRIDGE[end], 1].cpu() for end in (0, -1))
    low[:, 1] -= (tip - root).abs()
    middle = ((low + high) / 2).nan_to_num(size / 2)  # the picture's where no landmarks are known
    shift = (uniform(middle.shape, generator) * 2 - 1) * SHIFT * side
    corners = (middle + shift - side / 2).round().clamp(0, size - side).long()
    return [(top, left) for left, top in corners.tolist()]


def _cut(pictures: Tensor, corners: list[tuple[int, int]], side: int) -> Tensor:
    """The windows [B, C, side, side] of pictures [B, C, H, W]."""
    cut = [row[:, top : top + side, left : left + side] for row, (top, left) in zip(pictures, corners, strict=True)]
    return torch.stack(cut)


def _within(conditioning: Conditioning, corners: list[tuple[int, int]], side: int) -> Conditioning:
    """The conditioning with maps and guess cut to the windows."""
    spatial, guess = conditioning.spatial, conditioning.guess
    return replace(
        conditioning,
        spatial=None if spatial is None else _cut(spatial, corners, side),
        guess=None if guess is None else replace(guess, image=_cut(guess.image, corners, side)),
    )
