"""The identities of a bulk synthesis: people held out from a run's training, or the people in a folder."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from palsykit.data.consistency import doubts_of
from palsykit.data.imagefolder import IMAGEFOLDER, TABLES
from palsykit.data.rejections import printable
from palsykit.errors import PalsykitError
from palsykit.faces.pairing import by_subject
from palsykit.faces.records import FaceDataset, FaceRecord, Rejected
from palsykit.faces.splits import shared_subjects
from palsykit.faces.vocabulary import Side
from palsykit.files.caches import cache_folder
from palsykit.photographs.find import FramedFace, detector_of, frame_face
from palsykit.photographs.read import read_photograph
from palsykit.recipe.schema import PartBlock
from palsykit.run.parts import Data, Parts
from palsykit.seeds import derive
from palsykit.synthesis.portraits import portraits_in


@dataclass(frozen=True, eq=False)
class Person:
    """One identity.

    Attributes:
        name: the subject.
        key: of the photograph; it seeds this person's pictures.
        picture: reads the photograph, [size, size, 3] RGB in the face frame, at rest and without a palsy.
        landmarks: [68, 2] px of the photograph, or None.
    """

    name: str
    key: str
    picture: Callable[[], NDArray[np.uint8]]
    landmarks: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class People:
    """Identities.

    Attributes:
        persons: the identities.
        source: where they are from, in words.
        attribution: of the photographs.
        left_out: people and files that cannot be used, with the reason.
        notes: what was done to photographs that a user should know.
    """

    persons: list[Person]
    source: str
    attribution: str = ""
    left_out: list[Rejected] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def digest(self) -> str:
        """SHA-256 of the photographs' keys, in order."""
        return hashlib.sha256("\n".join(person.key for person in self.persons).encode()).hexdigest()


def held_out(parts: Parts, count: int, seed: int, changes: Sequence[str] = ()) -> People:
    """Draw ``count`` people from the split "test" of the run's data; the run was not trained on them.

    Args:
        parts: the run's.
        count: number of people; a larger draw starts with the people of a smaller one.
        seed: of the draw.
        changes: ``KEY=VALUE`` for keys of the data set, for example to give it more people.

    Raises:
        PalsykitError: there are fewer people, or a changed data set holds out people that the run was trained on.
    """
    try:
        known = parts.data()
        data = parts.data(_changed(parts.settings.data, changes)) if changes else known
    except PalsykitError as error:
        raise PalsykitError(
            f"--identities {count}: draws people from the run's data, which cannot be read; give a folder of face "
            f"crops instead, or correct this: {error.message}",
            error.problems,
        ) from error
    if changes:
        _refuse_known(known, data)
    people, left_out = _with_photograph(data.dataset, data.splits["test"])
    if count > len(people):
        raise PalsykitError(
            f"--identities {count}: the split 'test' of the run's data has {len(people)} people with a photograph at "
            f"rest and without a palsy; expected at most {len(people)}, or a folder of face crops; "
            "--data KEY=VALUE changes a key of the data set, which may give it more people"
        )
    people.sort(key=lambda person: derive("synthesize", seed, person.name))
    changed = f", changed by {', '.join(changes)}" if changes else ""
    source = (
        f"{count} people of the split 'test' of the run's data ({parts.settings.data.use}{changed}), held out from it"
    )
    return People(people[:count], source, data.dataset.attribution, left_out)


def in_folder(parts: Parts, folder: Path) -> People:
    """The people of an imagefolder (a folder with metadata), or of a folder of square face crops, one file per person.

    Raises:
        PalsykitError: it is not a folder, has no picture, or has pictures that cannot be used.
    """
    if not folder.is_dir():
        raise PalsykitError(f"--identities {folder}: not a folder; expected a number, or a folder of face crops")
    if any((folder / name).is_file() for name in TABLES):
        block = PartBlock(use=IMAGEFOLDER, parameters={"root": str(folder.resolve())})
        dataset = parts.build("datasets", block, parts.settings.image_size, cache_folder())
        people, left_out = _with_photograph(dataset, dataset.records)
        left_out += dataset.rejected
        if not people:
            raise PalsykitError(
                f"--identities {folder}: no photograph at rest and without a palsy; expected one per person",
                lines_of(left_out)[:10],
            )
        source = f"{len(people)} people of the {IMAGEFOLDER} {folder.name}"
        return People(people, source, dataset.attribution, left_out, doubts_of(dataset))
    return _portraits(folder, parts.settings.image_size)


