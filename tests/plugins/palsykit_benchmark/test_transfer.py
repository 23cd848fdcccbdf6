"""Transfer pairs are fair and seeded; the truth is the identity person's, with the driver's expression."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from palsykit.faces.pairing import identity_photograph
from palsykit.faces.records import FaceRecord
from palsykit.faces.views import to_tensor
from palsykit.faces.vocabulary import FaceLabels, Side
from palsykit_benchmark.transfer import KnowsTruth, input_batch, transfer_batch, transfer_pairs


def records_of(people: int, expressions: tuple[str, ...] = ("smile_full", "lip_pucker")) -> list[FaceRecord]:
    names = ("rest", *expressions)
    return [FaceRecord(f"{p}-{name}", FaceLabels(f"s{p}", name)) for p in range(people) for name in names]


@pytest.mark.parametrize("people", [2, 3, 7])
def test_each_photograph_drives_once_and_never_its_own_person(people: int) -> None:
    records = records_of(people)
    pairs = transfer_pairs(records, 0)
    assert len(pairs) == 2 * people
    assert set(Counter(pair.record.key for pair in pairs).values()) == {1}
    for pair in pairs:
        assert pair.identity.labels.expression == "rest"
        assert pair.identity.labels.subject != pair.record.labels.subject
    asked = [(pair.identity.labels.subject, pair.record.labels.expression) for pair in pairs]
    assert asked == [(r.labels.subject, r.labels.expression) for r in records if r.labels.expression != "rest"]


def test_the_seed_chooses_the_driver() -> None:
    records = records_of(9)
    drawn = {tuple(pair.record.key for pair in transfer_pairs(records, seed)) for seed in range(6)}
    assert len(drawn) > 1
    assert [p.record.key for p in transfer_pairs(records, 3)] == [p.record.key for p in transfer_pairs(records, 3)]


def test_who_cannot_take_part_is_left_out() -> None:
    alone = [r for r in records_of(3) if r.key not in ("0-lip_pucker", "1-lip_pucker", "2-rest")]
    pairs = transfer_pairs(alone, 0)
    made = {(pair.identity.labels.subject, pair.record.labels.expression) for pair in pairs}
    assert made == {("s0", "smile_full"), ("s1", "smile_full")}, "nobody else puckers, and s2 is never at rest"


def test_a_person_with_two_smiles_has_two_other_drivers() -> None:
    twice = [*records_of(2), FaceRecord("0-again", FaceLabels("s0", "smile_full"))]
    for seed in range(5):
        for pair in transfer_pairs(twice, seed):
            assert pair.identity.labels.subject != pair.record.labels.subject


class Truthful:
    """Drawn faces of which the truth is the identity's picture, its last bit turned."""

    def __init__(self, faces: Any):
        self.faces, self.records, self.image_size = faces, faces.records, faces.image_size
        self.rejected, self.attribution = (), ""

    def image(self, record: FaceRecord) -> np.ndarray:
        return self.faces.image(record)

    def truth(self, identity: FaceRecord, driver: FaceRecord) -> tuple[np.ndarray, np.ndarray]:
        assert driver.landmarks is not None
        return self.faces.image(identity) ^ 1, driver.landmarks + 2


def test_the_batch_compares_with_the_truth_of_the_identity_person(faces: Any) -> None:
    dataset = Truthful(faces)
    assert isinstance(dataset, KnowsTruth)
    pairs = transfer_pairs(dataset.records, 0)
    batch = transfer_batch(dataset, pairs)
    assert batch.target is not None
    for row, pair in enumerate(pairs):
        own = identity_photograph([r for r in dataset.records if r.labels.subject == pair.identity.labels.subject])
        assert pair.identity is own
        asked, driver = batch.target.labels[row], pair.record.labels
        assert (asked.subject, asked.expression) == (pair.identity.labels.subject, driver.expression)
        assert (asked.side, asked.severity) == (driver.side, driver.severity)
        np.testing.assert_allclose(batch.target.landmarks[row], pair.record.landmarks + 2)
    np.testing.assert_allclose((batch.target.image - batch.identity.image).abs() * 127.5, 1, atol=1e-3)


def test_a_data_set_without_truth_is_refused(faces: Any) -> None:
    with pytest.raises(ValueError, match=r"DrawnFaces.*expected a data set with a method truth"):
        transfer_batch(faces, transfer_pairs(faces.records, 0))


def test_rest_is_the_drivers_person_where_healthy_and_else_says_nothing(faces: Any) -> None:
    """A palsy that shows at rest is no movement: subtracting it would lose it."""
    dataset = Truthful(faces)
    pairs = transfer_pairs(dataset.records, 0)
    for side in (Side.NONE, Side.LEFT, None):
        dataset.records = [
            replace(r, labels=replace(r.labels, side=side, severity=None)) if r.labels.expression == "rest" else r
            for r in faces.records
        ]
        batch = input_batch(dataset, pairs)
        assert batch.rest is not None
        for row, pair in enumerate(pairs):
            own = next(
                r
                for r in dataset.records
                if (r.labels.subject, r.labels.expression) == (pair.record.labels.subject, "rest")
            )
            expected = dataset.image(own if side is Side.NONE else pair.identity)
            np.testing.assert_allclose(batch.rest.image[row], to_tensor(expected[None])[0])
