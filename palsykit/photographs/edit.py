"""Apply a synthesis to the pixels of a photograph, at the photograph's own size.

A model's picture is small, and it differs from the person's crop in two ways: places have moved, and something was
added (teeth, folds, shut lids). Both scale. With v the photograph whose own pixels moved, g the model's guess and p its
picture (g and p small, enlarged smoothly), the result is p + w (v - g): v - g is the photograph's fine detail, and w
falls from 1 to 0 where the model changed or moved much. Outside the mask no pixel changes.

Coordinates: a pixel's centre is at (x + 0.5, y + 0.5) px. The face frame (palsykit.faces.alignment) has the side 1.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import distance_transform_edt, gaussian_filter
from scipy.spatial import ConvexHull
from torch import Tensor

from palsykit.faces.landmarks import LEFT_BROW, RIGHT_BROW
from palsykit.faces.warping import places

GRID = 256
"""Samples per side of the frame for moves and mask."""
FEATHER = 0.05
"""Width of the mask's soft edge, inside the face, in frame sides."""
FOREHEAD = 0.12
"""How far above the brows the face reaches, in frame sides."""
OVAL = (0.18, 0.1, 0.82, 0.96)
"""Left, top, right and bottom of a face without landmarks, in frame sides."""
CHANGED = 0.09
"""Change by the model, of pixels in [-1, 1], at which 1/e of the photograph's fine detail stays."""
MOVED = 0.02
"""Move in frame sides at which 1/e of it stays: where much moves, no one knows to the pixel where it goes.

Both were chosen on the validation people of benchmarks/native_size.py: with more the result is sharper, but fine detail
in a wrong place is further from the truth than none; with less it is more blurred and no nearer (docs/lab-notes.md)."""
SPREAD = 0.7
"""Standard deviation in px of the model's picture with which a change spreads to its neighbours."""
STRIP = 1 << 20
"""About how many pixels are computed at a time, so that memory is bounded."""


@dataclass(frozen=True, eq=False)
class Edit:
    """What a synthesis changes in a face, at any resolution.

    Attributes:
        picture: [3, S, S] in [-1, 1], the face frame as the model made it.
        mask: [G, G], 1 in the face, 0 outside, soft between.
        guess: [3, S, S], the warped photograph that the model corrected; None: ``picture`` replaces the face.
        moves: [G, G, 2], from where a place is read, minus that place, in frame sides; None as ``guess``.
        detail: [1, S, S], how much of the photograph's fine detail stays, 0 to 1; None as ``guess``.
    """

    picture: Tensor
    mask: Tensor
    guess: Tensor | None = None
    moves: Tensor | None = None
    detail: Tensor | None = None

    @property
    def replaces(self) -> bool:
        """Whether the new face replaces the pixels, because the model does not say what moves."""
        return self.moves is None


def edit_of(picture: Tensor, mask: Tensor, guess: Tensor, source: Tensor, target: Tensor) -> Edit:
    """The edit of a picture [3, S, S] that corrects a warped photograph.

    Args:
        picture: what the model made.
        mask: [G, G].
        guess: [3, S, S], the warped photograph.
        source: [68, 2], landmarks in the photograph, in frame sides.
        target: [68, 2], where they go.
    """
    size = len(mask)
    steps = (torch.arange(size) + 0.5) / size
    here = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), -1)
    moves = places(source[None].cpu(), target[None].cpu(), size, size)[0] - here
    picture, guess = picture.float().cpu(), guess.float().cpu()
    # Where the model added something, such as teeth, the photograph's fine detail is that of something else.
    change = torch.from_numpy(gaussian_filter((picture - guess).abs().amax(0).numpy(), SPREAD))
    far = F.interpolate(moves.float().norm(dim=-1)[None, None], change.shape, mode="area")[0]
    return Edit(picture, mask, guess, moves, torch.exp(-((change[None] / CHANGED) ** 2) - (far / MOVED) ** 2))


def face_mask(points: NDArray[np.floating], size: int = GRID) -> Tensor:
    """1 in the face, 0 outside and at the frame's border, with a soft edge inside the face: [size, size].

    The face is the convex hull of landmarks and forehead.

    Args:
        points: [N, 68, 2], landmarks before and after, in frame sides.
        size: of the mask.
    """
    forehead = points[:, [*RIGHT_BROW, *LEFT_BROW]] - [0, FOREHEAD]
    outline = np.concatenate([points, forehead], 1).reshape(-1, 2)
    outline = outline[ConvexHull(outline).vertices] * size
    canvas = Image.new("1", (size, size))
    ImageDraw.Draw(canvas).polygon([(float(x), float(y)) for x, y in outline], fill=1)
    return _soft(np.asarray(canvas))


def oval_mask(size: int = GRID) -> Tensor:
    """``face_mask`` for a face without landmarks: an oval about the frame's five points."""
    canvas = Image.new("1", (size, size))
    ImageDraw.Draw(canvas).ellipse([size * edge for edge in OVAL], fill=1)
    return _soft(np.asarray(canvas))


