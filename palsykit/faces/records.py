"""A data set as core sees it: records with labels, pictures on demand, and rejected photographs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from palsykit.faces.vocabulary import FaceLabels


@dataclass(frozen=True, eq=False, slots=True)
class FaceRecord:
    """One photograph of a data set.

    Attributes:
        key: unique within the data set and the same in every run; random draws for this photograph are seeded by it.
        labels: what is known; ``labels.subject`` is required, because splits are by subject.
        landmarks: [68, 2] float32 px (iBUG 68) of the picture at the data set's image size, or None.
        landmarks_source: "given" or "predicted"; None without landmarks.
        further: [8, 2] float32 px, pupils and nasolabial folds (palsykit.faces.landmarks.FURTHER), NaN for an unknown
            point; or None. Data sets that do not know them need not name them.
        split: "train", "validation" or "test" if the data set prescribes it; None leaves it to core.
        digest: SHA-256 of what the picture and the given points are made from, if the data set reads files. A run
            that goes on compares it with the one at its start.
    """

    key: str
    labels: FaceLabels
    landmarks: NDArray[np.float32] | None = None
    landmarks_source: str | None = None
    split: str | None = None
    further: NDArray[np.float32] | None = None
    digest: str | None = None


@dataclass(frozen=True)
class Rejected:
    """A photograph that cannot be used, with the reason; the file itself is left alone."""

    path: str
    reason: str


class NothingUsable(ValueError):
    """No photograph of a data set can be used; raised with the rejected ones, which core lists."""

    def __init__(self, message: str, rejected: Sequence[Rejected]) -> None:
        super().__init__(message)
        self.rejected = rejected


class FaceDataset(Protocol):
    """What a dataset plugin's factory returns: ``factory(image_size, cache, *, ...)``.

    ``image_size`` is the side of every picture in px; ``cache`` is a folder (pathlib.Path) in which the plugin
    may keep results, under names that depend on everything that the result depends on. A data set may have ``notes``,
    lines about what it read; they are shown with the doubts of palsykit/data/consistency.py.
    """

    image_size: int
    records: Sequence[FaceRecord]
    rejected: Sequence[Rejected]
    attribution: str

    def image(self, record: FaceRecord) -> NDArray[np.uint8]:
        """The picture of a record, [image_size, image_size, 3] RGB, in palsykit's face frame (faces/alignment.py)."""
        ...
