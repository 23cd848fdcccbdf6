"""What transfer should give: the same people, moved as others moved."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from palsykit.faces.records import FaceRecord
from palsykit.faces.vocabulary import FaceLabels
from palsykit_benchmark.transfer import KnowsTruth, transfer_batch, transfer_pairs
from palsykit_face_space.dataset import FaceSpace
from palsykit_face_space.simulated import Simulated

SIZE = 64


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> FaceSpace:
    return FaceSpace(SIZE, tmp_path_factory.mktemp("space"), identities=1, validation=0, test=3, renders=1)


class Rested:
    """The people of the face space as if photographed: at rest only."""

    image_size, attribution, rejected = SIZE, "", ()

    def __init__(self, space: FaceSpace):
        self.space = space
        self.records = [
            replace(record, labels=FaceLabels(record.labels.subject, "rest"))
            for record in space.records
            if record.split == "test" and record.key.endswith("-00")
        ]

    def image(self, record: FaceRecord) -> np.ndarray:
        return self.space.image(record)


@pytest.fixture(scope="module")
def simulated(space: FaceSpace, tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    return Simulated(SIZE, tmp_path_factory.mktemp("cache"), source=Rested(space))


@pytest.fixture(params=["space", "simulated"])
def faces(request: pytest.FixtureRequest) -> FaceSpace | Simulated:
    return request.getfixturevalue(request.param)


def held_out(faces: FaceSpace | Simulated) -> list[FaceRecord]:
    return [record for record in faces.records if record.split == "test"]


def test_driven_by_ones_own_photograph_the_truth_is_that_photograph(faces: FaceSpace | Simulated) -> None:
    assert isinstance(faces, KnowsTruth)
    records = held_out(faces)
    for record in records[1:9]:
        picture, points = faces.truth(records[0], record)
        assert np.abs(picture.astype(int) - faces.image(record)).max() <= 1
        np.testing.assert_allclose(points, record.landmarks, atol=1e-3)


def test_another_driver_moves_the_same_person(faces: FaceSpace | Simulated) -> None:
    pairs = transfer_pairs(held_out(faces), 0)
    assert len(pairs) == 24
    batch = transfer_batch(faces, pairs)
    truth = batch.target
    assert truth is not None
    for row, pair in enumerate(pairs):
        labels = pair.record.labels
        own = next(
            r
            for r in held_out(faces)[1:]
            if r.labels.subject == pair.identity.labels.subject and r.labels.expression == labels.expression
            and not r.key.endswith(("-00", "#00"))
        )  # fmt: skip
        same = (own.labels.side, own.labels.severity, own.labels.group) == (labels.side, labels.severity, labels.group)
        equal = np.allclose(truth.landmarks[row], own.landmarks, atol=1e-3)
        assert equal == same, "another palsy is seen"
        assert truth.labels[row] == replace(labels, subject=pair.identity.labels.subject)
        nearer = (truth.image[row] - batch.identity.image[row]).abs().mean()
        assert nearer < (truth.image[row] - batch.driver.image[row]).abs().mean()


def test_an_unknown_person_is_refused(faces: FaceSpace | Simulated, tmp_path: Path) -> None:
    stranger = FaceRecord("nobody", FaceLabels("s"))
    with pytest.raises(ValueError, match="no photograph 'nobody'"):
        faces.truth(stranger, held_out(faces)[0])
    with pytest.raises(ValueError, match="no photograph 'nobody'"):
        faces.truth(held_out(faces)[0], stranger)
