"""Pictures in a folder: read and write PNG files, and synthesise those that are missing."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from palsykit.files.atomic import write_with
from palsykit.progress import track

Picture = NDArray[np.uint8]


def save_png(picture: Picture, path: Path) -> None:
    """Write uint8 [H, W, 3] as PNG, atomically."""
    write_with(path, lambda partial: Image.fromarray(picture).save(partial, format="PNG"))


def read_png(path: Path) -> Picture:
    """Read a PNG as uint8 [H, W, 3]."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def synthesise_to(
    files: Sequence[Path],
    synthesise: Callable[[range], NDArray[np.uint8]],
    size: int,
    title: str,
    on_batch: Callable[[list[int]], object] = lambda rows: None,
) -> int:
    """Synthesise one picture per row; skips existing files, so a stopped synthesis can be resumed.

    If a file is missing, its whole batch is synthesised again, because a smaller batch rounds differently. Existing
    files are not replaced.

    Args:
        files: one PNG per row.
        synthesise: rows -> their pictures [B, H, W, 3].
        size: rows per batch.
        title: of the progress bar.
        on_batch: called after each batch with the rows whose files it added.

    Returns:
        Number of files added.
    """
    batches = [range(start, min(start + size, len(files))) for start in range(0, len(files), size)]
    missing = {rows: [i for i in rows if not files[i].exists()] for rows in batches}
    todo = [rows for rows in batches if missing[rows]]
    with track(title, len(files), "images", done=len(files) - sum(map(len, todo))) as progress:
        for rows in todo:
            pictures = dict(zip(rows, synthesise(rows), strict=True))
            for i in missing[rows]:
                save_png(pictures[i], files[i])
            on_batch(missing[rows])
            progress.advance(len(rows))
    return sum(map(len, missing.values()))