def _soft(inside: NDArray[np.bool_]) -> Tensor:
    """1 inside, 0 outside, rising over ``FEATHER`` from the outline inwards."""
    padded = np.pad(inside, 1)  # the frame's border is outside, so the mask is 0 there
    depth = distance_transform_edt(padded)[1:-1, 1:-1] / len(inside) / FEATHER
    share = torch.from_numpy(np.clip(depth, 0, 1)).float()
    return share * share * (3 - 2 * share)


def apply(edit: Edit, photograph: NDArray[np.uint8], to_frame: NDArray[np.floating]) -> NDArray[np.uint8]:
    """The photograph [H, W, 3] with the edit; a pixel where the mask is 0 keeps its value.

    Pixels are read where they moved from, with a cubic kernel, once: the photograph is not resampled on the way.

    Args:
        edit: what changes.
        photograph: 8-bit RGB.
        to_frame: [2, 3], px of the photograph -> frame sides.
    """
    result = photograph.copy()
    box = _box(edit.mask, to_frame, photograph.shape)
    if box is None:
        return result
    left, top, right, bottom = box
    # Read the part of the photograph that the edit reads, with room for what moves in from outside.
    to_photograph = np.linalg.inv(to_frame[:, :2])
    reach = 0.0 if edit.moves is None else float(np.abs(edit.moves.numpy() @ to_photograph.T).max())
    room = int(np.ceil(reach)) + 3
    x0, y0 = max(0, left - room), max(0, top - room)
    part = photograph[y0 : bottom + room, x0 : right + room]
    pixels = torch.tensor(part).permute(2, 0, 1)[None].float() / 127.5 - 1  # a copy: pictures from Pillow are read-only
    # Compute strip by strip.
    rows = max(1, STRIP // (right - left))
    for start in range(top, bottom, rows):
        stop = min(start + rows, bottom)
        at = _centres(left, start, right, stop)
        frame = _affine(at, to_frame)
        share = _sample(edit.mask[None, None], frame, "bilinear")
        new = _sample(edit.picture[None], frame, "bicubic")
        if edit.moves is None or edit.guess is None or edit.detail is None:
            old = pixels[:, :, start - y0 : stop - y0, left - x0 : right - x0]
        else:
            step = _sample(edit.moves.permute(2, 0, 1)[None], frame, "bilinear") * share
            there = at + step[0].permute(1, 2, 0) @ torch.from_numpy(to_photograph.T).float()
            old = _read(pixels, there - torch.tensor([x0, y0]))
            detail = _sample(edit.detail[None], frame, "bilinear")
            new = new + detail * (old - _sample(edit.guess[None], frame, "bicubic"))
        mixed = torch.lerp(old, new, share)
        values = ((mixed[0] + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()
        changed = (share[0, 0] > 0).numpy()
        result[start:stop, left:right][changed] = values[changed]
    return result


def _box(mask: Tensor, to_frame: NDArray[np.floating], shape: tuple[int, ...]) -> tuple[int, int, int, int] | None:
    """The part of the photograph in which the mask is not 0: left, top, right, bottom px; None if it is outside."""
    rows, columns = mask.nonzero(as_tuple=True)
    if not len(rows):
        return None
    low = np.array([int(columns.min()), int(rows.min())]) / len(mask)
    high = np.array([int(columns.max()) + 1, int(rows.max()) + 1]) / len(mask)
    corners = np.array([[x, y] for x in (low[0], high[0]) for y in (low[1], high[1])])
    there = (corners - to_frame[:, 2]) @ np.linalg.inv(to_frame[:, :2]).T
    left, top = np.maximum(np.floor(there.min(0)).astype(int) - 1, 0)
    right, bottom = np.minimum(np.ceil(there.max(0)).astype(int) + 1, [shape[1], shape[0]])
    return None if left >= right or top >= bottom else (int(left), int(top), int(right), int(bottom))


def _centres(left: int, top: int, right: int, bottom: int) -> Tensor:
    """Centres of pixels, [H, W, 2] px."""
    x, y = torch.arange(left, right) + 0.5, torch.arange(top, bottom) + 0.5
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)


def _affine(points: Tensor, matrix: NDArray[np.floating]) -> Tensor:
    linear, shift = torch.from_numpy(matrix[:, :2].T.copy()).float(), torch.from_numpy(matrix[:, 2].copy()).float()
    return points @ linear + shift


def _sample(values: Tensor, at: Tensor, mode: str) -> Tensor:
    """Values [1, C, G, G] over the frame, at places [H, W, 2] in frame sides: [1, C, H, W]."""
    return F.grid_sample(values, 2 * at[None] - 1, mode=mode, padding_mode="border", align_corners=False)


def _read(pixels: Tensor, at: Tensor) -> Tensor:
    """Pixels [1, 3, h, w] at places [H, W, 2] px, with a cubic kernel; the edge is repeated."""
    sides = torch.tensor([pixels.shape[-1], pixels.shape[-2]])
    grid = 2 * at[None] / sides - 1
    return F.grid_sample(pixels, grid, mode="bicubic", padding_mode="border", align_corners=False)
