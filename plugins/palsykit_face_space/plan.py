"""Plan the face space's photographs of each person; every random draw depends only on (seed, person, render)."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal, get_args

import numpy as np

from palsykit.faces.vocabulary import EXPRESSIONS, SPLITS, Group, Side
from palsykit_face_space.camera import Camera
from palsykit_face_space.movements import MEAN, Manner, draw_manner
from palsykit_face_space.palsy import Action
from palsykit_face_space.render import Scene
from palsykit_face_space.rendered import Drawn

FIRST = {"train": 0, "validation": 800_000, "test": 900_000}
"""The number of each split's first person, so that the size of one split does not change people in another."""

Variation = Literal["skin", "movement", "strength", "light", "background", "framing", "noise", "jpeg"]
VARIATIONS: tuple[Variation, ...] = get_args(Variation)

_PALSY_SHARE = 0.8  # of renders; a fifth stays healthy
_GRADES = (2, 3, 4, 5, 6)
_TEST_GRADES = (3, 4, 5, 6)
_SYNKINETIC_GRADES = (2, 3, 4)  # House and Brackmann's; V and VI are flaccid
_WEAKEST = 0.7  # strength of a movement
_NOISE, _JPEG = 4.0, (75, 95)

_FIXED: dict[Variation, tuple[str, ...]] = {
    "light": ("gain", "gradient"),
    "background": ("background",),
    "framing": ("roll", "zoom", "shift"),
    "noise": ("noise",),
    "jpeg": ("jpeg",),
}
"""Variation -> the camera's fields that keep their defaults if it is off."""


@dataclass(frozen=True)
class Shot:
    """One photograph to take.

    Attributes:
        person: their number; with the seed it determines their looks.
        render: its number among the person's photographs.
    """

    person: int
    render: int
    split: str
    scene: Scene

    def key(self, seed: int) -> str:
        """The photograph's name, the same in every version."""
        return f"fs{seed}-{self.person:06d}-{self.render:02d}"


@dataclass(frozen=True)
class Habits:
    """How the face space photographs; switching one variation off does not change other draws.

    Attributes:
        vary: what varies ("skin" and "movement" from person to person, "strength" and the camera's from photograph to
            photograph).
        synkinetic: share of the palsies of grade II to IV that are synkinetic.
        visits: number of sittings that a train or validation person's photographs come from; one sitting has one light,
            one background and one framing, as with a camera on a stand. None: one per photograph.
    """

    vary: Collection[Variation] = VARIATIONS
    synkinetic: float = 0.25
    visits: int | None = 1


_SITTINGS = 1_000_000  # added to a sitting's number, so that its seed differs from those of the renders
_MANNER = 2_000_000  # in place of a render's number, for what is a person's in every photograph


def draw_camera(rng: np.random.Generator, vary: Collection[Variation] = VARIATIONS) -> Camera:
    """Draw light, framing and sensor as they vary between visits to one clinic."""
    brightness, tint = rng.uniform(0.86, 1.1), rng.uniform(-0.03, 0.03)
    drawn = Camera(
        gain=(brightness * (1 + tint), brightness, brightness * (1 - tint)),
        gradient=(rng.uniform(-0.15, 0.15), rng.uniform(-0.08, 0.08)),
        background=(rng.uniform(0.74, 0.9), rng.uniform(-0.06, 0.06)),
        roll=rng.uniform(-3, 3),
        zoom=rng.uniform(0.98, 1.04),
        shift=(rng.uniform(-0.012, 0.012), rng.uniform(-0.012, 0.012)),
        noise=rng.uniform(0, _NOISE),
        noise_seed=int(rng.integers(2**32)),
        jpeg=int(rng.integers(_JPEG[0], _JPEG[1] + 1)),
    )
    plain = Camera()
    off = {name: getattr(plain, name) for what, names in _FIXED.items() if what not in vary for name in names}
    return replace(drawn, **off)


