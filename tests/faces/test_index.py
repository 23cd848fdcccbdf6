"""Records come back from an index as they were; one that is damaged or of another origin is done without."""

import errno
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from palsykit.faces import index
from palsykit.faces.index import code_of, read_index, write_index
from palsykit.faces.records import FaceRecord
from palsykit.faces.vocabulary import FaceLabels, Group, Side


def points(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(50, 20, (count, 2)).astype(np.float32)


def records(count: int = 6) -> list[FaceRecord]:
    """Records in which something different is unknown in each."""
    made = []
    for number in range(count):
        labels = FaceLabels(
            f"J\u00f6rg {number // 3}",
            None if number % 2 else "rest",
            Side.LEFT if number % 3 else None,
            1 + number / 7,
            Group.FLACCID if number % 2 else None,
            0.1 * number,
            None,
        )
        marks = None if number % 4 == 1 else points(68, number)
        more = points(8, number) if number % 4 == 2 else None
        made.append(FaceRecord(f"a/{number}.jpg", labels, marks, (marks is not None and "given") or None, "test", more,
                               f"{number:064d}"))  # fmt: skip
    return made


def same(one: FaceRecord, other: FaceRecord) -> bool:
    plain = [(r.key, r.labels, r.landmarks_source, r.split, r.digest) for r in (one, other)]
    arrays = [(one.landmarks, other.landmarks), (one.further, other.further)]
    return plain[0] == plain[1] and all(
        (a is None and b is None) or (a is not None and b is not None and a.dtype == b.dtype and np.array_equal(a, b))
        for a, b in arrays
    )


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    write_index(tmp_path / "i.safetensors", "origin", records(), {"notes": ["\u00e4"]}, "own")
    found = read_index(tmp_path / "i.safetensors", "origin")
    assert found is not None
    assert found[1] == {"notes": ["\u00e4"]}
    assert len(found[0]) == 6
    assert all(same(one, other) for one, other in zip(records(), found[0], strict=True))
    assert read_index(tmp_path / "i.safetensors", "another") is None
    assert read_index(tmp_path / "none.safetensors", "origin") is None
    before = (tmp_path / "i.safetensors").read_bytes()
    write_index(tmp_path / "i.safetensors", "origin", records(), {"notes": ["\u00e4"]}, "own")
    assert (tmp_path / "i.safetensors").read_bytes() == before, "the same to the bit"


def test_an_index_that_was_changed_anywhere_is_done_without(tmp_path: Path) -> None:
    file = tmp_path / "i.safetensors"
    write_index(file, "origin", records(), None, "own")
    whole = file.read_bytes()
    for place in range(0, len(whole), 97):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        found = read_index(file, "origin")
        assert found is None or all(same(a, b) for a, b in zip(records(), found[0], strict=True)), place
        file.write_bytes(whole[:place])
        assert read_index(file, "origin") is None, place


def test_an_index_that_cannot_be_written_is_said_and_nothing_else_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(path: Path, write: Callable[[Path], object]) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(index, "write_with", full)
    write_index(tmp_path / "i.safetensors", "origin", records(), None, "own")
    assert "no index of own is kept ([Errno 28] No space left on device" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_record_in_memory_is_small(tmp_path: Path) -> None:
    """Of which 544 bytes are its landmarks."""
    file, count = tmp_path / "i.safetensors", 2000
    write_index(file, "origin", records(count), None, "own")
    tracemalloc.start()
    found = read_index(file, "origin")
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert found is not None
    assert held / count < 1200
    assert sys.getsizeof(found[0][0]) < 120, "no dict"


def test_code_that_makes_records_is_part_of_their_origin() -> None:
    assert code_of("palsykit.faces") != code_of("palsykit.data")
    assert code_of("palsykit.faces") == code_of("palsykit.faces")
    assert code_of("nothing_of_this_name") == code_of()
