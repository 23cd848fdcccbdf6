"""Parts of pictures: layers are drawn in windows about eyes, mouth and folds, because whole pictures take longer."""

from dataclasses import dataclass

import torch
from torch import Tensor

from palsykit_face_space.warp import SIZE


@dataclass(frozen=True)
class Windows:
    """N windows of one size in B pictures of side ``steps`` px.

    Attributes:
        faces: [N], the picture of each.
        corners: [N, 2] left and top, px of the pictures.
        width, height: px of the pictures.
    """

    faces: list[int]
    corners: list[tuple[int, int]]
    width: int
    height: int
    steps: int

    @property
    def x(self) -> Tensor:
        """Of pixel centres, px of the frame: [N, 1, width]."""
        return self._centres(0, self.width)[:, None]

    @property
    def y(self) -> Tensor:
        """Of pixel centres, px of the frame: [N, height, 1]."""
        return self._centres(1, self.height)[..., None]

    def _centres(self, axis: int, count: int) -> Tensor:
        start = torch.tensor([corner[axis] for corner in self.corners], dtype=torch.float32)
        return (start[:, None] + torch.arange(count) + 0.5) * (SIZE / self.steps)

    def cut(self, pictures: Tensor) -> Tensor:
        """[B, C, steps, steps] -> [N, C, height, width]."""
        return torch.stack([self._of(pictures, row) for row in range(len(self.faces))])

    def paste(self, pictures: Tensor, parts: Tensor) -> None:
        """Write [N, C, height, width] into [B, C, steps, steps], in order."""
        for row, part in enumerate(parts):
            self._of(pictures, row)[:] = part

    def multiply(self, pictures: Tensor, factors: Tensor) -> None:
        """Multiply pictures [B, C, steps, steps] by [N, 1 or C, height, width]; where windows overlap, by both."""
        for row, factor in enumerate(factors):
            self._of(pictures, row).mul_(factor)

    def _of(self, pictures: Tensor, row: int) -> Tensor:
        left, top = self.corners[row]
        return pictures[self.faces[row], :, top : top + self.height, left : left + self.width]


def about(points: Tensor, faces: list[int], margin: float, steps: int) -> Windows:
    """The windows that hold points [N, K, 2] and ``margin`` px of the frame around them; all as large as the largest.

    A part outside the picture is left out.
    """
    scale = steps / SIZE
    low = ((points.amin(1) - margin) * scale).floor().long().clamp(0, steps - 1)
    high = ((points.amax(1) + margin) * scale).ceil().long().clamp(1, steps)
    width, height = (high - low).amax(0).clamp_min(1).tolist()
    corners = torch.minimum(low, torch.tensor([steps - width, steps - height]))
    return Windows(faces, [(x, y) for x, y in corners.tolist()], width, height, steps)
