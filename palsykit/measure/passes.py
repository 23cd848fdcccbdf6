"""Passes of synthesis that metrics ask for: the first, and those that begin from what the first made."""

import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from palsykit.errors import PalsykitError
from palsykit.faces.pairing import Pair
from palsykit.faces.views import to_pictures, to_tensor
from palsykit.files.atomic import write_text
from palsykit.files.pictures import read_png, synthesise_to
from palsykit.interfaces import FaceBatch, FaceView, Images, Metric, Synthesiser
from palsykit.metrics import needs
from palsykit.seeds import derive


@dataclass(frozen=True)
class FurtherPass:
    """A further synthesis from the first.

    Attributes:
        words: says it to a reader.
        faces: (the rows, the pictures of the first synthesis) -> what is synthesised from.
        seed: (run's seed, row) -> the seed of its noise.
    """

    words: str
    faces: Callable[[FaceBatch, Tensor], FaceBatch]
    seed: Callable[[int, Pair], int]


def _own_conditions(faces: FaceBatch, first: Tensor) -> FaceBatch:
    return FaceBatch(_seen(first, faces.identity), _seen(first, faces.driver))


def _swapped_back(faces: FaceBatch, first: Tensor) -> FaceBatch:
    return FaceBatch(_seen(first, faces.identity), faces.identity)


PASSES = {
    "regenerated": FurtherPass(
        "synthesised once more, every condition taken from the first synthesis",
        _own_conditions,
        lambda seed, pair: derive("again", seed, pair.record.key),
    ),
    "swapped_back": FurtherPass(
        "synthesised once more from the first synthesis, driven by the identity photograph",
        _swapped_back,
        lambda seed, pair: derive("back", seed, pair.identity.key, pair.record.key),
    ),
}
"""By the name under which ``Images`` has them and metrics need them."""


def check_needs(metrics: Mapping[str, Metric]) -> frozenset[str]:
    """The passes that metrics need beyond the first.

    Raises:
        PalsykitError: for one that core does not make.
    """
    found: frozenset[str] = frozenset().union(*map(needs, metrics.values())) - {"generated"}
    if unknown := found - set(PASSES):
        raise PalsykitError(
            f"metrics need the passes {sorted(unknown)}; core makes {sorted(PASSES)}; use other metrics"
        )
    return found


def further_passes(
    images: Images,
    needs: Collection[str],
    faces: FaceBatch,
    pairs: Sequence[Pair],
    seed: int,
    synthesise: Callable[[str, FaceBatch, list[int]], Tensor],
) -> None:
    """Adds the passes ``needs`` to images that have the first.

    Args:
        images: of N rows.
        needs: names in PASSES.
        faces: the rows.
        pairs: the same rows.
        seed: of the run.
        synthesise: (pass, what it is synthesised from, seeds of the noise) -> pictures [N, 3, H, W].
    """
    for name in sorted(needs):
        again = PASSES[name]
        seeds = [again.seed(seed, pair) for pair in pairs]
        setattr(images, name, synthesise(name, again.faces(faces, images.generated), seeds))


def synthesise_pass(
    synthesiser: Synthesiser,
    faces: FaceBatch,
    seeds: Sequence[int],
    folder: Path,
    size: int,
    title: str,
    clock: Path | None = None,
) -> Tensor:
    """Synthesises one picture per row and saves it as PNG; skips existing files.

    Args:
        synthesiser: makes them.
        faces: N rows.
        seeds: of each row's noise.
        folder: of the PNG files.
        size: rows at a time.
        title: of the progress.
        clock: a JSON file in which the seconds that pictures take are added up.

    Returns:
        Pictures [N, 3, H, W] as read back from the files, because metrics see 8-bit pictures.
    """
    files = [folder / f"{number:05d}.png" for number in range(len(seeds))]

    def synthesise(rows: range) -> NDArray[np.uint8]:
        began = time.monotonic()
        with torch.inference_mode():
            made = synthesiser.generate(faces.rows(rows.start, rows.stop), seeds[rows.start : rows.stop])
        pictures = to_pictures(made)
        if clock is not None:
            _count(clock, len(rows), time.monotonic() - began)
        return pictures

    synthesise_to(files, synthesise, size, title)
    return to_tensor(np.stack([read_png(file) for file in files])).to(faces.identity.image.device)


def seconds_each(clock: Path) -> float | None:
    """Seconds that a picture took; None where that was not counted."""
    if not clock.exists():
        return None
    counted = json.loads(clock.read_text(encoding="utf-8"))
    return float(counted["seconds"]) / int(counted["images"])


def _count(clock: Path, images: int, seconds: float) -> None:
    before = json.loads(clock.read_text(encoding="utf-8")) if clock.exists() else {"images": 0, "seconds": 0.0}
    write_text(clock, json.dumps({"images": before["images"] + images, "seconds": before["seconds"] + seconds}) + "\n")


def _seen(image: Tensor, view: FaceView) -> FaceView:
    """A view of synthesised pictures: what was asked for is known of them, their landmarks are not."""
    return FaceView(image, FaceView.of_images(image).landmarks, view.labels)
