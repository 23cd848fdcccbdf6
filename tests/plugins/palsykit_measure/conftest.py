"""Rendered people as photographs, the reader that ships, and a network that says what a test wants."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from palsykit.faces.records import FaceRecord
from palsykit.photographs.find import detector_of
from palsykit_face_space.dataset import FaceSpace
from palsykit_measure.network import PointsNetwork, load_network
from palsykit_measure.people import Shot
from palsykit_measure.reading import Reader
from palsykit_measure.readings import Entry

SIDE, SHOWN = 128, 512


@pytest.fixture(scope="session")
def space(tmp_path_factory: pytest.TempPathFactory) -> FaceSpace:
    """One test person: healthy at rest, then the eight expressions with a palsy."""
    return FaceSpace(SIDE, tmp_path_factory.mktemp("cache"), identities=1, validation=0, test=1, renders=1, vary=())


@pytest.fixture(scope="session")
def records(space: FaceSpace) -> list[FaceRecord]:
    return [record for record in space.records if record.split == "test"]


@pytest.fixture(scope="session")
def network() -> PointsNetwork:
    return load_network()


@pytest.fixture(scope="session")
def reader(network: PointsNetwork) -> Reader:
    return Reader(network, detector_of())


@pytest.fixture(scope="session")
def photograph(space: FaceSpace) -> Callable[[FaceRecord], Image.Image]:
    """A record's picture, enlarged and on a canvas, so that it is no crop in the face frame."""

    def show(record: FaceRecord) -> Image.Image:
        picture = Image.fromarray(space.image(record)).resize((SHOWN, SHOWN), Image.Resampling.BICUBIC)
        canvas = Image.new("RGB", (SHOWN + 150, SHOWN + 90), (190, 190, 190))
        canvas.paste(picture, (60, 50))
        return canvas

    return show


@pytest.fixture(scope="session")
def eight(
    records: list[FaceRecord], photograph: Callable[[FaceRecord], Image.Image], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with the standard eight of one person, named by expression. Do not change it; make a copy."""
    folder = tmp_path_factory.mktemp("photographs")
    for record in records[1:]:
        photograph(record).save(folder / f"p01 {record.labels.expression}.png")
    return folder


class SaysPoints:
    """A stand-in for a network: the same points for every picture, in sides of the frame."""

    size = 64

    def __init__(self, points: np.ndarray):
        self.points = points
        self.facts = {"network": "stand-in", "image_size": 64, "weights": "none"}

    def find(self, frames: np.ndarray) -> np.ndarray:
        return np.stack([self.points] * len(frames))


@pytest.fixture
def says() -> Callable[[np.ndarray], Any]:
    return SaysPoints


@pytest.fixture
def entry_of() -> Callable[..., Entry]:
    """A reading with these landmarks [68, 2] px, in a picture that is a crop in the face frame."""

    def make(landmarks: np.ndarray, name: str = "a", expression: str | None = None, **changes: Any) -> Entry:
        frame = np.array([[1 / SIDE, 0, 0], [0, 1 / SIDE, 0]])
        facts: dict[str, Any] = {"px_per_mm": {"pupils": 0.5, "iris": 0.6}, "pose": None, "mark": None, "notes": ()}
        shot = Shot(
            Path(f"{name}.png"), changes.pop("subject", ""), expression, None if expression is None else "table"
        )
        return Entry(name, shot, f"hash of {name}", landmarks.astype(np.float64), frame, **(facts | changes))

    return make
