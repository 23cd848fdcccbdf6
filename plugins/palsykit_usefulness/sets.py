"""Training sets of a classifier: some real people, the synthetic ones, or both."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from palsykit.errors import PalsykitError
from palsykit.faces.pairing import Pair, by_subject, pair
from palsykit.faces.records import FaceDataset, FaceRecord, Rejected
from palsykit.faces.splits import shared_subjects
from palsykit.seeds import derive


class Joined:
    """Records of several data sets as the training split of one; keys and subjects begin with the name of their set.

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
                joined = replace(record, key=f"{name}:{record.key}", labels=labels, split="train")
                self._of[joined.key] = (dataset, record)
                records_of_all.append(joined)
        self.records: Sequence[FaceRecord] = records_of_all

    def image(self, record: FaceRecord) -> NDArray[np.uint8]:
        """A record's picture, read from its own data set."""
        dataset, own = self._of[record.key]
        return dataset.image(own)


def draw_people(records: Sequence[FaceRecord], people: int, seed: int) -> list[FaceRecord]:
    """All photographs of ``people`` subjects drawn with ``seed``; a larger draw contains the smaller ones.

    Raises:
        PalsykitError: there are fewer.
    """
    groups = by_subject(records)
    if people > len(groups):
        raise PalsykitError(
            f"{people} real people to train on, but the recipe's data has {len(groups)}; give smaller numbers with "
            "--subjects, or give the data more people"
        )
    drawn = set(sorted(groups, key=lambda subject: derive("few", seed, subject))[:people])
    return [record for record in records if record.labels.subject in drawn]


def balance(joined: Joined, seed: int) -> list[Pair]:
    """Make the training pairs; those of a smaller set are repeated, so that each set is seen about equally often."""
    groups: dict[str, list[Pair]] = {}
    for one in pair(joined.records, seed):
        groups.setdefault(one.record.key.split(":")[0], []).append(one)
    most = max(len(pairs) for pairs in groups.values())
    return [one for pairs in groups.values() for one in pairs * max(1, round(most / len(pairs)))]


def refuse_known(test: Sequence[FaceRecord], synthetic: Sequence[FaceRecord]) -> None:
    """Refuse synthetic faces of people who are also tested on.

    Raises:
        PalsykitError: some people are in both; the message names them.
    """
    if both := shared_subjects(test, synthetic):
        raise PalsykitError(
            f"{len(both)} people are in the test split and among the synthetic faces ({', '.join(both[:5])}); expected "
            "unseen people: test on others (--set data.seed=3 for a face space), or synthesise other identities"
        )
