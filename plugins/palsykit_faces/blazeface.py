"""Read the two BlazeFace detectors (Bazarevsky et al., arXiv:1907.05047): squares of a photograph to candidates."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from palsykit_faces.graph import Graph
from palsykit_faces.picture import Picture, Square

_STRIDES = {"short_range": ((8, 2), (16, 6)), "full_range": ((4, 1),)}
"""Model -> stride in px of its maps, and anchors at each place of a map."""
_SAME = 0.3
"""Overlap (intersection over union) from which boxes of one pass are one face, as in MediaPipe."""


@dataclass(frozen=True)
class Candidate:
    """What may be a face.

    Attributes:
        score: the detector's.
        square: its box as a square, turned so that the eyes are level.
        short_range: whether the short-range detector found it; its scores tell whether a face is upright.
    """

    score: float
    square: Square
    short_range: bool


class BlazeFace:
    """One of the two detectors.

    Args:
        name: ``short_range`` (faces that fill a fifth of the picture or more) or ``full_range`` (smaller ones).
        graph: the model.
        threshold: lowest score of a candidate.
    """

    def __init__(self, name: str, graph: Graph, threshold: float):
        self.graph, self.threshold, self.short_range = graph, threshold, name == "short_range"
        self.anchors = _anchors(graph.side, _STRIDES[name])

    def find(self, picture: Picture, squares: Sequence[Square]) -> list[Candidate]:
        """The candidates in squares of a photograph, the best of each square first."""
        size = self.graph.side
        pixels = np.stack([picture.cut(square, size) for square in squares])
        with torch.inference_mode():
            boxes, logits = self.graph(torch.from_numpy(pixels / 127.5 - 1).permute(0, 3, 1, 2))
        scores = logits[..., 0].clamp(-80, 80).sigmoid().numpy()
        rows = zip(squares, scores, boxes.numpy().astype(np.float64), strict=True)
        return [candidate for square, score, box in rows for candidate in self._decode(square.matrix(size), score, box)]

    def _decode(
        self, matrix: NDArray[np.float64], scores: NDArray[np.floating], rows: NDArray[np.float64]
    ) -> list[Candidate]:
        """scores [N] and rows [N, 16] of one square -> candidates; boxes of one face are averaged by score."""
        near = scores >= self.threshold
        scores, rows, anchors = scores[near], rows[near], self.anchors[near]
        centres, sizes = rows[:, :2] + anchors, rows[:, 2:4]
        eyes = rows[:, 4:8].reshape(-1, 2, 2) + anchors[:, None]  # the subject's right one, left one
        found = []
        left = np.argsort(-scores)
        while len(left):
            same = _overlap(centres[left[0]], sizes[left[0]], centres[left], sizes[left]) > _SAME
            same[0] = True
            group, left = left[same], left[~same]
            weight = scores[group] / scores[group].sum()
            x, y = matrix[:, :2] @ (weight @ centres[group]) + matrix[:, 2]
            line = matrix[:, :2] @ (weight @ (eyes[group, 1] - eyes[group, 0]))
            side = float(weight @ sizes[group].max(1)) * float(np.hypot(*matrix[:, 0]))
            roll = float(np.arctan2(line[1], line[0]))
            found.append(Candidate(float(scores[group[0]]), Square(float(x), float(y), side, roll), self.short_range))
        return found


def _anchors(side: int, strides: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
    """Centres [N, 2] in px, in the order of the models' outputs."""
    points = []
    for stride, count in strides:
        at = (np.arange(side // stride) + 0.5) * stride
        y, x = np.meshgrid(at, at, indexing="ij")
        points.append(np.repeat(np.stack([x, y], -1).reshape(-1, 2), count, axis=0))
    return np.concatenate(points)


def _overlap(
    centre: NDArray[np.float64], size: NDArray[np.float64], centres: NDArray[np.float64], sizes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Intersection over union of one box with others [N]."""
    low = np.maximum(centre - size / 2, centres - sizes / 2)
    high = np.minimum(centre + size / 2, centres + sizes / 2)
    both = np.clip(high - low, 0, None).prod(1)
    return np.asarray(both / np.maximum(size.prod() + sizes.prod(1) - both, 1e-9))