def manner(seed: int, person: int, habits: Habits) -> Manner:
    """How a person's healthy movements differ from the mean person's; the same in all their photographs."""
    return draw_manner(np.random.default_rng([seed, person, _MANNER])) if "movement" in habits.vary else MEAN


def _group(rng: np.random.Generator, side: Side, grade: float, habits: Habits) -> Group:
    synkinetic = rng.random() < habits.synkinetic
    if side is Side.NONE:
        return Group.NORMAL
    return Group.SYNKINETIC if synkinetic and grade in _SYNKINETIC_GRADES else Group.FLACCID


def _varied(seed: int, person: int, render: int, habits: Habits) -> Scene:
    """A training photograph: the first is the identity photograph, at rest and healthy; the others are drawn."""
    rng = np.random.default_rng([seed, person, 1 + render])
    expression, side, severity = "rest", Side.NONE, 1.0
    chosen = list(EXPRESSIONS)[rng.integers(len(EXPRESSIONS))]
    palsied, left, grade = rng.random() < _PALSY_SHARE, rng.random() < 0.5, float(rng.choice(_GRADES))
    strength = rng.uniform(_WEAKEST, 1.0)
    camera = draw_camera(rng, habits.vary)
    if habits.visits is not None:
        sitting = draw_camera(np.random.default_rng([seed, person, _SITTINGS + render % habits.visits]), habits.vary)
        camera = replace(sitting, noise=camera.noise, noise_seed=camera.noise_seed, jpeg=camera.jpeg)
    if render > 0:
        expression = chosen
        if palsied:
            side, severity = (Side.LEFT if left else Side.RIGHT), grade
    group = _group(rng, side, severity, habits)
    effort = strength if "strength" in habits.vary else 1.0
    return Scene(Action(expression, side, severity, effort, group, manner=manner(seed, person, habits)), camera)


def _examined(seed: int, person: int, habits: Habits) -> Iterator[Scene]:
    """A test person's photographs: healthy at rest, then the eight expressions with their palsy, by one camera."""
    rng = np.random.default_rng([seed, person, 1])
    side, severity = (Side.LEFT, Side.RIGHT)[rng.integers(2)], float(rng.choice(_TEST_GRADES))
    camera = draw_camera(rng, habits.vary)
    group = _group(rng, side, severity, habits)
    moves = manner(seed, person, habits)
    yield Scene(Action("rest", group=Group.NORMAL, manner=moves), camera)
    for expression in EXPRESSIONS:
        yield Scene(Action(expression, side, severity, group=group, manner=moves), camera)


def scenes(seed: int, person: int, split: str, renders: int, habits: Habits) -> list[Scene]:
    """One person's photographs in a data set: nine in the test split, ``renders`` in the others."""
    if split == "test":
        return list(_examined(seed, person, habits))
    return [_varied(seed, person, render, habits) for render in range(renders)]


class Plan(Drawn[Shot]):
    """Every photograph of the data set, by split, person and render; each is drawn when it is asked for.

    Args:
        seed: of all draws.
        people: counts them by split.
        renders: photographs of each train and validation person.
        habits: how they are photographed.
    """

    def __init__(self, seed: int, people: dict[str, int], renders: int, habits: Habits):
        self._seed, self._habits = seed, habits
        self._each = {split: len(EXPRESSIONS) + 1 if split == "test" else renders for split in SPLITS}
        self._counts = {split: people[split] * self._each[split] for split in SPLITS}

    def __len__(self) -> int:
        return sum(self._counts.values())

    def _shot(self, row: int) -> Shot:
        for split in SPLITS:
            if row < self._counts[split]:
                break
            row -= self._counts[split]
        number, render = divmod(row, self._each[split])
        person = FIRST[split] + number
        if split == "test":
            scene = next(islice(_examined(self._seed, person, self._habits), render, None))
        else:
            scene = _varied(self._seed, person, render, self._habits)
        return Shot(person, render, split, scene)
