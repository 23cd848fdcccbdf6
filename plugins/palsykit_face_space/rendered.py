"""Render pictures once, in parallel, and cache them in one file."""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from palsykit.files.atomic import write_with
from palsykit.progress import say, track

BATCH = 16

Shot = TypeVar("Shot")


class Rendered(Generic[Shot]):
    """Pictures [N, image_size, image_size, 3] of N shots; the first access renders or reads them all.

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
        self._pictures: NDArray[np.uint8] | None = None

    def __getitem__(self, row: int) -> NDArray[np.uint8]:
        if self._pictures is None:
            self._pictures = self._read() if self._file.exists() else None
        if self._pictures is None:
            self._pictures = self._render_all()
        return np.asarray(self._pictures[row])

    def _render_all(self) -> NDArray[np.uint8]:
        rendered = []
        with (
            _single_threaded(),
            ThreadPoolExecutor(os.cpu_count()) as pool,
            track(self._what, len(self._shots), "images") as progress,
        ):
            for pictures in pool.map(self._render, batches(self._shots)):
                rendered.append(pictures)
                progress.advance(len(pictures))
        pictures = np.ascontiguousarray(np.concatenate(rendered))
        try:
            write_with(self._file, lambda part: save_file({"pictures": pictures}, part))
        except (OSError, SafetensorError) as error:  # a full disk: the pictures are here, only the cache is not
            say(f"{self._file.parent}: the pictures are not cached ({error}); they are rendered again next time")
        return pictures

    def _read(self) -> NDArray[np.uint8] | None:
        """The cached pictures, or None if the file is damaged or has another format."""
        try:
            pictures = load_file(self._file).get("pictures")
        except (OSError, SafetensorError):
            return None
        expected = (len(self._shots), self._image_size, self._image_size, 3)
        return pictures if pictures is not None and pictures.shape == expected and pictures.dtype == np.uint8 else None


def batches(shots: Sequence[Shot]) -> list[Sequence[Shot]]:
    """Shots in the batches in which they are rendered."""
    return [shots[start : start + BATCH] for start in range(0, len(shots), BATCH)]


@contextlib.contextmanager
def _single_threaded() -> Iterator[None]:
    """One thread per operation while batches run in parallel: sharing small operations costs more than it saves."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
