"""Faces with known palsies and known points, for landmark_bias.py."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palsykit.errors import PalsykitError
from palsykit.faces.flip import Face
from palsykit.faces.measures import px_per_mm
from palsykit.faces.records import FaceDataset
from palsykit.faces.vocabulary import FaceLabels, Side
from palsykit.files.caches import cache_folder
from palsykit.recipe import load_recipe
from palsykit.recipe.build import build_part
from palsykit.recipe.schema import PartBlock

ROOT = Path(__file__).parents[1]
REAL = ROOT / "recipes" / "examination-real.yaml"
_SYMMETRIC = FaceLabels(side=Side.NONE)

Pixels = NDArray[np.uint8]
Points = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sample:
    """One picture.

    Attributes:
        person: who.
        labels: expression, affected side, grade.
        picture: [S, S, 3] in the face frame.
        truth: [68, 2] px of it.
        neutral: the person healthy at rest; on real people the photograph itself.
    """

    person: str
    labels: FaceLabels
    picture: Pixels
    truth: Points
    neutral: bool

    @cached_property
    def px_per_mm(self) -> float:
        """If the pupils are 63 mm apart, by the true corners of the eyes."""
        return float(px_per_mm(self.truth))

    @property
    def mirrored(self) -> Pixels:
        """The mirrored picture."""
        return Face(self.picture, None, _SYMMETRIC).mirrored().picture

    def flip(self, points: Points) -> Points:
        """Points of the mirrored picture as points of the picture."""
        flipped = Face(self.picture, points.astype(np.float32), _SYMMETRIC).mirrored().landmarks
        assert flipped is not None
        return flipped.astype(np.float64)


def rendered_samples(size: int, people: int, seed: int) -> list[Sample]:
    """Rendered people, each with light, framing and camera of their own."""
    keys = {"identities": 1, "validation": 0, "test": people, "renders": 1, "seed": seed}
    dataset: FaceDataset = build_part("datasets", PartBlock(use="face_space", parameters=keys), size, cache_folder())
    return list(_samples(dataset, people))


def real_samples(size: int, people: int) -> list[Sample] | None:
    """The London set's test people with simulated palsies; None if their photographs are not there."""
    try:
        block = load_recipe(REAL, unchecked=("metrics",)).settings.data
    except PalsykitError:
        return None
    parameters: dict[str, Any] = block.parameters
    if not Path(parameters["source"]["root"]).is_dir():
        return None
    dataset: FaceDataset = build_part("datasets", block, size, cache_folder())
    return list(_samples(dataset, people))


def _samples(dataset: FaceDataset, people: int) -> Iterator[Sample]:
    """The pictures of the first ``people`` test people; a person's first picture is healthy and at rest."""
    seen: dict[str, int] = {}
    for record in dataset.records:
        person = str(record.labels.subject)
        if record.split != "test" or (person not in seen and len(seen) == people):
            continue
        seen[person] = seen.get(person, 0) + 1
        assert record.landmarks is not None
        truth = record.landmarks.astype(np.float64)
        yield Sample(person, record.labels, dataset.image(record), truth, seen[person] == 1)


def rest_of(samples: Sequence[Sample], healthy: bool = False) -> dict[str, int]:
    """Each person's photograph at rest by its number: with the palsy, as a clinic has it, or healthy."""
    chosen: Callable[[Sample], bool] = lambda one: one.neutral if healthy else not one.neutral  # noqa: E731
    return {one.person: number for number, one in enumerate(samples) if one.labels.expression == "rest" and chosen(one)}
