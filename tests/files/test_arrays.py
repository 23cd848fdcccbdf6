"""Arrays of safetensors files, written in blocks and read in rows; what is cut off or of another form is refused."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from palsykit.files.arrays import arrays_in, write_blocks


def blocks() -> list[np.ndarray]:
    return [np.full((2, 3, 3), number, np.uint8) for number in range(3)]


def test_blocks_become_a_file_that_safetensors_reads(tmp_path: Path) -> None:
    write_blocks(tmp_path / "a.safetensors", "pictures", np.uint8, (6, 3, 3), iter(blocks()))
    found = load_file(tmp_path / "a.safetensors")["pictures"]
    assert np.array_equal(found, np.concatenate(blocks()))
    array = arrays_in(tmp_path / "a.safetensors")[0]["pictures"]
    assert all(np.array_equal(array.row(number), found[number]) for number in range(6))


def test_arrays_that_safetensors_writes_are_found(tmp_path: Path) -> None:
    tensors: dict[str, np.ndarray] = {
        "b": np.arange(12, dtype=np.float32).reshape(3, 4),
        "a": np.arange(5, dtype=np.uint8),
        "none": np.empty((0, 2), np.float32),
    }
    save_file(tensors, tmp_path / "a.safetensors", {"says": "so"})
    arrays, metadata = arrays_in(tmp_path / "a.safetensors")
    assert metadata == {"says": "so"}
    assert all(np.array_equal(arrays[name].read(), value) for name, value in tensors.items())


@pytest.mark.parametrize("given", [blocks()[:2], [*blocks(), *blocks()], [np.zeros((6, 3, 3), np.float32)]])
def test_other_blocks_than_promised_leave_no_file(tmp_path: Path, given: list[np.ndarray]) -> None:
    with pytest.raises(ValueError, match="expected"):
        write_blocks(tmp_path / "a.safetensors", "pictures", np.uint8, (6, 3, 3), iter(given))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("keep", [0, 4, 20, 100, -1])
def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, keep: int) -> None:
    file = tmp_path / "a.safetensors"
    write_blocks(file, "pictures", np.uint8, (6, 3, 3), iter(blocks()))
    whole = arrays_in(file)[0]["pictures"]
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"."):
        arrays_in(file)
    with pytest.raises(ValueError, match="row 5 is missing"):
        whole.row(5)
    with pytest.raises(ValueError, match=r"reshape|buffer"):
        whole.read()
