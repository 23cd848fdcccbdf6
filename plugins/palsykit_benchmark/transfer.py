"""Expression transfer: one person's photograph with another person's expression, and data sets that know the truth."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray

from palsykit.faces.pairing import Pair, by_subject, identity_photograph
from palsykit.faces.records import FaceDataset, FaceRecord
from palsykit.faces.views import to_tensor, view
from palsykit.faces.vocabulary import FaceLabels, Side
from palsykit.interfaces import FaceBatch, FaceView
from palsykit.seeds import derive


@runtime_checkable
class KnowsTruth(Protocol):
    """A data set that renders its faces, so it can show each person with the expression of any other person."""

    def truth(self, identity: FaceRecord, driver: FaceRecord) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """The person of ``identity`` with the expression and palsy of ``driver``, seen by the camera of ``identity``.

        Light, background, hair and noise are those of the photograph ``identity``. Both records belong to this data
        set.

        Returns:
            The picture [image_size, image_size, 3] and its landmarks [68, 2] px.

        Raises:
            ValueError: a record belongs to another data set.
        """
        ...


def transfer_pairs(records: Sequence[FaceRecord], seed: int) -> list[Pair]:
    """Pair each person's identity photograph with another person's photograph of every expression that both show.

    Within an expression the people are rotated by a seeded step: if each person shows it once, each photograph drives
    exactly one synthesis. The pairs are in the order of the records. People without a photograph at rest are left out,
    and so are expressions that only one person shows.
    """
    people = by_subject(records)
    own = {subject: identity_photograph(group) for subject, group in people.items()}
    shown: dict[str, list[FaceRecord]] = {}
    for record in records:
        if record.labels.expression is not None and record is not own[str(record.labels.subject)]:
            shown.setdefault(record.labels.expression, []).append(record)
    drivers = {key: driver for name, group in shown.items() for key, driver in _rotate(name, group, seed).items()}
    return [
        Pair(identity, drivers[record.key])
        for record in records
        if record.key in drivers and (identity := own[str(record.labels.subject)]) is not None
    ]


def _rotate(expression: str, group: Sequence[FaceRecord], seed: int) -> dict[str, FaceRecord]:
    """Photograph key -> another person's photograph of the same expression, which becomes the driver."""
    if len(group) < 2:
        return {}
    step = 1 + derive("transfer", seed, expression) % (len(group) - 1)
    drivers = {}
    for place, record in enumerate(group):
        candidates = (group[(place + step + further) % len(group)] for further in range(len(group)))
        other = next((o for o in candidates if o.labels.subject != record.labels.subject), None)
        if other is not None:
            drivers[record.key] = other
    return drivers


def transfer_batch(dataset: FaceDataset, pairs: Sequence[Pair]) -> FaceBatch:
    """The batch of the pairs; its target is the data set's truth.

    Raises:
        ValueError: the data set does not know the true result.
    """
    if not isinstance(dataset, KnowsTruth):
        raise ValueError(
            f"the data ({type(dataset).__name__}) does not know the true result of a transfer; expected a data set "
            "with a method truth, such as one that renders its faces"
        )
    truths = [dataset.truth(pair.identity, pair.record) for pair in pairs]
    target = FaceView(
        to_tensor(np.stack([picture for picture, _ in truths])),
        torch.from_numpy(np.stack([points.astype(np.float32) for _, points in truths])),
        tuple(_target_labels(pair) for pair in pairs),
    )
    return replace(input_batch(dataset, pairs), target=target)


def input_batch(dataset: FaceDataset, pairs: Sequence[Pair]) -> FaceBatch:
    """Identity, driver and rest of the pairs, without a target.

    ``rest`` shows the driver's person at rest, but only if that photograph is labelled as healthy: the asymmetry of a
    palsy at rest is not a movement, and would be lost if it were subtracted. Otherwise ``rest`` is the identity
    photograph.
    """
    identity, driver = ([pair.identity for pair in pairs], [pair.record for pair in pairs])
    people = by_subject(dataset.records)
    rest = [_healthy_at_rest(people[str(pair.record.labels.subject)]) or pair.identity for pair in pairs]
    return FaceBatch(view(dataset, identity), view(dataset, driver), rest=view(dataset, rest))


def _healthy_at_rest(photographs: Sequence[FaceRecord]) -> FaceRecord | None:
    record = identity_photograph(photographs)
    return record if record is not None and record.labels.side is Side.NONE else None


def _target_labels(pair: Pair) -> FaceLabels:
    """The labels of the synthesis: this person, with the driver's expression and palsy."""
    driver = pair.record.labels
    return FaceLabels(pair.identity.labels.subject, driver.expression, driver.side, driver.severity, driver.group)
