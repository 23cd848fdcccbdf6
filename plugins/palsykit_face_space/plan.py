"""Which photographs the face space takes of whom: every draw follows from (seed, person, render) alone."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from palsykit.faces.vocabulary import EXPRESSIONS, SPLITS, Side
from palsykit_face_space.render import Camera, Scene

FIRST = {"train": 0, "validation": 800_000, "test": 900_000}
"""The number of each split's first person, so that how many people one split has moves nobody in another."""

_PALSY_SHARE = 0.8  # of renders; a fifth stays healthy
_GRADES = (2, 3, 4, 5, 6)
_TEST_GRADES = (3, 4, 5, 6)
_WEAKEST = 0.7  # strength of a movement


@dataclass(frozen=True)
class Shot:
    """One photograph to take.

    Attributes:
        person: their number, which with the seed says who it is.
        render: its number among the person's photographs.
    """

    person: int
    render: int
    split: str
    scene: Scene

    def key(self, seed: int) -> str:
        """Names the photograph, for ever."""
        return f"fs{seed}-{self.person:06d}-{self.render:02d}"


def draw_camera(rng: np.random.Generator) -> Camera:
    """Light and framing as they vary between visits to one clinic."""
    brightness, tint = rng.uniform(0.86, 1.1), rng.uniform(-0.03, 0.03)
    return Camera(
        gain=(brightness * (1 + tint), brightness, brightness * (1 - tint)),
        gradient=(rng.uniform(-0.15, 0.15), rng.uniform(-0.08, 0.08)),
        background=(rng.uniform(0.74, 0.9), rng.uniform(-0.06, 0.06)),
        roll=rng.uniform(-3, 3),
        zoom=rng.uniform(0.98, 1.04),
        shift=(rng.uniform(-0.012, 0.012), rng.uniform(-0.012, 0.012)),
    )


def _varied(seed: int, person: int, render: int, variation: bool) -> Scene:
    """A training photograph: the first is the identity photograph, at rest and healthy; the others are drawn."""
    rng = np.random.default_rng([seed, person, 1 + render])
    expression, side, severity = "rest", Side.NONE, 1.0
    chosen = list(EXPRESSIONS)[rng.integers(len(EXPRESSIONS))]
    palsied, left, grade = rng.random() < _PALSY_SHARE, rng.random() < 0.5, float(rng.choice(_GRADES))
    strength = rng.uniform(_WEAKEST, 1.0) if variation else 1.0
    camera = draw_camera(rng) if variation else Camera()
    if render > 0:
        expression = chosen
        if palsied:
            side, severity = (Side.LEFT if left else Side.RIGHT), grade
    return Scene(expression, side, severity, strength, camera)


def _examined(seed: int, person: int, variation: bool) -> Iterator[Scene]:
    """A test person's photographs: healthy at rest, then the eight expressions with their palsy, in one light."""
    rng = np.random.default_rng([seed, person, 1])
    side, severity = (Side.LEFT, Side.RIGHT)[rng.integers(2)], float(rng.choice(_TEST_GRADES))
    camera = draw_camera(rng) if variation else Camera()
    yield Scene("rest", camera=camera)
    for expression in EXPRESSIONS:
        yield Scene(expression, side, severity, camera=camera)


def plan(seed: int, people: dict[str, int], renders: int, variation: bool) -> list[Shot]:
    """Every photograph of the data set, by split, person and render; ``people`` counts them by split."""
    shots = []
    for split in SPLITS:
        for person in range(FIRST[split], FIRST[split] + people[split]):
            if split == "test":
                scenes = list(_examined(seed, person, variation))
            else:
                scenes = [_varied(seed, person, render, variation) for render in range(renders)]
            shots += [Shot(person, render, split, scene) for render, scene in enumerate(scenes)]
    return shots
