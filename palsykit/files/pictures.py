"""Pictures in a folder: PNG files, whole or absent, and one loop that makes those that are missing."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from palsykit.files.atomic import write_with
from palsykit.progress import track

Picture = NDArray[np.uint8]


def save_png(picture: Picture, path: Path) -> None:
    """uint8 [H, W, 3] -> PNG, whole or absent."""
    write_with(path, lambda partial: Image.fromarray(picture).save(partial, format="PNG"))


def read_png(path: Path) -> Picture:
    """PNG -> uint8 [H, W, 3]."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def synthesise_to(
    files: Sequence[Path],
    synthesise: Callable[[range], NDArray[np.uint8]],
    size: int,
    title: str,
    wrote: Callable[[list[int]], object] = lambda rows: None,
) -> int:
    """Makes one picture per row and skips existing files, so that a stopped synthesis is resumed.

    A batch that lacks a file is made whole, because a smaller one rounds differently; files that it has stay.

    Args:
        files: one PNG per row.
        synthesise: rows -> their pictures [B, H, W, 3].
        size: rows at a time.
        title: of the progress.
        wrote: is told the rows whose files each batch added.

    Returns:
        How many files were added.
    """
    batches = [range(start, min(start + size, len(files))) for start in range(0, len(files), size)]
    missing = {rows: [i for i in rows if not files[i].exists()] for rows in batches}
    todo = [rows for rows in batches if missing[rows]]
    with track(title, len(files), "images", done=len(files) - sum(map(len, todo))) as progress:
        for rows in todo:
            pictures = dict(zip(rows, synthesise(rows), strict=True))
            for i in missing[rows]:
                save_png(pictures[i], files[i])
            wrote(missing[rows])
            progress.advance(len(rows))
    return sum(map(len, missing.values()))
