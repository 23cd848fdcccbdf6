"""A second start finds everything in an index, and reads again whatever may have changed."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from palsykit import parallel
from palsykit_datasets import aligned, reading, stamp
from palsykit_datasets.folder import folder
from palsykit_datasets.imagefolder import imagefolder

SIZE = 64


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Files count as settled as soon as they are written."""
    monkeypatch.setattr(stamp, "RECENT", 0.0)


@pytest.fixture
def root(tmp_path, drawn) -> Path:
    """Six photographs of three people, two of which are one picture; one is no picture."""
    rows = []
    for number in range(6):
        five = drawn.save(tmp_path / "own" / f"{number}.png", shade=10 * min(number, 4))
        rows.append({"file_name": f"{number}.png", "subject": f"s{number // 2}", "points5": five.tolist(), "age": 3})
    (tmp_path / "own" / "6.png").write_bytes(b"nothing")
    rows.append({"file_name": "6.png", "subject": "s3"})
    (tmp_path / "own" / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path / "own"


def dataset(root: Path, **keys):
    return imagefolder(SIZE, root.parent / "cache", root=root, **keys)


def contents(faces) -> list:
    own = [(r.key, r.labels, r.split, r.digest, r.landmarks_source, faces.image(r).tobytes()) for r in faces.records]
    points = [None if r.landmarks is None else r.landmarks.tobytes() for r in faces.records]
    return [own, points, [(r.path, r.reason) for r in faces.rejected], faces.notes]


@pytest.fixture
def closed(monkeypatch) -> Callable[[], None]:
    """From the call on, neither a photograph nor a table may be read."""

    def close() -> None:
        monkeypatch.setattr(reading, "read_bytes", lambda path: pytest.fail(f"{path} was read"))
        monkeypatch.setattr("palsykit_datasets.imagefolder.read_layout", lambda *_: pytest.fail("the table was read"))

    return close


def test_a_second_start_opens_nothing_and_finds_the_same(root, closed):
    first = dataset(root)
    assert (len(first.records), len(first.rejected), len(first.notes)) == (5, 2, 1)
    closed()
    assert contents(dataset(root)) == contents(first)


@pytest.mark.parametrize("count", [1, 3])
def test_the_number_of_workers_changes_no_bit(root, monkeypatch, count):
    expected = contents(dataset(root))
    shutil.rmtree(root.parent / "cache")
    monkeypatch.setattr(parallel, "workers", lambda: count)
    assert contents(dataset(root)) == expected


def change_pixels(root, drawn):
    about = (root / "1.png").stat()
    drawn.save(root / "1.png", shade=77)
    os.utime(root / "1.png", ns=(about.st_atime_ns, about.st_mtime_ns))


def relabel(root, _):
    text = (root / "metadata.jsonl").read_text()
    (root / "metadata.jsonl").write_text(text.replace('"s1"', '"x1"'))


def replace_folder(root, _):
    (root / "state.json").write_text('{"recipe_hash": "a"}')


CHANGES = {
    "pixels, with the old date": change_pixels,
    "a label of the same length": relabel,
    "a photograph is gone": lambda root, _: (root / "2.png").unlink(),
    "one is new": lambda root, _: shutil.copy(root / "1.png", root / "new.png"),
    "one is renamed": lambda root, _: (root / "6.png").rename(root / "7.png"),
    "the folder is said to be crops": lambda root, _: (root.parent / "data.json").write_text('{"settings_hash": "a"}'),
    "in a folder below": lambda root, _: ((root / "a").mkdir(), shutil.copy(root / "1.png", root / "a")),
    "behind a link": lambda root, _: (root / "link").symlink_to(root.parent / "elsewhere"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changes_is_read_again(root, drawn, change, monkeypatch):
    (root.parent / "elsewhere").mkdir()
    (root.parent / "elsewhere" / "more.png").write_bytes((root / "1.png").read_bytes())
    dataset(root)
    CHANGES[change](root, drawn)
    read = []
    monkeypatch.setattr(reading, "read_bytes", lambda path, own=reading.read_bytes: read.append(path) or own(path))
    again = contents(dataset(root))
    assert read, "an index of other files was believed"
    shutil.rmtree(root.parent / "cache")
    assert again == contents(dataset(root)), "as without any cache"


def test_other_settings_and_code_have_other_indexes(root, monkeypatch, detectors):
    first = contents(dataset(root))
    assert dataset(root, expressions={"x": "rest"}).image(dataset(root).records[0]).shape == (SIZE, SIZE, 3)
    assert len(list((root.parent / "cache").glob("*.safetensors"))) == 2
    assert len(dataset(root, detector=detectors()).records) == 5
    assert contents(dataset(root)) == first
    read = []
    monkeypatch.setattr(reading, "read_bytes", lambda path, own=reading.read_bytes: read.append(path) or own(path))
    monkeypatch.setattr(stamp, "code_of", lambda *_: "other code")
    assert contents(dataset(root)) == first
    assert read


def test_another_default_detector_reads_again(tmp_path, drawn, detectors, monkeypatch):
    drawn.save(tmp_path / "own" / "A" / "1.png")
    monkeypatch.setattr(reading, "detector_of", lambda: detectors("1"))
    folder(SIZE, tmp_path / "cache", root=tmp_path / "own")
    newer = detectors("2")
    monkeypatch.setattr(reading, "detector_of", lambda: newer)
    folder(SIZE, tmp_path / "cache", root=tmp_path / "own")
    assert newer.asked == 1
    folder(SIZE, tmp_path / "cache", root=tmp_path / "own")
    assert newer.asked == 1


def test_a_picture_that_is_gone_from_the_cache_is_made_again(root):
    first = dataset(root)
    expected = contents(first)
    for file in (root.parent / "cache").glob("*.png"):
        file.unlink()
    assert contents(dataset(root)) == expected


def test_a_damaged_index_is_done_without(root):
    expected = contents(dataset(root))
    (index,) = (root.parent / "cache").glob("*.safetensors")
    index.write_bytes(index.read_bytes()[:-3])
    assert contents(dataset(root)) == expected
    assert contents(dataset(root)) == expected


def test_files_that_were_written_just_now_are_not_believed(root, monkeypatch):
    """On some file systems two changes within two seconds have one time."""
    monkeypatch.setattr(stamp, "RECENT", 3600.0)
    dataset(root)
    assert list((root.parent / "cache").glob("*.safetensors")) == []


def test_a_file_that_changes_while_it_is_read_leaves_no_index(root, drawn, monkeypatch):
    own = aligned.in_parallel

    def changing(*arguments):
        yield from own(*arguments)
        drawn.save(root / "0.png", shade=99)

    monkeypatch.setattr(aligned, "in_parallel", changing)
    dataset(root)
    assert list((root.parent / "cache").glob("*.safetensors")) == []


def test_a_detector_is_asked_by_one_thread_at_a_time_unless_it_says_otherwise(tmp_path, drawn, detectors, monkeypatch):
    import threading
    import time

    class Counting(detectors):
        inside, most = 0, 0
        own = threading.Lock()

        def detect(self, photograph):
            with self.own:
                self.inside += 1
                self.most = max(self.most, self.inside)
            time.sleep(0.05)
            with self.own:
                self.inside -= 1
            return super().detect(photograph)

    monkeypatch.setattr(parallel, "workers", lambda: 3)
    for number in range(6):
        drawn.save(tmp_path / "own" / "A" / f"{number}.png", shade=10 * number)
    alone, together = Counting("a"), Counting("b")
    together.parallel = True
    for detector in (alone, together):
        assert len(folder(SIZE, tmp_path / "cache", root=tmp_path / "own", detector=detector).records) == 6
    assert alone.most == 1
    assert together.most > 1
