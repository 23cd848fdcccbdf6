"""Read the face mesh (Kartynnik et al., arXiv:1907.06724) and the iris model (Ablavatski et al., arXiv:2006.11341)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from palsykit_faces.graph import Graph
from palsykit_faces.picture import Picture, Square

OUTER = (33, 263)
"""The mesh's points at the outer corners of the subject's right and left eye."""
INNER = (133, 362)
_AROUND = 1.5
"""Side of the square that the mesh reads, in sides of the box around the face."""
_EYE = 2.3
"""Side of the square that the iris model reads, in distances between an eye's corners."""


@dataclass(frozen=True, eq=False)
class Mesh:
    """468 points [468, 3] in px of the photograph (the third: depth), and the presence of a face, 0 to 1."""

    points: NDArray[np.float64]
    presence: float

    def square(self) -> Square:
        """The square around the points, turned so that the outer corners of the eyes are level."""
        line = self.points[OUTER[1], :2] - self.points[OUTER[0], :2]
        roll = float(np.arctan2(line[1], line[0]))
        turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
        upright = self.points[:, :2] @ turn
        low, high = upright.min(0), upright.max(0)
        x, y = turn @ ((low + high) / 2)
        return Square(float(x), float(y), float((high - low).max()), roll)


def read_meshes(graph: Graph, picture: Picture, squares: Sequence[Square]) -> list[Mesh]:
    """The mesh in each square around a face."""
    if not squares:
        return []
    size = graph.side
    around = [square.larger(_AROUND) for square in squares]
    pixels = np.stack([picture.cut(square, size, repeat_edge=True) for square in around])
    with torch.inference_mode():
        points, presence = graph(torch.from_numpy(pixels / 255).permute(0, 3, 1, 2))
    rows = points.reshape(-1, 468, 3).numpy().astype(np.float64)
    sure = presence.flatten().sigmoid().tolist()
    return [Mesh(_place(row, square, size), s) for row, square, s in zip(rows, around, sure, strict=True)]


def read_eyes(graph: Graph, picture: Picture, mesh: Mesh) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both eyes of a face, the subject's right one first.

    Returns:
        lids [2, 71, 2] px: 0 to 8 the lower lid from the outer to the inner corner, 9 to 15 the upper lid likewise
        without the corners, then rings around them and the brow.
        irises [2, 5, 2] px: the centre, then the edge on the inner side, above, on the outer side, below.
    """
    size, squares = graph.side, []
    roll = mesh.square().roll
    for outer, inner in zip(OUTER, INNER, strict=True):
        a, b = mesh.points[outer, :2], mesh.points[inner, :2]
        x, y = (a + b) / 2
        squares.append(Square(float(x), float(y), float(np.hypot(*(a - b))) * _EYE, roll))
    pixels = np.stack([picture.cut(square, size, repeat_edge=True) for square in squares])
    pixels[1] = pixels[1, :, ::-1].copy()  # the model knows the subject's right eye only
    with torch.inference_mode():
        lids, irises = graph(torch.from_numpy(pixels / 255).permute(0, 3, 1, 2))
    results = []
    for values in (lids.reshape(2, 71, 3), irises.reshape(2, 5, 3)):
        points = values.numpy().astype(np.float64)
        points[1, :, 0] = size - points[1, :, 0]
        results.append(np.stack([_place(p, s, size)[:, :2] for p, s in zip(points, squares, strict=True)]))
    return results[0], results[1]


def _place(points: NDArray[np.float64], square: Square, size: int) -> NDArray[np.float64]:
    """Points [N, 3] in px of a cut, in px of the photograph."""
    matrix = square.matrix(size)
    return np.column_stack([points[:, :2] @ matrix[:, :2].T + matrix[:, 2], points[:, 2] * square.side / size])
