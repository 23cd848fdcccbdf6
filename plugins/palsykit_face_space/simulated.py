"""Real people at rest with simulated expressions and palsies: the photograph is warped and drawn on."""

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from palsykit.faces.dials import Dials
from palsykit.faces.index import code_of
from palsykit.faces.records import FaceDataset, FaceRecord, NothingUsable, Rejected
from palsykit.faces.vocabulary import EXPRESSIONS, FaceLabels, Group, Side, canonical_expression
from palsykit.faces.webmorph import FURTHER, to_ibug68
from palsykit.recipe.ranges import People
from palsykit.seeds import derive
from palsykit_face_space.dataset import CODE, RENDERER
from palsykit_face_space.model import OUTLINE_PX, Person, person
from palsykit_face_space.palsy import Action, further_points
from palsykit_face_space.plan import VARIATIONS, Habits, scenes
from palsykit_face_space.render import Scene, poses, render
from palsykit_face_space.rendered import Drawn, Rendered, records_of
from palsykit_face_space.template import template_points
from palsykit_face_space.warp import SIZE


def photographed_person(photograph: NDArray[np.uint8], landmarks: NDArray[np.floating]) -> Person:
    """The person on a photograph [H, H, 3] in the face frame, at rest, with landmarks [68, 2] px of it.

    The whole picture counts as the person: its background is warped a little with the head.
    """
    texture = torch.tensor(photograph).permute(2, 0, 1).float() / 255
    shape = torch.tensor(template_points(landmarks * (SIZE / photograph.shape[0])), dtype=torch.float32)
    return person(shape, texture, shape, torch.full(texture.shape[1:], OUTLINE_PX))


def _moved(landmarks: NDArray[np.floating], before: Person, after: NDArray[np.float64],
           size: int) -> NDArray[np.float32]:  # fmt: skip
    """Landmarks [68, 2] px moved as the template's are, so that at rest they do not change."""
    step = to_ibug68(after) - to_ibug68(before.shape.numpy().astype(np.float64))
    return np.asarray(landmarks + step * (size / SIZE), dtype=np.float32)


def _moved_further(
    known: NDArray[np.floating] | None, before: Person, after: NDArray[np.float64], size: int
) -> NDArray[np.float32] | None:
    """The further points [8, 2] px likewise; None if the photograph's are unknown."""
    if known is None:
        return None
    step = after - before.shape.numpy().astype(np.float64)[list(FURTHER)]
    return np.asarray(known + step * (size / SIZE), dtype=np.float32)


