"""Drawn faces, a detector that knows where they are, and trees of them in the shape of each layout."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from palsykit.faces.alignment import FRAME
from palsykit.faces.interfaces import Detection

COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255)]


class Faces:
    """Draws photographs with a coloured disc on each of a face's five points."""

    size = (120, 100)

    def five(self, scale: float = 64.0, angle: float = 0.0, at: Sequence[float] = (60.0, 50.0)) -> np.ndarray:
        """[5, 2] px of a face whose frame is ``scale`` px wide, turned and moved."""
        cos, sin = np.cos(angle), np.sin(angle)
        return (FRAME - 0.5) @ np.array([[cos, sin], [-sin, cos]]) * scale + at

    def landmarks(self, five: np.ndarray) -> np.ndarray:
        """[68, 2] px whose five points are these."""
        points = np.tile(five.mean(0), (68, 1))
        points[36:42], points[42:48], points[30], points[48], points[54] = five
        return points

    def draw(self, five: np.ndarray, shade: int = 0) -> Image.Image:
        """Anti-aliased discs of 3 px; ``shade`` makes pictures differ."""
        width, height = self.size
        pixels = np.tile([120.0, 40.0 + shade // 200, 30.0 + shade % 200], (height, width, 1))
        y, x = np.mgrid[:height, :width] + 0.5
        for (u, v), colour in zip(five, COLOURS, strict=True):
            cover = np.clip(3.5 - np.hypot(x - u, y - v), 0, 1)[..., None]
            pixels = pixels * (1 - cover) + cover * np.array(colour)
        return Image.fromarray(pixels.round().astype(np.uint8))

    def save(self, path: Path, five: np.ndarray | None = None, shade: int = 0) -> np.ndarray:
        """Draws a photograph into a file; the points come back."""
        five = self.five() if five is None else five
        path.parent.mkdir(parents=True, exist_ok=True)
        self.draw(five, shade).save(path)
        return five

    def where(self, picture: np.ndarray) -> np.ndarray:
        """The discs' centres [5, 2] px, found again by their colours."""
        v, u = np.mgrid[: len(picture), : len(picture)] + 0.5
        centres = []
        for colour in COLOURS:
            weight = np.clip(160 - np.abs(picture.astype(float) - colour).sum(-1), 0, None)
            centres.append(((weight * u).sum() / weight.sum(), (weight * v).sum() / weight.sum()))
        return np.array(centres)


class ColourDetector:
    """Finds drawn faces by their colours: one, none where a colour is missing, two where the corner is white."""

    def __init__(self, version: str = "1"):
        self.version, self.asked = version, 0

    def detect(self, photograph: np.ndarray) -> Sequence[Detection]:
        self.asked += 1
        near = [(np.abs(photograph.astype(float) - colour).sum(-1) < 120).nonzero() for colour in COLOURS]
        if any(len(rows) == 0 for rows, _ in near):
            return []
        five = np.array([(columns.mean() + 0.5, rows.mean() + 0.5) for rows, columns in near])
        return [Detection(five, 0.9)] * (2 if photograph[0, 0].min() > 250 else 1)


def beside(path: Path, suffix: str, points: np.ndarray) -> Path:
    """Writes points beside a photograph, in the form that the suffix says."""
    target = path.with_suffix(suffix)
    if suffix == ".pts":
        lines = ["version: 1", f"n_points: {len(points)}", "{", *(f"{x + 0.5} {y + 0.5}" for x, y in points), "}"]
        target.write_text("\n".join(lines) + "\n")
    elif suffix == ".csv":
        target.write_text("".join(f"{x},{y}\n" for x, y in points))
    else:
        target.write_text(json.dumps(points.tolist()))
    return target


@pytest.fixture
def drawn() -> Faces:
    return Faces()


@pytest.fixture
def detector() -> ColourDetector:
    return ColourDetector()


@pytest.fixture
def detectors() -> type[ColourDetector]:
    return ColourDetector


@pytest.fixture
def points_beside() -> Callable[[Path, str, np.ndarray], Path]:
    return beside
