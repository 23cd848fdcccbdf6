"""The data set face_space: the same pictures every time, sides as labelled, splits apart, a cache that mends itself."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from palsykit import parallel
from palsykit.faces.vocabulary import EXPRESSIONS, SPLITS, Group, Side
from palsykit_face_space.camera import Camera
from palsykit_face_space.dataset import FaceSpace
from palsykit_face_space.model import SKIN, draw, load_model
from palsykit_face_space.movements import MEAN
from palsykit_face_space.plan import VARIATIONS, Habits, Plan, Variation

TINY = {"identities": 2, "validation": 1, "test": 1, "renders": 3}
LEFT_CORNER, RIGHT_CORNER = 54, 48


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def faces(cache: Path) -> FaceSpace:
    return FaceSpace(32, cache, **TINY)


def pictures(data: FaceSpace) -> np.ndarray:
    return np.stack([data.image(record) for record in data.records])


def test_records_say_what_they_show(faces: FaceSpace) -> None:
    assert len(faces.records) == (2 + 1) * 3 + 9
    assert len({record.key for record in faces.records}) == len(faces.records)
    assert faces.records[0].key == "fs0-000000-00"
    for record in faces.records:
        assert record.landmarks is not None
        assert record.landmarks.shape == (68, 2)
        assert record.landmarks_source == "given"
        assert record.labels.expression in EXPRESSIONS
        assert (record.labels.side is Side.NONE) == (record.labels.severity == 1.0)
        picture = faces.image(record)
        assert picture.shape == (32, 32, 3)
        assert picture.dtype == np.uint8


def test_first_render_is_the_healthy_face_at_rest(faces: FaceSpace) -> None:
    firsts = [record.labels for record in faces.records if record.key.endswith("-00")]
    assert len(firsts) == 4
    assert all((x.expression, x.side, x.severity) == ("rest", Side.NONE, 1.0) for x in firsts)


def test_a_test_person_has_every_expression_with_one_palsy(faces: FaceSpace) -> None:
    labels = [record.labels for record in faces.records if record.split == "test"][1:]
    assert [x.expression for x in labels] == list(EXPRESSIONS)
    assert len({(x.side, x.severity) for x in labels}) == 1
    assert labels[0].side in (Side.LEFT, Side.RIGHT)
    assert labels[0].severity is not None
    assert labels[0].severity >= 3


def test_splits_share_no_person(faces: FaceSpace) -> None:
    people = [{r.labels.subject for r in faces.records if r.split == split} for split in SPLITS]
    assert [len(group) for group in people] == [2, 1, 1]
    assert len(set.union(*people)) == 4


def test_the_same_seed_gives_the_same_pictures(faces: FaceSpace, tmp_path: Path) -> None:
    again = FaceSpace(32, tmp_path, **TINY)
    assert [r.key for r in again.records] == [r.key for r in faces.records]
    assert np.array_equal(pictures(again), pictures(faces))
    assert all(np.array_equal(a.landmarks, b.landmarks) for a, b in zip(again.records, faces.records, strict=True))


def test_another_seed_gives_other_people(faces: FaceSpace, tmp_path: Path) -> None:
    other = FaceSpace(32, tmp_path, **TINY, seed=1)
    assert np.abs(other.image(other.records[0]).astype(int) - faces.image(faces.records[0])).mean() > 5


def test_more_people_leave_the_others_as_they_are() -> None:
    few = {shot.key(0): shot for shot in Plan(0, {"train": 2, "validation": 1, "test": 1}, 3, Habits())}
    many = {shot.key(0): shot for shot in Plan(0, {"train": 5, "validation": 2, "test": 3}, 4, Habits())}
    assert few.items() <= many.items()


def test_draws_follow_their_shares() -> None:
    shots = [s.scene.action for s in Plan(0, {"train": 400, "validation": 0, "test": 0}, 6, Habits()) if s.render > 0]
    counts = {side: sum(s.side is side for s in shots) / len(shots) for side in (Side.NONE, Side.LEFT, Side.RIGHT)}
    assert counts == pytest.approx({Side.NONE: 0.2, Side.LEFT: 0.4, Side.RIGHT: 0.4}, abs=0.04)
    for expression in EXPRESSIONS:
        assert sum(s.expression == expression for s in shots) / len(shots) == pytest.approx(1 / 8, abs=0.03)
    assert {s.severity for s in shots if s.side is not Side.NONE} == {2.0, 3.0, 4.0, 5.0, 6.0}
    kinds = [s.group for s in shots if 1 < s.severity < 5]
    assert sum(kind is Group.SYNKINETIC for kind in kinds) / len(kinds) == pytest.approx(0.25, abs=0.04)
    assert {s.group for s in shots if s.severity >= 5} == {Group.FLACCID}
    assert all((s.group is Group.NORMAL) == (s.side is Side.NONE) for s in shots)


@pytest.mark.parametrize("off", VARIATIONS)
def test_what_is_switched_off_leaves_the_other_draws_as_they_are(off: Variation) -> None:
    people = {"train": 3, "validation": 0, "test": 1}
    everything = Plan(0, people, 3, Habits())
    without = Plan(0, people, 3, Habits([name for name in VARIATIONS if name != off]))
    nothing = Camera()
    changed = set()
    for a, b in zip(everything, without, strict=True):
        assert (a.key(0), a.scene.action.expression) == (b.key(0), b.scene.action.expression)
        if a.scene.action.manner != b.scene.action.manner:
            changed.add("movement")
            assert b.scene.action.manner == MEAN
        if a.scene.action.strength != b.scene.action.strength:
            changed.add("strength")
            assert b.scene.action.strength == 1.0
        for name in vars(nothing):
            if getattr(a.scene.camera, name) != getattr(b.scene.camera, name):
                changed.add(name)
                assert getattr(b.scene.camera, name) == getattr(nothing, name)
    expected = {
        "skin": set(),
        "movement": {"movement"},
        "strength": {"strength"},
        "light": {"gain", "gradient"},
        "background": {"background"},
        "framing": {"roll", "zoom", "shift"},
        "noise": {"noise"},
        "jpeg": {"jpeg"},
    }
    assert changed == expected[off]


@pytest.mark.parametrize(("visits", "lights"), [(1, 1), (2, 2), (None, 4)])
def test_light_background_and_framing_are_a_sittings(visits: int | None, lights: int) -> None:
    shots = Plan(0, {"train": 1, "validation": 0, "test": 0}, 4, Habits(visits=visits))
    cameras = [shot.scene.camera for shot in shots]
    assert len({(c.gain, c.gradient, c.background) for c in cameras}) == lights
    assert len({(c.roll, c.zoom, c.shift) for c in cameras}) == lights
    assert len({c.noise for c in cameras}) == len({c.noise_seed for c in cameras}) == 4


def test_skin_covers_the_range_of_the_people_evenly() -> None:
    model = load_model()
    cheeks = (model.shape_mean[[164, 165, 166, 167, 168, 169]].long() * 2).tolist()

    def tone(person: int, skin: bool) -> float:
        texture = draw(model, np.random.default_rng([0, person]), skin).texture
        return float(np.mean([texture[:, y - 4 : y + 6, x - 4 : x + 6].mean() for x, y in cheeks]))

    tones = np.array([tone(person, True) for person in range(60)])
    assert tones.min() == pytest.approx(SKIN[0], abs=0.06)
    assert tones.max() == pytest.approx(SKIN[1], abs=0.06)
    assert np.mean(tones < sum(SKIN) / 2) == pytest.approx(0.5, abs=0.15)
    assert np.std([tone(person, False) for person in range(60)]) < 0.75 * tones.std()


def test_a_left_palsy_lowers_the_mouth_corner_at_the_right_of_the_image(faces: FaceSpace) -> None:
    _, healthy = faces.render(0, "rest")
    _, left = faces.render(0, "rest", Side.LEFT, 6.0)
    assert healthy[LEFT_CORNER, 0] > 16 > healthy[RIGHT_CORNER, 0]
    assert left[LEFT_CORNER, 1] - healthy[LEFT_CORNER, 1] > 0.6
    assert abs(left[RIGHT_CORNER, 1] - healthy[RIGHT_CORNER, 1]) < 0.2


def test_pixels_change_on_the_side_that_moves(faces: FaceSpace) -> None:
    rest, _ = faces.render(0, "rest", Side.RIGHT, 6.0)
    raised, _ = faces.render(0, "brow_raise", Side.RIGHT, 6.0)
    change = np.abs(raised.astype(int) - rest).sum((0, 2))
    assert change[17:].sum() > 4 * change[:15].sum(), "the subject's left brow, at the image's right, goes up alone"


def test_the_camera_moves_landmarks_with_the_picture(faces: FaceSpace) -> None:
    plain, still = faces.render(0, "rest")
    moved, marks = faces.render(0, "rest", camera=Camera(shift=(0.125, 0.0625)))
    assert np.allclose(marks - still, [4, 2], atol=1e-4)
    assert np.abs(moved[10:26, 14:28].astype(int) - plain[8:24, 10:24]).mean() < 4


def test_pictures_are_read_from_the_cache(faces: FaceSpace, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = pictures(faces)
    monkeypatch.setattr("palsykit_face_space.dataset.render", lambda *_: pytest.fail("rendered again"))
    assert np.array_equal(pictures(FaceSpace(32, cache, **TINY)), expected)


@pytest.mark.parametrize("keep", [0, 5, 4000])
def test_a_damaged_cache_is_made_again(faces: FaceSpace, tmp_path: Path, keep: int) -> None:
    first = FaceSpace(32, tmp_path, **TINY)
    expected = pictures(first)
    files = {file: file.read_bytes() for file in tmp_path.iterdir()}
    assert len(files) == 2, "the pictures, and the index of the records"
    for file, content in files.items():
        file.write_bytes(content[:keep])
    again = FaceSpace(32, tmp_path, **TINY)
    assert np.array_equal(pictures(again), expected)
    assert all(np.array_equal(a.landmarks, b.landmarks) for a, b in zip(first.records, again.records, strict=True))
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == files


def test_a_later_start_poses_nobody(cache: Path, faces: FaceSpace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("palsykit_face_space.dataset.poses", lambda *_: pytest.fail("posed again"))
    again = FaceSpace(32, cache, **TINY)
    for one, other in zip(faces.records, again.records, strict=True):
        assert (one.key, one.labels, one.split, one.digest) == (other.key, other.labels, other.split, other.digest)
        assert np.array_equal(one.landmarks, other.landmarks)
        assert np.array_equal(one.further, other.further, equal_nan=True)


@pytest.mark.parametrize("count", [1, 3])
def test_the_number_of_workers_changes_no_bit(
    faces: FaceSpace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(parallel, "workers", lambda: count)
    again = FaceSpace(32, tmp_path, **TINY)
    assert np.array_equal(pictures(again), pictures(faces))
    assert all(np.array_equal(a.landmarks, b.landmarks) for a, b in zip(faces.records, again.records, strict=True))


def test_a_cache_that_was_emptied_meanwhile_is_made_again(tmp_path: Path, faces: FaceSpace) -> None:
    own = FaceSpace(32, tmp_path, **TINY)
    pictures(own)
    for file in tmp_path.iterdir():
        file.unlink()
    assert np.array_equal(pictures(own), pictures(faces))


def test_photographs_for_which_the_disk_has_no_room_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(ValueError, match=r"18 photographs of 32 px need 55\.3 kB on the disk, and .* has 1\.0 kB free"):
        FaceSpace(32, tmp_path, **TINY)


def test_what_cannot_be_is_refused(faces: FaceSpace, tmp_path: Path) -> None:
    for name, value in {"identities": 0, "validation": -1, "test": -1, "renders": 0, "seed": -1, "visits": 0}.items():
        with pytest.raises(ValueError, match=f"{name} is {value}; expected at least"):
            FaceSpace(32, tmp_path, **{name: value})
    with pytest.raises(ValueError, match="at most"):
        FaceSpace(32, tmp_path, identities=900_000)
    with pytest.raises(ValueError, match="side 'none'"):
        faces.render(0, "rest", Side.NONE, 4.0)
    with pytest.raises(ValueError, match="unknown expression 'grin'"):
        faces.render(0, "grin")
    with pytest.raises(ValueError, match=r"synkinetic is 1\.5; expected a share"):
        FaceSpace(32, tmp_path, **TINY, synkinetic=1.5)
    other = FaceSpace(32, tmp_path, **TINY, seed=3)
    with pytest.raises(ValueError, match=r"fs0-000000-00.*seed 3"):
        other.image(faces.records[0])
