"""Several data sets as one."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from palsykit.faces.records import FaceDataset, FaceRecord, Rejected


class Joined:
    """Records of several data sets as one data set; keys and subjects begin with the name of their set.

    Args:
        sets: name -> (data set, the records to take from it), all of one image size.

    Raises:
        ValueError: for sets of different image sizes.
    """

    def __init__(self, sets: dict[str, tuple[FaceDataset, Sequence[FaceRecord]]]):
        sizes = {name: dataset.image_size for name, (dataset, _) in sets.items()}
        if len(set(sizes.values())) != 1:
            raise ValueError(f"image sizes {sizes}; expected one")
        self.image_size = next(iter(sizes.values()))
        self.rejected: Sequence[Rejected] = ()
        self.attribution = "\n\n".join(dict.fromkeys(dataset.attribution for dataset, _ in sets.values()))
        self._of: dict[str, tuple[FaceDataset, FaceRecord]] = {}
        records_of_all: list[FaceRecord] = []
        for name, (dataset, records) in sets.items():
            for record in records:
                labels = replace(record.labels, subject=f"{name}:{record.labels.subject}")
                joined = replace(record, key=f"{name}:{record.key}", labels=labels)
                self._of[joined.key] = (dataset, record)
                records_of_all.append(joined)
        self.records: Sequence[FaceRecord] = records_of_all

    def image(self, record: FaceRecord) -> NDArray[np.uint8]:
        """A record's picture, read from its own data set."""
        dataset, own = self._of[record.key]
        return dataset.image(own)
