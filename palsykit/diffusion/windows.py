"""Windows about the face: training on a part of the pictures, which costs a fraction of a step on whole ones.

Expressions show about forehead, brows, eyes and mouth, and a denoiser without position codes works at every size that
its levels allow (as in Patch Diffusion, Wang et al., arXiv:2304.12526).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

from palsykit.diffusion.model import ConditionalDiffusion
from palsykit.faces.landmarks import JAW, NOSE_BRIDGE
from palsykit.faces.views import FaceView
from palsykit.interfaces import Conditioning
from palsykit.seeds import of_step, uniform

SHIFT = 0.2
"""A window lies at most this fraction of its side beside the middle of the face, in each direction: far enough that the
head's edge is often inside. With 0.1 lifted brows had bright lines beside the head, which only whole pictures show."""


@dataclass(frozen=True)
class Window:
    """A square in each row of x_t.

    Attributes:
        corners: (top, left) of each row.
        side: of the squares.
    """

    corners: Sequence[tuple[int, int]]
    side: int

    def cut(self, pictures: Tensor) -> Tensor:
        """The squares [B, C, side, side] of pictures [B, C, H, W]."""
        rows = zip(pictures, self.corners, strict=True)
        return torch.stack([row[:, top : top + self.side, left : left + self.side] for row, (top, left) in rows])

    def within(self, conditioning: Conditioning) -> Conditioning:
        """The conditioning with maps and guess cut to the squares."""
        spatial, guess = conditioning.spatial, conditioning.guess
        return replace(
            conditioning,
            spatial=None if spatial is None else self.cut(spatial),
            guess=None if guess is None else replace(guess, image=self.cut(guess.image)),
        )


def draw_window(
    model: ConditionalDiffusion, view: FaceView, side: int | None, whole: float, generator: Generator
) -> Window | None:
    """The windows of a step about the faces of ``view``; None: the step is on whole pictures.

    Args:
        model: with a codec the latents are cut, at whole latents.
        view: the photographs that are denoised.
        side: in px; None: no window.
        whole: share of the steps on whole pictures.
        generator: of the step.
    """
    if side is None or float(torch.rand((), generator=of_step(generator))) < whole:
        return None
    factor = model.codec.factor
    return Window([(top // factor, left // factor) for top, left in _corners(view, side, generator)], side // factor)


def check_side(side: int | None, image_size: int) -> None:
    """Refuse a window that is larger than the pictures.

    Raises:
        ValueError: it is.
    """
    if side is not None and side > image_size:
        raise ValueError(f"window: found {side} px, expected at most the pictures' side, {image_size} px")


def check_codec(side: int | None, model: ConditionalDiffusion) -> None:
    """Refuse a window that is no whole number of latents.

    Raises:
        ValueError: it is none.
    """
    if side is not None and side % model.codec.factor:
        raise ValueError(f"window: found {side} px, expected a multiple of the codec's factor, {model.codec.factor}")


def _corners(view: FaceView, side: int, generator: Generator) -> list[tuple[int, int]]:
    """(top, left) of a window in each row: about the middle of the face without the jaw, shifted at random.

    The face without the jaw goes from the lower lip to the top of the forehead, which is as far above the brows as the
    bridge of the nose is long. Forehead lines are there, and the brows alone do not show who lifts them.
    """
    marks = getattr(view.landmarks, "on_host", view.landmarks).cpu()  # so that the host need not wait for a GPU
    points, size = marks[:, len(JAW) :], view.image.shape[-1]
    low, high = points.amin(1), points.amax(1)
    root, tip = (marks[:, NOSE_BRIDGE[end], 1] for end in (0, -1))
    low[:, 1] -= (tip - root).abs()
    middle = ((low + high) / 2).nan_to_num(size / 2)  # the picture's where no landmarks are known
    shift = (uniform(middle.shape, generator) * 2 - 1) * SHIFT * side
    corners = (middle + shift - side / 2).round().clamp(0, size - side).long()
    return [(top, left) for left, top in corners.tolist()]