def _portraits(folder: Path, size: int) -> People:
    """The people of a folder of photographs or face crops; a file's name is the person's name."""
    files, left_out = portraits_in(folder)
    people, notes = [], []
    for path in files:
        try:
            face = _read(path)
        except ValueError as error:
            left_out.append(Rejected(path.name, str(error)))
            continue
        people.append(Person(path.stem, face.photograph.sha256, partial(_crop, path, size)))
        notes += [f"{path.name}: {note}" for note in face.notes]
    if not people:
        raise PalsykitError(
            f"--identities {folder}: no photograph can be used; expected one person with a visible face per file",
            lines_of(left_out)[:10],
        )
    if repeated := [name for name, count in Counter(person.name for person in people).items() if count > 1]:
        raise PalsykitError(
            f"--identities {folder}: more than one file for {', '.join(repeated)}; expected one file per person"
        )
    return People(people, f"{len(people)} photographs of the folder {folder.name}", left_out=left_out, notes=notes)


def _read(path: Path) -> FramedFace:
    return frame_face(read_photograph(path), detector_of())


def _crop(path: Path, size: int) -> NDArray[np.uint8]:
    return _read(path).crop(size)


def lines_of(left_out: Sequence[Rejected]) -> list[str]:
    """Who was left out, one line each."""
    return [f"{printable(one.path)}: {printable(one.reason)}" for one in left_out]


def _with_photograph(dataset: FaceDataset, records: Sequence[FaceRecord]) -> tuple[list[Person], list[Rejected]]:
    """People with a photograph that can be posed; and those without."""
    people, left_out = [], []
    for subject, group in by_subject(records).items():
        record = _neutral(group)
        if record is None:
            left_out.append(Rejected(subject, "no photograph at rest and without a palsy"))
        else:
            people.append(Person(subject, record.key, _reading(dataset, record), record.landmarks))
    return people, left_out


def _neutral(records: Sequence[FaceRecord]) -> FaceRecord | None:
    """The photograph at rest and without a palsy; unknown labels count as such, but known ones are preferred."""
    usable = [
        record
        for record in records
        if record.labels.expression in ("rest", None)
        and record.labels.side in (Side.NONE, None)
        and record.labels.severity in (1.0, None)
    ]
    return min(usable, key=lambda r: (r.labels.expression is None, r.labels.severity is None), default=None)


def _reading(dataset: FaceDataset, record: FaceRecord) -> Callable[[], NDArray[np.uint8]]:
    return lambda: dataset.image(record)


def _changed(block: PartBlock, changes: Sequence[str]) -> PartBlock:
    """A data set's block with ``KEY=VALUE`` changes applied."""
    parameters: Mapping[str, Any] = block.parameters
    for change in changes:
        key, equals, text = change.partition("=")
        if not equals:
            raise PalsykitError(f"--data {change}: expected KEY=VALUE, a key of the data set {block.use}")
        try:
            parameters = {**parameters, key: yaml.safe_load(text)}
        except yaml.YAMLError as error:
            raise PalsykitError(f"--data {change}: the value is not YAML ({error})") from error
    return PartBlock(use=block.use, parameters=dict(parameters))


def _refuse_known(known: Data, changed: Data) -> None:
    """Refuse a changed data set that has training people of the run in its split "test"."""
    if both := shared_subjects(changed.splits["test"], known.splits["train"]):
        raise PalsykitError(
            f"--data: holds out {', '.join(both[:5])}, but this run was trained on them; expected keys that only add "
            "people"
        )
