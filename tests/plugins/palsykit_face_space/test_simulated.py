"""Palsies simulated on photographs: the truth about points and sides, splits kept, nobody palsied or smiling used."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from palsykit.faces.records import FaceRecord, Rejected
from palsykit.faces.vocabulary import EXPRESSIONS, FaceLabels, Group, Side
from palsykit.testing import check
from palsykit_face_space.dataset import FaceSpace
from palsykit_face_space.simulated import Simulated, SimulatedPoser, photographed_person
from palsykit_face_space.template import template_points

SIZE = 64
RIGHT_CORNER, LEFT_CORNER = 48, 54


@dataclass
class Photographs:
    """A source of given pictures."""

    pictures: dict[str, np.ndarray]
    records: list[FaceRecord]
    image_size: int = SIZE
    attribution: str = "somebody's photographs"
    rejected: list[Rejected] = field(default_factory=lambda: [Rejected("bad.jpg", "cut short")])

    def image(self, record: FaceRecord) -> np.ndarray:
        return self.pictures[record.key]


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Photographs:
    space = FaceSpace(SIZE, tmp_path_factory.mktemp("space"), identities=1, validation=0, test=0, renders=1)
    pictures, records = {}, []
    for number, split in enumerate(("train", "validation", "test")):
        key = f"person {number}.jpg"
        pictures[key], points = space.render(number, "rest")
        labels = FaceLabels(f"p{number}", "rest")
        records.append(FaceRecord(key, labels, points, "given", split))
    return Photographs(pictures, records)


@pytest.fixture(scope="module")
def simulated(photographs: Photographs, tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    return Simulated(SIZE, tmp_path_factory.mktemp("cache"), source=photographs, renders=4)


def test_everybody_comes_as_photographed_and_in_actions(simulated: Simulated, photographs: Photographs) -> None:
    assert len(simulated.records) == 4 + 4 + 9
    originals = [record for record in simulated.records if record.key.endswith("#00")]
    assert [record.labels.subject for record in originals] == ["p0", "p1", "p2"]
    for record, source in zip(originals, photographs.records, strict=True):
        assert (record.labels.expression, record.labels.side, record.labels.severity) == ("rest", Side.NONE, 1.0)
        assert np.array_equal(simulated.image(record), photographs.image(source))
        assert np.array_equal(record.landmarks, source.landmarks)
    examined = [record.labels for record in simulated.records if record.split == "test"][1:]
    assert [labels.expression for labels in examined] == list(EXPRESSIONS)
    assert len({(labels.side, labels.severity) for labels in examined}) == 1
    assert simulated.attribution == "somebody's photographs"
    assert [r.path for r in simulated.rejected] == ["bad.jpg"]


def test_the_same_again_is_read_from_the_cache(
    simulated: Simulated, photographs: Photographs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Simulated(SIZE, tmp_path, source=photographs, renders=4)
    expected = [first.image(record) for record in first.records]
    assert [np.array_equal(simulated.image(r), e) for r, e in zip(simulated.records, expected, strict=True)] == [
        True
    ] * 17
    monkeypatch.setattr("palsykit_face_space.simulated.render", lambda *_: pytest.fail("rendered again"))
    again = Simulated(SIZE, tmp_path, source=photographs, renders=4)
    assert all(np.array_equal(again.image(r), e) for r, e in zip(again.records, expected, strict=True))


def test_another_photograph_is_simulated_anew(photographs: Photographs, tmp_path: Path) -> None:
    first = Simulated(SIZE, tmp_path, source=photographs, renders=2)
    first.image(first.records[0])
    changed = {key: picture.copy() for key, picture in photographs.pictures.items()}
    changed["person 0.jpg"][:8] = 0
    second = Simulated(SIZE, tmp_path, source=replace(photographs, pictures=changed), renders=2)
    assert not second.image(second.records[1])[0].any()


def test_who_cannot_be_used_is_listed(photographs: Photographs, tmp_path: Path) -> None:
    first = photographs.records[0]
    others = {
        "smiling": replace(first, labels=FaceLabels("p0", "smile_full")),
        "unsaid": replace(first, labels=FaceLabels("p0")),
        "palsied": replace(first, labels=FaceLabels("p0", "rest", Side.LEFT, 3.0)),
        "graded": replace(first, labels=FaceLabels("p0", "rest", None, 2.0)),
        "flaccid": replace(first, labels=FaceLabels("p0", "rest", group=Group.FLACCID)),
        "unmarked": replace(first, landmarks=None),
    }
    records = [first, *[replace(record, key=key) for key, record in others.items()]]
    used = Simulated(SIZE, tmp_path, source=replace(photographs, records=records, rejected=[]), renders=1)
    assert [record.key for record in used.records] == ["person 0.jpg#00"]
    reasons = {r.path: r.reason for r in used.rejected}
    assert list(reasons) == list(others)
    assert "smile_full" in reasons["smiling"]
    assert "unknown" in reasons["unsaid"]
    assert all("healthy" in reasons[key] for key in ("palsied", "graded", "flaccid"))
    assert "landmarks" in reasons["unmarked"]
    with pytest.raises(ValueError, match=r"no photograph of the source can be used \(smiling: found expression"):
        Simulated(SIZE, tmp_path, source=replace(photographs, records=records[1:], rejected=[]))
    with pytest.raises(ValueError, match="renders is 0"):
        Simulated(SIZE, tmp_path, source=photographs, renders=0)


@pytest.mark.parametrize(("side", "fallen", "still"), [(Side.LEFT, LEFT_CORNER, RIGHT_CORNER),
                                                       (Side.RIGHT, RIGHT_CORNER, LEFT_CORNER)])  # fmt: skip
def test_the_requested_side_droops(photographs: Photographs, side: Side, fallen: int, still: int) -> None:
    record = photographs.records[0]
    picture, points = SimulatedPoser().pose(
        photographs.image(record), record.landmarks, FaceLabels(expression="rest", side=side, severity=6.0)
    )
    assert points[fallen, 1] - record.landmarks[fallen, 1] > 1.2
    assert abs(points[still, 1] - record.landmarks[still, 1]) < 0.1
    at_rest, _ = SimulatedPoser().pose(photographs.image(record), record.landmarks, FaceLabels())
    change = np.abs(picture.astype(int) - at_rest).sum(-1)[:32]  # brows and eyes; the mouth is pulled as a whole
    halves = change[:, 32:].sum(), change[:, :32].sum()
    moved, same = halves if side is Side.LEFT else halves[::-1]
    assert moved > 4 * same


def test_rest_changes_little_and_moves_no_landmark(photographs: Photographs) -> None:
    record = photographs.records[1]
    picture, points = SimulatedPoser().pose(photographs.image(record), record.landmarks, FaceLabels())
    assert np.array_equal(points, record.landmarks)
    assert np.abs(picture.astype(int) - photographs.image(record)).mean() < 3


def test_pictures_of_other_sizes_keep_theirs(photographs: Photographs) -> None:
    picture = photographs.pictures["person 0.jpg"].repeat(3, 0).repeat(3, 1)
    points = photographs.records[0].landmarks * 3
    posed, moved = SimulatedPoser().pose(picture, points, FaceLabels(expression="smile_full"))
    assert posed.shape == (192, 192, 3)
    assert np.abs(moved - points).max() > 5


def test_what_cannot_be_posed_is_refused(photographs: Photographs) -> None:
    picture, points = photographs.pictures["person 0.jpg"], photographs.records[0].landmarks
    poser = SimulatedPoser()
    with pytest.raises(ValueError, match="unknown expression 'grin'"):
        poser.pose(picture, points, FaceLabels(expression="grin"))
    with pytest.raises(ValueError, match="side 'none'"):
        poser.pose(picture, points, FaceLabels(severity=3.0))
    with pytest.raises(ValueError, match=r"\(64, 40, 3\), expected a square"):
        poser.pose(picture[:, :40], points, FaceLabels())
    with pytest.raises(ValueError, match="unknown landmarks"):
        poser.pose(picture, np.full((68, 2), np.nan), FaceLabels())


def test_the_template_follows_the_landmarks(photographs: Photographs) -> None:
    points = photographs.records[2].landmarks * 2
    template = template_points(points)
    assert np.abs(template[[87, 93]] - points[[RIGHT_CORNER, LEFT_CORNER]]).max() < 0.6
    who = photographed_person(photographs.pictures["person 2.jpg"], photographs.records[2].landmarks)
    assert np.allclose(who.shape.numpy(), template, atol=1e-3)


def test_both_keep_their_contracts() -> None:
    source = {"use": "face_space", "identities": 1, "validation": 1, "test": 1, "renders": 2}
    for interface, keys in (("dataset", {"source": source, "renders": 2}), ("poser", {})):
        results = check(interface, "simulated", image_size=SIZE, **keys)
        assert [str(result) for result in results if result.state != "passed"] == []
