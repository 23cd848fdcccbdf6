"""Pictures in a folder: read and write PNG files, and synthesise those that are missing."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from palsykit.files.atomic import write_with
from palsykit.photographs.mark import png_text
from palsykit.photographs.read import read_photograph
from palsykit.progress import say, track

Picture = NDArray[np.uint8]


def save_png(picture: Picture, path: Path, facts: Mapping[str, Any] | None = None) -> None:
    """Write uint8 [H, W, 3] as PNG, atomically; ``facts`` mark the file of a synthetic picture."""
    text = None if facts is None else png_text(facts)
    write_with(path, lambda partial: Image.fromarray(picture).save(partial, format="PNG", pnginfo=text))


def read_png(path: Path) -> Picture:
    """Read a picture that palsykit wrote as uint8 [H, W, 3].

    Raises:
        ValueError: it is missing or cannot be read as a picture; the text names it.
    """
    return np.asarray(read_photograph(path).picture)


def is_whole_png(path: Path) -> bool:
    """Whether a file is a PNG to its end, by the checksums of its parts; its pixels are not decoded."""
    try:
        with Image.open(path, formats=["PNG"]) as opened:
            opened.verify()
    except (OSError, SyntaxError, ValueError, EOFError):
        return False
    return True


def synthesise_to(
    files: Sequence[Path],
    synthesise: Callable[[range], NDArray[np.uint8]],
    size: int,
    title: str,
    on_batch: Callable[[list[int]], object] = lambda rows: None,
    facts: Callable[[int], Mapping[str, Any]] = lambda row: {},
) -> int:
    """Synthesise one picture per row; skips existing files, so a stopped synthesis can be resumed.

    Each file says that it is synthetic (palsykit/photographs/mark.py). If a file is missing, its whole batch is
    synthesised again, because a smaller batch rounds differently. Existing files are not replaced, except those that
    are not a whole PNG any more, which is said.

    Args:
        files: one PNG per row.
        synthesise: rows -> their pictures [B, H, W, 3].
        size: rows per batch.
        title: of the progress bar.
        on_batch: called after each batch with the rows whose files it added.
        facts: what else the file of a row says.

    Returns:
        Number of files added.
    """
    batches = [range(start, min(start + size, len(files))) for start in range(0, len(files), size)]
    whole = [file.exists() and is_whole_png(file) for file in files]
    damaged = [file.name for file, good in zip(files, whole, strict=True) if not good and file.exists()]
    if damaged:
        more = f" and {len(damaged) - 3} more" if len(damaged) > 3 else ""
        say(f"{files[0].parent}: {', '.join(damaged[:3])}{more}: not a whole PNG; made again")
    missing = {rows: [i for i in rows if not whole[i]] for rows in batches}
    todo = [rows for rows in batches if missing[rows]]
    with track(title, len(files), "images", done=len(files) - sum(map(len, todo))) as progress:
        for rows in todo:
            pictures = dict(zip(rows, synthesise(rows), strict=True))
            for i in missing[rows]:
                save_png(pictures[i], files[i], facts(i))
            on_batch(missing[rows])
            progress.advance(len(rows))
    return sum(map(len, missing.values()))
