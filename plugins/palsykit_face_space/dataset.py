"""The data set ``face_space``: photo-like pictures of people who do not exist, with and without a palsy."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from palsykit.faces.index import code_of
from palsykit.faces.records import FaceRecord, Rejected
from palsykit.faces.vocabulary import FaceLabels, Group, Side, canonical_expression
from palsykit.memory import no_room, too_large
from palsykit.recipe.ranges import People
from palsykit_face_space.camera import Camera, landmarks, placed
from palsykit_face_space.model import ASSET, Person, draw, load_model
from palsykit_face_space.palsy import Action, further_points
from palsykit_face_space.plan import FIRST, VARIATIONS, Habits, Plan, Shot, Variation
from palsykit_face_space.render import Scene, poses, render
from palsykit_face_space.rendered import Rendered, records_of

RENDERER = 10
"""Increase it when the same parameters would give other pictures; part of the cache's name."""

RECORD = 1000
"""Bytes of a record in memory, about."""

CODE = ("palsykit_face_space", "palsykit.faces")
"""The code that makes the records."""


class FaceSpace:
    """People at random points of a statistical face model, photographed with the eight expressions.

    Train and validation people have ``renders`` photographs each: the first at rest and healthy, the others with an
    expression, side (none 1/5, left 2/5, right 2/5), grade (II to VI), kind of palsy, strength (0.7 to 1) and camera
    drawn at random. Test people have nine: healthy at rest, then all eight expressions with one palsy of grade III to
    VI, by one camera, so that a synthesis can be compared with the truth; ``render`` gives the truth of any other
    combination. Pictures are rendered once, into one file under ``cache``; a damaged file is rendered again.

    Args:
        identities: number of people in ``train``.
        validation: number of people in ``validation``.
        test: number of people in ``test``.
        renders: photographs of each train and validation person.
        seed: of all random draws; a person's looks depend only on it and their number.
        vary: what varies: light, background, framing (roll, zoom, shift), sensor noise, JPEG loss and strength from
            photograph to photograph; from person to person movement, and skin, evenly over the range of the
            photographed people. Leaving one out does not change the other draws.
        synkinetic: share of the palsies of grade II to IV that are synkinetic; the others are flaccid.
        visits: sittings that a train or validation person's photographs come from; light and background are a
            sitting's, so with 1 the identity photograph shares them with the others. null: one sitting per photograph.

    Raises:
        ValueError: a count or size is out of range, or the asset is damaged.
    """

    def __init__(
        self,
        image_size: int,
        cache: Path,
        *,
        identities: Annotated[int, Field(ge=1, le=100_000)] = 280,
        validation: People = 24,
        test: People = 64,
        renders: Annotated[int, Field(ge=1, le=10_000)] = 8,
        seed: int = 0,
        vary: tuple[Variation, ...] = VARIATIONS,
        synkinetic: float = 0.25,
        visits: int | None = 1,
    ) -> None:
        people = {"train": identities, "validation": validation, "test": test}
        _check(image_size, people, renders, seed, synkinetic, visits)
        self._shots = Plan(seed, people, renders, Habits(vary, synkinetic, visits))
        count = len(self._shots)
        if words := too_large(count * RECORD):
            raise ValueError(f"face_space: {count} photographs need {words}; make fewer")
        self.image_size, self.seed = image_size, seed
        self.attribution = (ASSET.parent / "attribution.txt").read_text(encoding="utf-8")
        self.rejected: Sequence[Rejected] = ()
        self._model = load_model()
        self._skin = "skin" in vary
        self._person = lru_cache(maxsize=64)(self._drawn)
        origin = f"{RENDERER} {self._model.sha256} {image_size} {people} {renders} {seed} {sorted(vary)} {synkinetic}"
        origin += f" {visits}"
        file = cache / f"face_space-{hashlib.sha256(origin.encode()).hexdigest()[:16]}.safetensors"
        if not file.exists() and (words := no_room(cache, count * image_size**2 * 3)):
            raise ValueError(f"face_space: {count} photographs of {image_size} px need {words}; make fewer")
        index = file.with_name(f"{file.stem}-records{file.suffix}")
        code = f"{origin} {code_of(*CODE)}"
        self.records: Sequence[FaceRecord] = records_of(index, code, self._shots, self._recorded, "the face space")
        self._person.cache_clear()
        self._rows = {record.key: row for row, record in enumerate(self.records)}
        self._pictures = Rendered(file, self._shots, image_size, self._rendered, "render the face space")

    def image(self, record: FaceRecord) -> NDArray[np.uint8]:
        """The picture of a record, [image_size, image_size, 3] RGB; the first call renders or reads them all.

        Raises:
            ValueError: for a record of another data set.
        """
        return self._pictures[self._row(record)]

    def render(
        self,
        identity: int,
        expression: str,
        side: Side = Side.NONE,
        severity: float = 1.0,
        *,
        group: Group | None = None,
        split: str = "test",
        strength: float = 1.0,
        camera: Camera | None = None,
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Render any combination: picture [image_size, image_size, 3] and landmarks [68, 2] px of person ``identity``.

        Raises:
            ValueError: the expression or split is unknown, or the severity contradicts the side.
        """
        if split not in FIRST or identity < 0:
            raise ValueError(f"person {identity} of split {split!r}; expected 0 or more of {', '.join(FIRST)}")
        action = Action(canonical_expression(expression), side, severity, strength, group)
        people, scenes = [self._person(FIRST[split] + identity)], [Scene(action, camera or Camera())]
        picture = render(people, scenes, self.image_size)[0]
        return picture, landmarks(poses(people, scenes).points[0], scenes[0].camera, self.image_size)

    def truth(self, identity: FaceRecord, driver: FaceRecord) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """The person of ``identity`` with the expression and palsy of ``driver``, seen by the camera of ``identity``.

        Raises:
            ValueError: for a record of another data set.
        """
        who, action = self._shot(identity), self._shot(driver).scene.action
        people, scenes = [self._person(who.person)], [Scene(action, who.scene.camera)]
        picture = render(people, scenes, self.image_size)[0]
        return picture, landmarks(poses(people, scenes).points[0], who.scene.camera, self.image_size)

    def _shot(self, record: FaceRecord) -> Shot:
        return self._shots[self._row(record)]

    def _row(self, record: FaceRecord) -> int:
        if record.key not in self._rows:
            raise ValueError(f"no photograph {record.key!r} in this face space of seed {self.seed}")
        return self._rows[record.key]

    def _drawn(self, number: int) -> Person:
        return draw(self._model, np.random.default_rng([self.seed, number]), self._skin)

    def _recorded(self, shots: Sequence[Shot]) -> list[FaceRecord]:
        pose = poses([self._person(shot.person) for shot in shots], [shot.scene for shot in shots])
        records = []
        for shot, template, further in zip(shots, pose.points, further_points(pose), strict=True):
            action = shot.scene.action
            subject = f"fs{self.seed}-{shot.person:06d}"
            record = FaceRecord(
                key=shot.key(self.seed),
                labels=FaceLabels(subject, action.expression, action.side, action.severity, action.group),
                landmarks=landmarks(template, shot.scene.camera, self.image_size),
                landmarks_source="given",
                split=shot.split,
                further=placed(further, shot.scene.camera, self.image_size),
            )
            records.append(record)
        return records

    def _rendered(self, shots: Sequence[Shot]) -> NDArray[np.uint8]:
        people = [self._person(shot.person) for shot in shots]
        return render(people, [shot.scene for shot in shots], self.image_size)


def _check(
    image_size: int, people: dict[str, int], renders: int, seed: int, synkinetic: float, visits: int | None
) -> None:
    """Refuse numbers that are out of range with a ValueError."""
    if not 0 <= synkinetic <= 1:
        raise ValueError(f"face_space: synkinetic is {synkinetic}; expected a share of the palsies, 0 to 1")
    least = {"identities": (people["train"], 1), "validation": (people["validation"], 0), "test": (people["test"], 0),
             "renders": (renders, 1), "seed": (seed, 0), "image_size": (image_size, 16),
             "visits": (1 if visits is None else visits, 1)}  # fmt: skip
    for name, (value, floor) in least.items():
        if value < floor:
            raise ValueError(f"face_space: {name} is {value}; expected at least {floor}")
    for name, count, room in (
        ("identities", people["train"], FIRST["validation"]),
        ("validation", people["validation"], FIRST["test"] - FIRST["validation"]),
    ):
        if count > room:
            raise ValueError(f"face_space: {name} is {count}; expected at most {room}")
