"""Render pictures once, in parallel, and cache them in one file, from which each is read when it is asked for."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Generic, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from palsykit.faces.index import read_index, write_index
from palsykit.faces.records import FaceRecord
from palsykit.files.arrays import Array, arrays_in, write_blocks
from palsykit.parallel import in_parallel
from palsykit.progress import say

BATCH = 16
NAME = "pictures"

Shot = TypeVar("Shot")


class Rendered(Generic[Shot]):
    """Pictures [N, image_size, image_size, 3] of N shots; the first access renders them all, unless they are cached.

    Args:
        file: the cache; its name depends on everything that the pictures depend on. A damaged file is rendered again.
        shots: what to render.
        render: some shots -> their pictures [n, image_size, image_size, 3] uint8; called in several threads.
        what: the name of the pictures in the progress bar.
    """

    def __init__(
        self,
        file: Path,
        shots: Sequence[Shot],
        image_size: int,
        render: Callable[[Sequence[Shot]], NDArray[np.uint8]],
        what: str,
    ) -> None:
        self._file, self._shots, self._image_size = file, shots, image_size
        self._render, self._what = render, what
        self._cached: Array | None = None
        self._pictures: NDArray[np.uint8] | None = None  # only where they cannot be cached

    def __getitem__(self, row: int) -> NDArray[np.uint8]:
        if self._pictures is not None:
            return np.asarray(self._pictures[row])
        self._cached = self._cached or self._found()
        if self._cached is not None:
            try:
                return self._cached.row(row)
            except (OSError, ValueError):  # somebody has emptied the cache
                self._cached = None
        return self._render_all(row)

    def _render_all(self, row: int) -> NDArray[np.uint8]:
        shape = (len(self._shots), self._image_size, self._image_size, 3)
        try:
            write_blocks(self._file, NAME, np.uint8, shape, self._blocks())
            return arrays_in(self._file)[0][NAME].row(row)
        except OSError as error:  # a full disk: the pictures are kept in the memory
            say(f"{self._file.parent}: the pictures are not cached ({error}); they are rendered again next time")
        self._pictures = np.concatenate(list(self._blocks()))
        return np.asarray(self._pictures[row])

    def _blocks(self) -> Iterator[NDArray[np.uint8]]:
        return in_parallel(self._render, batches(self._shots), self._what, len(self._shots), "images", BATCH)

    def _found(self) -> Array | None:
        """The cached pictures, or None if the file is damaged or has another format."""
        try:
            pictures = arrays_in(self._file)[0].get(NAME)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        expected = (len(self._shots), self._image_size, self._image_size, 3)
        return pictures if pictures is not None and pictures.shape == expected and pictures.dtype == np.uint8 else None


class Drawn(Sequence[Shot]):
    """Shots that are drawn when they are asked for, by ``_shot(row)`` and ``__len__``."""

    @abstractmethod
    def _shot(self, row: int) -> Shot:
        """One shot; ``row`` is from 0 to the length."""

    @overload
    def __getitem__(self, rows: int) -> Shot: ...
    @overload
    def __getitem__(self, rows: slice) -> list[Shot]: ...
    def __getitem__(self, rows: int | slice) -> Shot | list[Shot]:
        numbers = range(len(self))[rows]
        return [self._shot(row) for row in numbers] if isinstance(numbers, range) else self._shot(numbers)


def records_of(
    index: Path, origin: str, shots: Sequence[Shot], recorded: Callable[[Sequence[Shot]], list[FaceRecord]], what: str
) -> list[FaceRecord]:
    """The records of all shots: from the index, or else computed in parallel and written there.

    Args:
        index: the file.
        origin: of which the index must be.
        shots: what to record.
        recorded: some shots -> their records; called in several threads.
        what: the name of the data in the bar and in messages.
    """
    if (found := read_index(index, origin)) is not None:
        return found[0]
    made = in_parallel(recorded, batches(shots), f"pose {what}", len(shots), "images", BATCH)
    records = [record for part in made for record in part]
    write_index(index, origin, records, None, what)
    return records


def batches(shots: Sequence[Shot]) -> Iterator[Sequence[Shot]]:
    """Shots in the batches in which they are rendered."""
    return (shots[start : start + BATCH] for start in range(0, len(shots), BATCH))
