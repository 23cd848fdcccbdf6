"""Large arrays in safetensors files, written block by block and read row by row, so that memory does not grow."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from palsykit.files.atomic import write_with

TYPES = {"U8": np.uint8, "I32": np.int32, "F32": np.float32}
"""safetensors' names of the types that are written here."""

LONGEST_HEADER = 1 << 20
"""Bytes; ours have a few hundred."""


class Array(NamedTuple):
    """Where an array lies in a file.

    Attributes:
        offset: of its first byte.
    """

    file: Path
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    offset: int

    @property
    def size(self) -> int:
        """Bytes."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def row(self, number: int) -> NDArray[Any]:
        """One row, read from the file, which may have been replaced by its like meanwhile.

        Raises:
            OSError: it cannot be read.
            ValueError: the file has become shorter.
        """
        length = self.size // self.shape[0]
        with self.file.open("rb") as file:
            data = os.pread(file.fileno(), length, self.offset + number * length)
        if len(data) != length:
            raise ValueError(f"{self.file}: row {number} is missing")
        return np.frombuffer(data, self.dtype).reshape(self.shape[1:])

    def read(self) -> NDArray[Any]:
        """The whole array, read-only. It is not mapped: a file that is cut off meanwhile would end the process.

        Raises:
            OSError: it cannot be read.
            ValueError: the file has become shorter.
        """
        with self.file.open("rb") as file:
            file.seek(self.offset)
            return np.frombuffer(file.read(self.size), self.dtype).reshape(self.shape)


def arrays_in(file: Path) -> tuple[dict[str, Array], dict[str, str]]:
    """The arrays of a safetensors file, by their names, and its metadata. Only the header is read.

    Raises:
        OSError: it cannot be read.
        ValueError: it is none, is cut off, or has other types than TYPES.
    """
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        if length > LONGEST_HEADER:
            raise ValueError(f"{file}: a header of {length} bytes")
        header: dict[str, Any] = json.loads(opened.read(length))
    metadata, found, end = header.pop("__metadata__", {}), {}, 0
    for name, facts in header.items():
        first, last = facts["data_offsets"]
        array = Array(file, np.dtype(TYPES[facts["dtype"]]), tuple(facts["shape"]), 8 + length + first)
        if array.size != last - first:
            raise ValueError(f"{file}: {name} has {last - first} bytes, expected {array.size}")
        found[name], end = array, max(end, 8 + length + last)
    if file.stat().st_size != end:
        raise ValueError(f"{file}: found {file.stat().st_size} bytes, expected {end}")
    return found, metadata


def write_blocks(
    file: Path, name: str, dtype: DTypeLike, shape: tuple[int, ...], blocks: Iterable[NDArray[Any]]
) -> None:
    """Write one array whose rows come in blocks; the file is complete or absent.

    Raises:
        OSError: it cannot be written.
        ValueError: the blocks are not of this type, or more or fewer than ``shape`` says.
    """
    kind = next(key for key, value in TYPES.items() if np.dtype(value) == np.dtype(dtype))
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    header = json.dumps({name: {"dtype": kind, "shape": shape, "data_offsets": [0, size]}}).encode()
    header += b" " * (-len(header) % 8)

    def write(partial: Path) -> None:
        written = 0
        with partial.open("wb") as opened:
            opened.write(len(header).to_bytes(8, "little") + header)
            for block in blocks:
                if block.dtype != np.dtype(dtype):
                    raise ValueError(f"{file}: a block of {block.dtype}, expected {np.dtype(dtype)}")
                written += opened.write(np.ascontiguousarray(block).tobytes())
        if written != size:
            raise ValueError(f"{file}: {written} bytes of {name}, expected {size}")

    write_with(file, write)
