"""The data set ``face_space``: photo-like pictures of people who do not exist, with and without a palsy."""

import contextlib
import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from palsykit.atomic import write_with
from palsykit.faces.palsy import affected
from palsykit.faces.records import FaceRecord, Rejected
from palsykit.faces.vocabulary import FaceLabels, Side, canonical_expression
from palsykit.progress import track
from palsykit_face_space.model import ASSET, Person, draw, load_model
from palsykit_face_space.plan import FIRST, Shot, plan
from palsykit_face_space.render import Camera, Scene, landmarks, pose, render

RENDERER = 4
"""Counts changes of what is drawn for the same parameters; part of the cache's name."""

_BATCH = 16


class FaceSpace:
    """Random points of a statistical face model, photographed making the eight expressions.

    Train and validation people have ``renders`` photographs each: the first at rest and healthy, the others with an
    expression, side (none 1/5, left 2/5, right 2/5), grade (II to VI), strength (0.7 to 1) and camera drawn anew. Test
    people have nine: healthy at rest, then all eight expressions with one palsy of grade III to VI, in one light, so
    that what a model makes of them can be compared with the truth. Pictures are rendered once, into one file under
    ``cache``, which is made again where it is damaged.

    Args:
        identities: number of people in ``train``.
        validation: number of people in ``validation``.
        test: number of people in ``test``.
        renders: photographs of each train and validation person.
        seed: of everything that is drawn; a person's looks depend on it and on their number alone.
        variation: whether light, framing and strength vary.

    Raises:
        ValueError: for a count or size out of range, or a damaged asset.
    """

    def __init__(
        self,
        image_size: int,
        cache: Path,
        *,
        identities: int = 280,
        validation: int = 24,
        test: int = 64,
        renders: int = 8,
        seed: int = 0,
        variation: bool = True,
    ) -> None:
        people = {"train": identities, "validation": validation, "test": test}
        _check(image_size, people, renders, seed)
        self.image_size, self.seed = image_size, seed
        self.attribution = (ASSET.parent / "attribution.txt").read_text(encoding="utf-8")
        self.rejected: Sequence[Rejected] = ()
        self._model = load_model()
        self._person = lru_cache(maxsize=64)(self._drawn)
        self._shots = plan(seed, people, renders, variation)
        self._rows = {shot.key(seed): row for row, shot in enumerate(self._shots)}
        self.records: Sequence[FaceRecord] = [self._record(shot) for shot in self._shots]
        said = f"{RENDERER} {self._model.sha256} {image_size} {people} {renders} {seed} {variation}"
        self._file = cache / f"face_space-{hashlib.sha256(said.encode()).hexdigest()[:16]}.safetensors"
        self._pictures: NDArray[np.uint8] | None = None

    def image(self, record: FaceRecord) -> NDArray[np.uint8]:
        """The picture of a record, [image_size, image_size, 3] RGB; the first call renders or reads them all.

        Raises:
            ValueError: for a record of another data set.
        """
        if record.key not in self._rows:
            raise ValueError(f"no photograph {record.key!r} in this face space of seed {self.seed}")
        if self._pictures is None:
            self._pictures = self._read() if self._file.exists() else None
        if self._pictures is None:
            self._pictures = self._render_all()
        return np.asarray(self._pictures[self._rows[record.key]])

    def render(
        self,
        identity: int,
        expression: str,
        side: Side = Side.NONE,
        severity: float = 1.0,
        *,
        split: str = "test",
        strength: float = 1.0,
        camera: Camera | None = None,
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Any combination: picture [image_size, image_size, 3] and landmarks [68, 2] px of person ``identity``.

        Raises:
            ValueError: for an unknown expression or split, or a severity that does not go with the side.
        """
        if split not in FIRST or identity < 0:
            raise ValueError(f"person {identity} of split {split!r}; expected 0 or more of {', '.join(FIRST)}")
        affected(side, severity)
        scene = Scene(canonical_expression(expression), side, severity, strength, camera or Camera())
        person = self._person(FIRST[split] + identity)
        picture = render(self._model, [person], [scene], self.image_size)[0]
        return picture, landmarks(pose(person, scene).points, scene.camera, self.image_size)

    def _drawn(self, number: int) -> Person:
        return draw(self._model, np.random.default_rng([self.seed, number]))

    def _record(self, shot: Shot) -> FaceRecord:
        scene = shot.scene
        points = pose(self._person(shot.person), scene).points
        return FaceRecord(
            key=shot.key(self.seed),
            labels=FaceLabels(f"fs{self.seed}-{shot.person:06d}", scene.expression, scene.side, scene.severity),
            landmarks=landmarks(points, scene.camera, self.image_size),
            landmarks_source="given",
            split=shot.split,
        )

    def _render_all(self) -> NDArray[np.uint8]:
        batches = [self._shots[start : start + _BATCH] for start in range(0, len(self._shots), _BATCH)]
        rendered = []
        with (
            _single_threaded(),
            ThreadPoolExecutor(os.cpu_count()) as pool,
            track("render the face space", len(self._shots), "images") as progress,
        ):
            for pictures in pool.map(self._rendered, batches):
                rendered.append(pictures)
                progress.advance(len(pictures))
        pictures = np.ascontiguousarray(np.concatenate(rendered))
        write_with(self._file, lambda part: save_file({"pictures": pictures}, part))
        return pictures

    def _rendered(self, shots: Sequence[Shot]) -> NDArray[np.uint8]:
        people = [self._person(shot.person) for shot in shots]
        return render(self._model, people, [shot.scene for shot in shots], self.image_size)

    def _read(self) -> NDArray[np.uint8] | None:
        """The cached pictures, or None where the file is damaged or of another make."""
        try:
            pictures = load_file(self._file).get("pictures")
        except (OSError, SafetensorError):
            return None
        expected = (len(self._shots), self.image_size, self.image_size, 3)
        return pictures if pictures is not None and pictures.shape == expected and pictures.dtype == np.uint8 else None


def _check(image_size: int, people: dict[str, int], renders: int, seed: int) -> None:
    """Raises ValueError, with a sentence, for counts that make no data set."""
    least = {"identities": (people["train"], 1), "validation": (people["validation"], 0), "test": (people["test"], 0),
             "renders": (renders, 1), "seed": (seed, 0), "image_size": (image_size, 16)}  # fmt: skip
    for name, (value, floor) in least.items():
        if value < floor:
            raise ValueError(f"face_space: {name} is {value}; expected at least {floor}")
    for name, count, room in (
        ("identities", people["train"], FIRST["validation"]),
        ("validation", people["validation"], FIRST["test"] - FIRST["validation"]),
    ):
        if count > room:
            raise ValueError(f"face_space: {name} is {count}; expected at most {room}")


@contextlib.contextmanager
def _single_threaded() -> Iterator[None]:
    """One thread an operation while batches run side by side; sharing such small ones costs more than it saves."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