class SimulatedPoser:
    """A person's own photograph, warped and drawn on by the displacement model that the face space uses.

    Skin, hair, light and background stay those of the photograph. It should show a face at rest: an expression in the
    photograph stays, and the new one is added to it.
    """

    def pose(
        self,
        photograph: NDArray[np.uint8],
        landmarks: NDArray[np.floating],
        labels: FaceLabels,
        strength: float = 1.0,
        dials: Dials | None = None,
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """The picture [H, H, 3] and its landmarks [68, 2] px; see ``palsykit.faces.interfaces.FinePoser``.

        Movements are the mean person's.

        Raises:
            ValueError: the expression is unknown, severity or dials contradict the side, the face has no room for a
                dial's length, or the photograph is not square or has no landmarks.
        """
        if photograph.ndim != 3 or photograph.shape[0] != photograph.shape[1]:
            raise ValueError(f"found a photograph of shape {photograph.shape}, expected a square one in the face frame")
        if not np.isfinite(landmarks).all():
            raise ValueError("found unknown landmarks; expected 68 points, which say where to move the face")
        action = Action(
            canonical_expression(labels.expression or "rest"),
            labels.side or Side.NONE,
            labels.severity or 1.0,
            strength,
            labels.group,
            dials or Dials(),
        )
        who, scene = photographed_person(photograph, landmarks), Scene(action)
        picture = render([who], [scene], photograph.shape[0])[0]
        return picture, _moved(landmarks, who, poses([who], [scene]).points[0], photograph.shape[0])


@dataclass(frozen=True, eq=False)
class _Shot:
    """One picture to make of a photograph; number 0 is the photograph itself."""

    record: FaceRecord
    number: int
    scene: Scene

    @property
    def key(self) -> str:
        return f"{self.record.key}#{self.number:02d}"


class _Shots(Drawn[_Shot]):
    """The pictures of all photographs, drawn when they are asked for.

    Args:
        counts: photograph -> how many pictures are made of it.
        drawn: photograph -> the scenes of its pictures.
    """

    def __init__(self, counts: dict[FaceRecord, int], drawn: Callable[[FaceRecord], list[Scene]]):
        self._records, self._starts = list(counts), [0, *accumulate(counts.values())]
        self._scenes = lru_cache(maxsize=64)(drawn)

    def __len__(self) -> int:
        return self._starts[-1]

    def _shot(self, row: int) -> _Shot:
        place = bisect_right(self._starts, row) - 1
        record, number = self._records[place], row - self._starts[place]
        return _Shot(record, number, self._scenes(record)[number])


class Simulated:
    """A data set of real people with simulated expressions and palsies.

    Every photograph of ``source`` that shows a person at rest, without a palsy and with landmarks, is the healthy
    person at rest. It is repeated with the actions of the face space's people: ``renders`` - 1 random ones of train and
    validation people, all eight expressions with one palsy of test people. An unknown affected side counts as healthy:
    give healthy people only. Light and framing are the photograph's. Splits are those of ``source``; without splits
    everyone gets random actions. Unusable photographs are in ``rejected`` with a reason.

    Args:
        source: the data set of the photographs.
        renders: photographs of each, itself included.
        seed: of the random actions.
        synkinetic: share of the palsies of grade II to IV that are synkinetic.

    Raises:
        NothingUsable: if no photograph can be used.
    """

    def __init__(
        self,
        image_size: int,
        cache: Path,
        *,
        source: FaceDataset,
        renders: People = 8,
        seed: int = 0,
        synkinetic: float = 0.25,
    ) -> None:
        if renders < 1:
            raise ValueError(f"simulated: renders is {renders}; expected at least 1")
        self.image_size, self._source = image_size, source
        self.attribution = source.attribution
        self.rejected: list[Rejected] = list(source.rejected)
        usable = [record for record in source.records if self._can_use(record)]
        if not usable:
            reasons = "; ".join(f"{r.path}: {r.reason}" for r in self.rejected[:3]) or "it has none"
            raise NothingUsable(f"simulated: no photograph of the source can be used ({reasons})", self.rejected)
        self._person = lru_cache(maxsize=64)(self._read)
        self._originals = {record.key: record for record in usable}
        habits = Habits([name for name in VARIATIONS if name in ("movement", "strength")], synkinetic, visits=None)

        def drawn(record: FaceRecord) -> list[Scene]:
            return scenes(seed, derive("simulated", seed, record.key), record.split or "train", renders, habits)

        counts = {record: len(EXPRESSIONS) + 1 if record.split == "test" else renders for record in usable}
        self._shots = _Shots(counts, drawn)
        content = hashlib.sha256(f"{RENDERER} {image_size} {seed} {renders} {synkinetic}".encode())
        for record in usable:
            content.update(record.key.encode() + source.image(record).tobytes())
            content.update(np.asarray(record.landmarks, dtype=np.float32).tobytes())
        file = cache / f"simulated-{content.hexdigest()[:16]}.safetensors"
        labels = [(r.key, r.labels, r.split, r.digest, r.landmarks_source, _told(r.further)) for r in usable]
        known = hashlib.sha256(repr(labels).encode()).hexdigest()
        index = file.with_name(f"{file.stem}-records{file.suffix}")
        code = f"{content.hexdigest()} {known} {code_of(*CODE)}"
        self.records = records_of(index, code, self._shots, self._recorded, "the simulated palsies")
        self._person.cache_clear()
        self._rows = {record.key: row for row, record in enumerate(self.records)}
        self._pictures = Rendered(file, self._shots, image_size, self._rendered, "simulate palsies")

    def image(self, record: FaceRecord) -> NDArray[np.uint8]:
        """The picture of a record, [image_size, image_size, 3] RGB.

        Raises:
            ValueError: for a record of another data set.
        """
        return self._pictures[self._row(record)]

    def truth(self, identity: FaceRecord, driver: FaceRecord) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """The photograph of ``identity`` with the expression and palsy of ``driver``: picture and landmarks.

        Raises:
            ValueError: for a record of another data set.
        """
        original, scene = self._shot(identity).record, Scene(self._shot(driver).scene.action)
        who = self._person(original.key)
        picture = render([who], [scene], self.image_size)[0]
        after = poses([who], [scene]).points[0]
        return picture, _moved(np.asarray(original.landmarks), who, after, self.image_size)

    def _shot(self, record: FaceRecord) -> _Shot:
        return self._shots[self._row(record)]

    def _row(self, record: FaceRecord) -> int:
        if record.key not in self._rows:
            raise ValueError(f"no photograph {record.key!r} in this data set")
        return self._rows[record.key]

    def _can_use(self, record: FaceRecord) -> bool:
        reason = _unusable(record)
        if reason is not None:
            self.rejected.append(Rejected(record.key, reason))
        return reason is None

    def _read(self, key: str) -> Person:
        record = self._originals[key]
        assert record.landmarks is not None  # _unusable sorts them out
        return photographed_person(self._source.image(record), record.landmarks)

    def _recorded(self, shots: Sequence[_Shot]) -> list[FaceRecord]:
        people = [self._person(shot.record.key) for shot in shots]
        pose = poses(people, [shot.scene for shot in shots])
        records = []
        for shot, who, after, beside in zip(shots, people, pose.points, further_points(pose), strict=True):
            record, action = shot.record, shot.scene.action
            known = np.asarray(record.landmarks)
            made = FaceRecord(
                key=shot.key,
                labels=FaceLabels(record.labels.subject, action.expression, action.side, action.severity, action.group),
                landmarks=known if shot.number == 0 else _moved(known, who, after, self.image_size),
                landmarks_source=record.landmarks_source,
                split=record.split,
                digest=record.digest,
                further=record.further
                if shot.number == 0
                else _moved_further(record.further, who, beside, self.image_size),
            )
            records.append(made)
        return records

    def _rendered(self, shots: Sequence[_Shot]) -> NDArray[np.uint8]:
        people = [self._person(shot.record.key) for shot in shots]
        pictures = render(people, [shot.scene for shot in shots], self.image_size)
        for row, shot in enumerate(shots):
            if shot.number == 0:
                pictures[row] = self._source.image(shot.record)
        return pictures


def _told(points: NDArray[np.float32] | None) -> str:
    return "" if points is None else points.tobytes().hex()


def _unusable(record: FaceRecord) -> str | None:
    """Why palsies cannot be simulated on a photograph, or None."""
    labels = record.labels
    if labels.expression != "rest":
        return (
            f"found expression {labels.expression or 'unknown'}, expected rest: simulation starts from a face at rest"
        )
    if labels.side not in (None, Side.NONE) or (labels.severity or 1.0) > 1 or labels.group not in (None, Group.NORMAL):
        return "the person has a palsy, expected healthy people: another palsy on top would be neither"
    if record.landmarks is None:
        return "its landmarks are unknown, expected 68 points, which say where to move the face"
    return None
