"""The faces that an audit compares: training people, held-out people, and generated pictures."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palsykit.data.imagefolder import METADATA
from palsykit.errors import PalsykitError
from palsykit.faces.records import FaceDataset, FaceRecord
from palsykit.files.caches import cache_folder
from palsykit.files.pictures import read_png
from palsykit.recipe import load_recipe
from palsykit.run.folder import RunFolder
from palsykit.run.parts import Data, Parts
from palsykit_audit.identities import People

Picture = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Face:
    """A photograph of a person.

    Attributes:
        key: names the photograph in its data set.
        person: the subject.
        read: reads the picture, uint8 [H, W, 3] in the face frame.
    """

    key: str
    person: str
    read: Callable[[], Picture]


@dataclass(frozen=True, eq=False)
class Synthesis:
    """A generated picture.

    Attributes:
        file: path below the audited folder.
        person: the subject that it should show.
        read: reads the picture.
        identity: the photograph that it was made from; None if it is not available.
        held_out: whether that person is a held-out person of the run's data.
    """

    file: str
    person: str
    read: Callable[[], Picture]
    identity: Face | None
    held_out: bool


@dataclass(frozen=True)
class Populations:
    """Photographs of training people and of held-out people, and cautions about them."""

    training: list[Face]
    held_out: list[Face]
    cautions: list[str]


def populations(parts: Parts, trained_on: Sequence[Path] = ()) -> Populations:
    """The training people of a run's data, and its validation and test people, which training never sees.

    Args:
        parts: the run's.
        trained_on: more recipes whose training people count as trained on, for example the recipe of the start weights.

    Raises:
        PalsykitError: there are no training people, or fewer than two held-out people.
    """
    data = parts.data()
    training = _faces(data.dataset, data.splits["train"])
    for path in trained_on:
        recipe = load_recipe(path)
        block, size = recipe.settings.data, parts.settings.image_size
        other = Data(parts.build("datasets", block, size, cache_folder()), recipe.settings.seed)
        training += _faces(other.dataset, other.splits["train"], f"{recipe.name}:")
    held_out = _faces(data.dataset, [*data.splits["validation"], *data.splits["test"]])
    people = len({face.person for face in held_out})
    if not training or people < 2:
        raise PalsykitError(
            f"{parts.recipe.name}: {len({face.person for face in training})} training people and {people} held-out "
            "people; an audit needs at least 1 and 2, because it compares held-out people with each other: audit a run "
            "whose data has splits train, validation and test"
        )
    cautions = [] if trained_on else _unseen_training(parts)
    return Populations(training, held_out, cautions)


def _unseen_training(parts: Parts) -> list[str]:
    """A caution if the weights were also trained on other data, which this audit does not see."""
    s = parts.settings
    blocks = [*s.conditions.values(), *(block for block in (s.trainer,) if block is not None)]
    used = {str(value) for block in blocks for value in block.parameters.values()}
    shipped = [n for n, block in s.networks.items() if n in used and block.parameters.get("weights") is not None]
    origins = [f"the model started from {s.train.start}"] if s.train.start is not None else []
    origins += [f"networks that condition or train it have shipped weights ({', '.join(shipped)})"] if shipped else []
    if not origins:
        return []
    return [
        f"{' and '.join(origins)}: the people that these were trained on are not in this run's data, so they are not "
        "audited; name their recipe with --trained-on if you have it"
    ]


def _faces(dataset: FaceDataset, records: Sequence[FaceRecord], prefix: str = "") -> list[Face]:
    return [Face(r.key, f"{prefix}{r.labels.subject}", partial(dataset.image, r)) for r in records]


def of_run(run: RunFolder, parts: Parts) -> list[Synthesis]:
    """The pictures written by a run's stage ``generate``.

    Raises:
        PalsykitError: there are none.
    """
    return _syntheses(run.images, parts, {})


def of_folder(images: Path, parts: Parts, people: People | None) -> list[Synthesis]:
    """The pictures of a folder that ``palsykit synthesize`` wrote.

    Args:
        images: the folder with metadata.jsonl.
        parts: the run's.
        people: the identities that it was made from; None if unknown.
    """
    given = {} if people is None else {p.key: Face(p.key, p.name, p.picture) for p in people.persons}
    return _syntheses(images, parts, given)


def _syntheses(images: Path, parts: Parts, given: Mapping[str, Face]) -> list[Synthesis]:
    """The pictures listed in the folder's metadata, each with its identity photograph from ``given`` or the data."""
    data = parts.data()
    records = {r.key: (r, split) for split, group in data.splits.items() for r in group}
    pictures = []
    for line in _lines(images / METADATA):
        file, key, person = str(line["file_name"]), str(line.get("identity")), str(line["subject"])
        record, split = records.get(key, (None, None))
        identity = given.get(key)
        if identity is None and record is not None and record.labels.subject == person:
            identity = _faces(data.dataset, [record])[0]
        path = images / file
        held_out = identity is not None and split in ("validation", "test")
        pictures.append(Synthesis(file, person, _reader(path, parts.settings.image_size), identity, held_out))
    if not pictures:
        raise PalsykitError(f"{images}: no pictures in {METADATA}; expected the folder of a finished run or synthesis")
    return pictures


def _reader(path: Path, size: int) -> Callable[[], Picture]:
    """A function that reads one generated picture and checks its size."""

    def read() -> Picture:
        try:
            picture = read_png(path)
        except OSError as error:
            raise PalsykitError(
                f"{path}: cannot be read ({error}); delete it and repeat the command that made the folder"
            ) from error
        if picture.shape[:2] != (size, size):
            raise PalsykitError(
                f"{path}: {picture.shape[1]} x {picture.shape[0]} px, the run's pictures are {size} x {size}; expected "
                "the folder as the run made it"
            )
        return picture

    return read


def _lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a metadata.jsonl, checked."""
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        for line in lines:
            line["file_name"], line["subject"]
    except OSError as error:
        raise PalsykitError(
            f"{path}: cannot be read ({error.strerror}); expected a finished run, or a folder of palsykit synthesize"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise PalsykitError(
            f"{path}: not the metadata of generated pictures ({type(error).__name__}: {error})"
        ) from None
    return lines
