"""A data set as core sees it: records with labels, pictures on demand, and what could not be used."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from palsykit.faces.vocabulary import FaceLabels


@dataclass(frozen=True, eq=False)
class FaceRecord:
    """One photograph of a data set.

    Attributes:
        key: unique within the data set and the same in every run; it seeds what is drawn for this photograph.
        labels: what is known; ``labels.subject`` is required, for splits go by subject.
        landmarks: [68, 2] float32 px (iBUG 68) of the picture at the data set's image size, or None.
        landmarks_source: "given" or "predicted"; None without landmarks.
        split: "train", "validation" or "test" where the data set prescribes it, else None and core splits.
    """

    key: str
    labels: FaceLabels
    landmarks: NDArray[np.float32] | None = None
    landmarks_source: str | None = None
    split: str | None = None


@dataclass(frozen=True)
class Rejected:
    """A photograph that could not be used; it stays where it is and is listed with its reason."""

    path: str
    reason: str


class NothingUsable(ValueError):
    """Not one photograph of a data set can be used; a data set raises it with what it rejected, to be listed."""

    def __init__(self, message: str, rejected: Sequence[Rejected]) -> None:
        super().__init__(message)
        self.rejected = rejected


class FaceDataset(Protocol):
    """What a dataset plugin's factory returns: ``factory(image_size, cache, *, ...)``.

    ``image_size`` is the side of every picture in px; ``cache`` a folder (pathlib.Path) in which the plugin may keep
    what it computes, under names that depend on everything the result depends on.
    """

    image_size: int
    records: Sequence[FaceRecord]
    rejected: Sequence[Rejected]
    attribution: str

    def image(self, record: FaceRecord) -> NDArray[np.uint8]:
        """The picture of a record, [image_size, image_size, 3] RGB, in palsykit's face frame (faces/alignment.py)."""
        ...
